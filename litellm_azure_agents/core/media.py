"""File types: which tool of an agent takes which, and how to recognise them. No I/O."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

MAX_FILE_BYTES = 512 * 1024 * 1024
"""The service's limit on a file (protocols A7)."""
MAX_VISION_BYTES = 20 * 1024 * 1024
"""OpenAI's limit on an image for a model; the service documents none."""

_TEXT = "text/plain"
FILE_TYPES: dict[str, str] = {
    "c": _TEXT, "cpp": _TEXT, "cs": _TEXT, "css": "text/css", "csv": "text/csv",
    "doc": "application/msword", "gif": "image/gif", "go": _TEXT, "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "java": _TEXT, "jpeg": "image/jpeg", "jpg": "image/jpeg", "js": "text/javascript",
    "json": "application/json", "md": "text/markdown", "pdf": "application/pdf", "php": _TEXT,
    "png": "image/png", "py": "text/x-python", "rb": _TEXT, "sh": _TEXT, "tar": "application/x-tar",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "tex": "text/x-tex", "ts": _TEXT, "txt": _TEXT, "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml", "zip": "application/zip",
}  # fmt: skip
"""Extensions that agents' tools take, with the media type sent for each."""
_ONLY_CODE = frozenset(["csv", "gif", "jpeg", "jpg", "png", "tar", "webp", "xlsx", "xml", "zip"])
"""Extensions that file search doesn't take; code interpreter takes all of `FILE_TYPES`."""
VISION_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MORE_TYPES = {
    "application/x-zip-compressed": "zip", "text/xml": "xml", "text/x-markdown": "md",
    "application/javascript": "js", "text/x-c": "c", "text/x-c++": "cpp", "text/x-csharp": "cs",
    "text/x-java": "java", "text/x-golang": "go", "text/x-php": "php", "text/x-ruby": "rb",
    "application/x-sh": "sh", "application/typescript": "ts", "application/x-python-code": "py",
    "application/csv": "csv",
}  # fmt: skip
_EXTENSIONS = {media: extension for extension, media in FILE_TYPES.items() if media != _TEXT}
_EXTENSIONS |= {_TEXT: "txt", "image/jpeg": "jpg", **_MORE_TYPES}
_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.I)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose bytes are in a message."""

    data: bytes
    filename: str
    media_type: str
    purpose: str

    @property
    def digest(self) -> str:
        """Equal for files with the same bytes, name and purpose."""
        return f"{self.purpose}:{self.filename}:{hashlib.sha256(self.data).hexdigest()}"


def extension(filename: str) -> str:
    """The lower-case extension without its dot, or ""."""
    return filename.rpartition(".")[2].lower() if "." in filename else ""


def media_type_of(filename: str) -> str:
    """The media type for a file name's extension."""
    known = FILE_TYPES.get(extension(filename))
    return known or mimetypes.guess_type(filename)[0] or "application/octet-stream"


def is_picture(filename: str | None) -> bool:
    """Whether a file name is that of an image."""
    return bool(filename) and media_type_of(str(filename)).startswith("image/")


def tools_for(filename: str) -> tuple[str, ...]:
    """The tools that can take a file of this name, the better one first; none for unknown types."""
    kind = extension(filename)
    if kind not in FILE_TYPES:
        return ()
    return ("code_interpreter",) if kind in _ONLY_CODE else ("file_search", "code_interpreter")


def parse_data_url(url: str) -> tuple[str, bytes]:
    """(media type, bytes) of a data URL. Raises ValueError if it is none."""
    head = _DATA_URL.match(url)
    if head is None:
        raise ValueError(f"not a data URL: {url[:40]!r}")
    media_type = head[1].strip().lower() or _TEXT
    body = url[head.end() :]
    if ";base64" in head[2].lower():
        return media_type, decode_base64(body)
    return media_type, unquote_to_bytes(body)


def decode_base64(text: str) -> bytes:
    """The bytes of base64 text, which may have white space. Raises ValueError if it is none."""
    if len(text) * 3 // 4 > MAX_FILE_BYTES + 3:
        raise ValueError(f"a file has more than the service's limit of {_mb(MAX_FILE_BYTES)}")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the data of a file or image is not valid base64") from None


def parse_image(url: str) -> NewFile:
    """The image in a data URL, for a model. Raises ValueError if a model can't take it."""
    media_type, data = parse_data_url(url)
    if media_type == "image/jpg":  # common, though not a registered name
        media_type = "image/jpeg"
    if media_type not in VISION_TYPES:
        raise ValueError(
            f"an image of type {media_type!r} can't be looked at; use PNG, JPEG, GIF or WebP"
        )
    if not data:
        raise ValueError("an image_url has no data")
    if len(data) > MAX_VISION_BYTES:
        raise ValueError(f"an image has {_mb(len(data))}; the most is {_mb(MAX_VISION_BYTES)}")
    suffix = _EXTENSIONS[media_type]
    name = f"image-{hashlib.sha256(data).hexdigest()[:12]}.{suffix}"
    return NewFile(data, name, media_type, "vision")


def parse_file(file: Mapping[str, Any]) -> NewFile | str:
    """A ``file`` part's content: a new file, or the id of one that the service has.

    Raises ValueError for a file that no tool of an agent can take.
    """
    file_id, data, name = file.get("file_id"), file.get("file_data"), file.get("filename")
    for value in (file_id, data, file.get("file_url")):
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            raise ValueError(
                "a file is given by its data or its id: remote files are not fetched for you"
            )
    if file_id:
        if data:
            raise ValueError("a file part has a file_id or file_data, not both")
        return str(file_id)
    if not isinstance(data, str) or not data:
        raise ValueError("a file part needs file_data (a data URL or base64) or a file_id")
    media_type = str(file.get("format") or "").lower()
    if data.startswith("data:"):
        given, content = parse_data_url(data)
        media_type = media_type or given
    else:
        content = decode_base64(data)
    filename = str(name).replace("\\", "/").rpartition("/")[2] if name else ""
    if extension(filename) not in FILE_TYPES:
        known = _EXTENSIONS.get(media_type)
        if known is None:
            what = f"{filename!r}" if filename else f"of type {media_type or 'unknown'!r}"
            raise ValueError(
                f"a file {what} can't be given to an agent; known types: "
                + ", ".join(sorted(FILE_TYPES))
            )
        filename = f"{filename or 'file'}.{known}"
    if not content:
        raise ValueError(f"the file {filename!r} is empty")
    check_size(filename, len(content))
    return NewFile(content, filename, media_type_of(filename), "assistants")


def check_size(filename: str, size: int) -> None:
    """Raise ValueError for a file above the service's limit."""
    if size > MAX_FILE_BYTES:
        raise ValueError(
            f"the file {filename!r} has {_mb(size)}; the service's limit is {_mb(MAX_FILE_BYTES)}"
        )


def image_type(data: bytes) -> str | None:
    """The media type of an image by its first bytes, None if it is no image that is known.

    The service sends all files as octet-stream.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.lstrip()[:5] in (b"<?xml", b"<svg ") and b"<svg" in data[:1000]:
        return "image/svg+xml"
    return None


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.4g} MB"
