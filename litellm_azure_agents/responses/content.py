"""Parts of user messages -> parts of input items (protocols B2), and what has to be uploaded.

The checks are those for classic agents (``media.py``). Data goes with the request; what is larger
than ``max_data_url_bytes`` is uploaded before, where the endpoint has files. With
``ephemeral_files`` nothing is uploaded, so nothing has to be removed: a stored response needs its
files as long as it is continued.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..content.file_service import FileService
from ..content.parts import file_in_image, image_of, text_of, with_content
from ..content.tools import cleaned
from ..content.uploads import Place, Uploads
from ..core.actions import Steps
from ..core.call import Call
from ..core.json_values import JsonObject, as_object, as_text
from ..core.media import VISION_TYPES, NewFile, media_type_of, parse_file, parse_image
from ..core.options import OptionError


class Inputs(Uploads):
    """What the messages of one call bring; ``files`` is None where nothing can be uploaded."""

    def __init__(self, call: Call, files: FileService | None = None) -> None:
        super().__init__(call, files or FileService(call))
        self._uploads = files is not None and not call.options.ephemeral_files

    def content(self, content: Any) -> str | list[JsonObject]:
        """A user message's content; raises ValueError for parts that an agent can't take."""
        if not isinstance(content, list):
            return text_of(content)
        parts = [self._part(part) for part in with_content(content)]
        if len(parts) == 1 and parts[0]["type"] == "input_text":
            return str(parts[0]["text"])
        return parts

    def upload(self) -> Steps:
        """Upload what is new and fill in the ids."""
        if self._places:
            yield from self._upload(self._places)

    def _part(self, part: Any) -> JsonObject:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, str):
            return {"type": "input_text", "text": part}
        if kind in ("text", "input_text", "output_text"):
            return {"type": "input_text", "text": str(part.get("text") or "")}
        if kind == "image_url":
            file = file_in_image(part)
            return self._image(*image_of(part)) if file is None else self._file(file)
        if kind == "image_file":
            image = as_object(part.get("image_file"))
            if not as_text(image.get("file_id")):
                raise ValueError("an image_file part needs {'image_file': {'file_id': …}}")
            return _image_part(file_id=image.get("file_id"), detail=image.get("detail"))
        if kind == "file":
            file = part.get("file")
            return self._file(file if isinstance(file, dict) else {})
        if kind in ("input_image", "input_file"):
            return cleaned(part)
        if kind in ("input_audio", "audio", "video_url", "video"):
            raise ValueError(f"an agent takes text, images and files, no {kind}")
        raise ValueError(f"a content part of type {kind!r} can't be given to an agent")

    def _image(self, url: str, detail: str | None) -> JsonObject:
        if not url.startswith("data:"):
            if not url.startswith(("https://", "http://")):
                raise ValueError("image_url takes an https URL or a data:image/… URL")
            return _image_part(image_url=url, detail=detail)
        new = parse_image(url)
        part = _image_part(image_url=url, detail=detail)
        if self._is_large(url):
            self._places.append(self._as_file(part, new))
        elif self._uploads:
            self._inline.append(part)
        return part

    def _as_file(self, part: JsonObject, new: NewFile | None = None) -> Place:
        new = new or parse_image(part["image_url"])
        del part["image_url"]
        return Place(part, new)

    def _file(self, file: JsonObject) -> JsonObject:
        if self._call.options.attach_files == "file_search" and not self._call.drop_params:
            raise OptionError(
                "a new agent searches only the vector stores that its definition names: add the "
                "file to one of them (litellm_azure_agents.vector_stores helps), or leave "
                "attach_files out, and the model reads the file as input",
                "attach_files",
            )
        found = parse_file(file)
        if isinstance(found, str):
            if media_type_of(str(file.get("filename") or "")) in VISION_TYPES:
                return _image_part(file_id=found)
            return {"type": "input_file", "file_id": found}
        data = str(file["file_data"])
        if not data.startswith(f"data:{found.media_type};base64,"):
            data = f"data:{found.media_type};base64,{base64.b64encode(found.data).decode()}"
        if found.media_type in VISION_TYPES:  # an agent looks at it, it doesn't read it
            return self._image(data, None)
        part: JsonObject = {"type": "input_file"}
        if self._is_large(data):
            self._places.append(Place(part, found))
        else:
            part |= {"filename": found.filename, "file_data": data}
        return part

    def _is_large(self, data: str) -> bool:
        return self._uploads and len(data) > self._call.options.max_data_url_bytes


def _image_part(*, detail: Any = None, **source: Any) -> JsonObject:
    return {"type": "input_image", **source, "detail": detail or "auto"}
