"""Files and images that messages bring: found while messages are built, then uploaded together.

`Incoming` is given to `content.build_content`, which checks each part (nothing is sent for a
message that can't be taken) and leaves the places where file ids go. `prepare` fills them.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import errors
from ..core.actions import Gather, Reply, Steps
from ..core.call import Call
from ..core.json_values import as_object, as_text
from ..core.media import VISION_TYPES, NewFile, media_type_of, parse_file, parse_image, tools_for
from ..core.service_errors import parse_error
from .file_service import FileService

EPHEMERAL_KEY = "litellm_ephemeral_files"
"""Run metadata by which a later call knows what to remove: a run that waits for tool results still
needs its files, and the call that brings the results needn't come to this process."""

_IMAGE_REFUSED = re.compile(r"data.?ur[il]|image_url|base64|image", re.I)
Json = dict[str, Any]


@dataclass(slots=True)
class Place:
    """Where an uploaded file's id goes: ``target["file_id"]``."""

    target: Json
    new: NewFile


@dataclass(slots=True)
class _File:
    """A ``file`` part; how it is given depends on what tools the agent has."""

    message: Json
    new: NewFile | None
    file_id: str | None = None
    filename: str | None = None


class Uploads(abc.ABC):
    """What the messages of one call bring, as far as both protocols treat it alike."""

    def __init__(self, call: Call, files: FileService) -> None:
        self._call = call
        self._service = files
        self._places: list[Place] = []
        self._inline: list[Json] = []  # image parts with a data URL that is passed on
        self._repaired = False
        self.uploaded: list[str] = []
        """Files to be removed after the answer (``ephemeral_files``)."""

    @abc.abstractmethod
    def _as_file(self, part: Json) -> Place:
        """Make an image part that has a data URL one with a place for a file id."""

    def _upload(self, places: Sequence[Place], *, fresh: bool = False) -> Steps:
        ephemeral = self._call.options.ephemeral_files
        new = {place.new.digest: place.new for place in places}
        jobs = [
            self._service.upload_new(file, shared=not ephemeral, fresh=fresh)
            for file in new.values()
        ]
        results = yield Gather(jobs)
        if ephemeral:
            self.uploaded += [id for id in results if isinstance(id, str)]
        ids = dict(zip(new, _checked(results), strict=True))
        for place in places:
            place.target["file_id"] = ids[place.new.digest]

    def repair(self, reply: Reply) -> Any:
        """Whether a refused request is worth sending again: files that someone has deleted since
        they were uploaded are uploaded anew, data URLs that the service won't take are uploaded."""
        if self._repaired or reply.status not in (400, 404):
            return False
        error = parse_error(reply)
        text = f"{error.message} {error.param or ''}"
        places = [p for p in self._places if str(p.target.get("file_id")) in text]
        fresh = bool(places)
        if not places and self._inline and _IMAGE_REFUSED.search(text):
            places = [self._as_file(part) for part in self._inline]
            self._inline.clear()
        if not places:
            return False
        self._repaired = True
        yield from self._upload(places, fresh=fresh)
        return True


