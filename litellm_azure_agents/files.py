"""Files of a Foundry project: those that agents made, and those that agents read.

>>> from litellm_azure_agents import files
>>> png = files.content(file_id, api_base="https://…")  # doctest: +SKIP

Each function has an async twin with an ``a`` before its name. All take the arguments that say to
completions which project to use (``api_base``, ``api_key``, ``credential`` …, see `connect`), and
raise LiteLLM's exceptions. (LiteLLM's own ``litellm.file_content`` has no support for Foundry.)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Literal

from .content.file_service import FileService
from .core import errors
from .core.actions import Actions, Job, Request, Send
from .core.call import checked_id
from .core.exchange import object_in, read, read_page, succeed
from .core.media import check_size, media_type_of
from .drivers.connection import Connection, Requests
from .host.connection import connect

__all__ = [
    "acontent", "adelete", "ainfo", "alist", "aupload",
    "content", "delete", "info", "list", "upload",
]  # fmt: skip

Source = str | os.PathLike[str] | bytes | BinaryIO
"""A path, bytes, or a file opened for reading bytes."""


def content(file_id: str, *, container_id: str | None = None, **connection: Any) -> bytes:
    """The bytes of a file. Files of new agents' code interpreter live in a container: give its
    ``container_id`` and ``protocol="responses"``."""
    at = connect(**connection)
    return bytes(at.perform(_content(at, file_id, container_id)))


async def acontent(file_id: str, *, container_id: str | None = None, **connection: Any) -> bytes:
    """As `content`."""
    at = connect(**connection)
    return bytes(await at.aperform(_content(at, file_id, container_id)))


def info(file_id: str, **connection: Any) -> dict[str, Any]:
    """What the service knows of a file: ``id``, ``filename``, ``bytes``, ``purpose`` …"""
    at = connect(**connection)
    return dict(at.perform(_info(at, file_id)))


async def ainfo(file_id: str, **connection: Any) -> dict[str, Any]:
    """As `info`."""
    at = connect(**connection)
    return dict(await at.aperform(_info(at, file_id)))


def upload(
    file: Source,
    *,
    purpose: Literal["assistants", "vision"] = "assistants",
    filename: str | None = None,
    **connection: Any,
) -> dict[str, Any]:
    """Upload a file and wait until it is ready; bytes need a ``filename``."""
    at = connect(**connection)
    return dict(at.perform(_upload(at, file, purpose, filename)))


async def aupload(
    file: Source,
    *,
    purpose: Literal["assistants", "vision"] = "assistants",
    filename: str | None = None,
    **connection: Any,
) -> dict[str, Any]:
    """As `upload`."""
    at = connect(**connection)
    return dict(await at.aperform(_upload(at, file, purpose, filename)))


def delete(file_id: str, **connection: Any) -> bool:
    """Delete a file. Returns whether the service says that it is deleted."""
    at = connect(**connection)
    return bool(at.perform(_delete(at, file_id)))


async def adelete(file_id: str, **connection: Any) -> bool:
    """As `delete`."""
    at = connect(**connection)
    return bool(await at.aperform(_delete(at, file_id)))


def list(*, purpose: str | None = None, **connection: Any) -> Any:
    """The project's files (as `info`), of one purpose if given."""
    at = connect(**connection)
    return at.perform(_list(at, purpose))


async def alist(*, purpose: str | None = None, **connection: Any) -> Any:
    """As `list`."""
    at = connect(**connection)
    return await at.aperform(_list(at, purpose))


# -- jobs --------------------------------------------------------------------------------------


def _content(at: Connection, file_id: str, container_id: str | None) -> Job:
    def run() -> Actions[bytes]:
        reply = yield from FileService(at.call).content(file, container)
        return reply.content

    file = checked_id(at.call.context, file_id, "file_id")
    container = (
        None if container_id is None else checked_id(at.call.context, container_id, "container_id")
    )
    return Requests(run())


def _info(at: Connection, file_id: str) -> Job:
    url = FileService(at.call).url(checked_id(at.call.context, file_id, "file_id"))
    return Requests(read(at.call, url, doing=f"look up the file {file_id}"))


def _delete(at: Connection, file_id: str) -> Job:
    def run() -> Actions[bool]:
        doing = f"delete the file {file_id}"
        reply = yield from succeed(at.call, action, doing=doing, repeatable=True)
        if not reply.content.strip():
            return True
        return bool(object_in(at.call, reply, doing=doing, having=()).get("deleted", True))

    url = FileService(at.call).url(checked_id(at.call.context, file_id, "file_id"))
    action = Send(Request("DELETE", url))
    return Requests(run())


def _list(at: Connection, purpose: str | None) -> Job:
    def run() -> Actions[Any]:
        page = yield from read_page(at.call, url, doing="list the files")
        return page.items

    url = FileService(at.call).url(**({"purpose": purpose} if purpose else {}))
    return Requests(run())


def _upload(at: Connection, file: Source, purpose: str, filename: str | None) -> Job:
    try:
        name, data = read_source(file, filename)
    except ValueError as error:
        raise errors.bad_request(at.call.context, str(error), param="file") from None
    service = FileService(at.call)
    return Requests(service.upload(name, data, media_type_of(name), purpose=purpose))


def read_source(file: Source, filename: str | None) -> tuple[str, bytes | Path]:
    """(name, bytes or path) of a file to upload. Raises ValueError if it can't be uploaded."""
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        if not path.is_file():
            raise ValueError(f"there is no file {str(path)!r}")
        name = _sendable_name(filename or path.name)
        check_size(name, path.stat().st_size)
        if not path.stat().st_size:
            raise ValueError(f"the file {name!r} is empty")
        return name, path
    data = file if isinstance(file, bytes) else file.read()
    name = filename or Path(str(getattr(file, "name", ""))).name
    if not name:
        raise ValueError("bytes need a filename: by its extension tools know what a file is")
    name = _sendable_name(name)
    check_size(name, len(data))
    if not data:
        raise ValueError(f"the file {name!r} is empty")
    return name, data


def _sendable_name(name: str) -> str:
    """``name``, if it can be sent. Raises ValueError otherwise."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the file name {name!r} has half characters, which can't be sent; give another one as "
            "filename"
        ) from None
    return name