class Incoming(Uploads):
    """What the messages for a classic agent bring."""

    def __init__(self, call: Call, files: FileService) -> None:
        super().__init__(call, files)
        self._files: list[_File] = []
        if EPHEMERAL_KEY in (call.options.run_metadata or {}):
            raise errors.bad_request(
                call.context, f"{EPHEMERAL_KEY!r} is reserved", param="run_metadata"
            )

    # -- what build_content finds --------------------------------------------------------------

    def image(self, url: str, detail: str | None) -> Json:
        """The thread's part for an image_url; ValueError for what can't be looked at."""
        if not url.startswith("data:"):
            if not url.startswith(("https://", "http://")):
                raise ValueError("image_url takes an https URL or a data:image/… URL")
            return {"type": "image_url", "image_url": _given(url=url, detail=detail)}
        new = parse_image(url)
        if len(url) > self._call.options.max_data_url_bytes:
            part: Json = {"type": "image_file", "image_file": _given(detail=detail)}
            self._places.append(Place(part["image_file"], new))
            return part
        part = {"type": "image_url", "image_url": _given(url=url, detail=detail)}
        self._inline.append(part)
        return part

    def _as_file(self, part: Json) -> Place:
        image = part.pop("image_url")
        target = _given(detail=image.get("detail"))
        part |= {"type": "image_file", "image_file": target}
        return Place(target, parse_image(image["url"]))

    def file(self, message: Json, part: Any) -> str:
        """A ``file`` part of ``message``; returns its name. ValueError for unknown types."""
        found = parse_file(part if isinstance(part, dict) else {})
        if isinstance(found, str):
            name = part.get("filename")
            self._files.append(_File(message, None, found, str(name) if name else None))
            return str(name or found)
        self._files.append(_File(message, found, filename=found.filename))
        return found.filename

    # -- sending them --------------------------------------------------------------------------

    def prepare(self, tools: Callable[[], Generator[Any, Any, Any]]) -> Steps:
        """Upload what is new and fill in the ids. ``tools`` asks for the tools of the run."""
        if self._files:
            yield from self._attach(tools)
        if self._places:
            yield from self._upload(self._places)

    def _attach(self, tools: Callable[[], Generator[Any, Any, Any]]) -> Steps:
        option = self._call.options.attach_files
        names: Sequence[str] = ()
        if option == "auto":
            unnamed = [file for file in self._files if file.filename is None]
            if unnamed:
                found = yield Gather([self._service.info(str(f.file_id)) for f in unnamed])
                for file, info in zip(unnamed, _checked(found), strict=True):
                    file.filename = as_text(info.get("filename")) or file.file_id
            names = [str(tool.get("type")) for tool in (yield from tools())]
        for file in self._files:
            tool = option if option != "auto" else self._choose(str(file.filename), names)
            target: Json = {}
            if tool is None:
                target = {}
                _add_part(file.message, {"type": "image_file", "image_file": target})
            else:
                target["tools"] = [{"type": tool}]
                file.message.setdefault("attachments", []).append(target)
            if file.new is None:
                target["file_id"] = file.file_id
            else:
                self._places.append(Place(target, file.new))

    def _choose(self, filename: str, tools: Sequence[str]) -> str | None:
        """The tool that gets a file; None for an image that only the model can look at."""
        possible = tools_for(filename)
        for tool in possible or ("code_interpreter", "file_search"):
            if tool in tools:
                return tool
        if media_type_of(filename) in VISION_TYPES:
            return None
        needed = " or ".join(possible or ("code_interpreter", "file_search"))
        raise ValueError(
            f"the agent has no tool that takes the file {filename!r}: it needs {needed}. Add it to "
            "the agent, give it in `tools` (such as {'type': '" + (possible or ("file_search",))[0]
            + "'}), or say where files go with attach_files"
        )  # fmt: skip

    # -- removing them -------------------------------------------------------------------------

    def mark(self, body: Json) -> None:
        """Note in the run's metadata which files are to be removed with its end."""
        metadata = dict(body.get("metadata") or {})
        ids = ",".join(self.uploaded)
        if ids and len(ids) <= 512 and len(metadata) < 16:
            body["metadata"] = {**metadata, EPHEMERAL_KEY: ids}

    def to_remove(self, run: Any) -> list[str]:
        """Files whose time is over when ``run`` has ended."""
        marked = as_text(as_object(as_object(run).get("metadata")).get(EPHEMERAL_KEY))
        return list(dict.fromkeys([*self.uploaded, *filter(None, marked.split(","))]))


def _checked(results: Sequence[Any]) -> Sequence[Any]:
    """The results, if none of them is an exception: the first of those is raised."""
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _add_part(message: Json, part: Json) -> None:
    content = message["content"]
    if isinstance(content, str):
        content = message["content"] = [{"type": "text", "text": content}]
    content.append(part)
