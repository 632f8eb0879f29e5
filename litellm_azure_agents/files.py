"""Files of a Foundry project: what agents made, and what they are to read.

>>> from litellm_azure_agents import files
>>> png = files.content(file_id, api_base="https://…")  # doctest: +SKIP

Each function has an async twin with an ``a`` before its name. All take the arguments by which
completions find and enter the project (``api_base``, ``api_key``, ``credential`` …, see `connect`),
and raise LiteLLM's exceptions. (LiteLLM's own ``litellm.file_content`` knows nothing of Foundry.)
"""

from __future__ import annotations

import abc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from .content.file_service import FileService
from .core import errors
from .core.actions import Action, Request, Send, Steps
from .core.endpoint import check_id
from .core.exchange import object_in, read, read_page, succeed
from .core.media import check_size, media_type_of
from .drivers.connection import Connection
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
    return bytes(at.perform(_Content(at, file_id, container_id)))


async def acontent(file_id: str, *, container_id: str | None = None, **connection: Any) -> bytes:
    """As `content`."""
    at = connect(**connection)
    return bytes(await at.aperform(_Content(at, file_id, container_id)))


def info(file_id: str, **connection: Any) -> dict[str, Any]:
    """What the service knows of a file: ``id``, ``filename``, ``bytes``, ``purpose`` …"""
    at = connect(**connection)
    return dict(at.perform(_Info(at, file_id)))


async def ainfo(file_id: str, **connection: Any) -> dict[str, Any]:
    """As `info`."""
    at = connect(**connection)
    return dict(await at.aperform(_Info(at, file_id)))


def upload(
    file: Source,
    *,
    purpose: Literal["assistants", "vision"] = "assistants",
    filename: str | None = None,
    **connection: Any,
) -> dict[str, Any]:
    """Upload a file and wait until it is ready; bytes need a ``filename``."""
    at = connect(**connection)
    return dict(at.perform(_Upload(at, file, purpose, filename)))


async def aupload(
    file: Source,
    *,
    purpose: Literal["assistants", "vision"] = "assistants",
    filename: str | None = None,
    **connection: Any,
) -> dict[str, Any]:
    """As `upload`."""
    at = connect(**connection)
    return dict(await at.aperform(_Upload(at, file, purpose, filename)))


def delete(file_id: str, **connection: Any) -> bool:
    """Delete a file; whether the service says that it did."""
    at = connect(**connection)
    return bool(at.perform(_Delete(at, file_id)))


async def adelete(file_id: str, **connection: Any) -> bool:
    """As `delete`."""
    at = connect(**connection)
    return bool(await at.aperform(_Delete(at, file_id)))


def list(*, purpose: str | None = None, **connection: Any) -> Any:
    """The project's files (as `info`), of one purpose if given."""
    at = connect(**connection)
    return at.perform(_List(at, purpose))


async def alist(*, purpose: str | None = None, **connection: Any) -> Any:
    """As `list`."""
    at = connect(**connection)
    return await at.aperform(_List(at, purpose))


# -- jobs --------------------------------------------------------------------------------------


class _FileJob(abc.ABC):
    """One request for one file; nothing is owed when it ends early."""

    def __init__(self, at: Connection, file_id: str) -> None:
        self.call = at.call
        self.service = FileService(at.call)
        try:
            self.file_id = check_id(file_id, "file_id")
        except ValueError as error:
            raise errors.bad_request(at.call.context, str(error), param="file_id") from None

    @abc.abstractmethod
    def run(self) -> Generator[Action, Any, Any]:
        """The request, and its answer as the value."""

    def abandon(self) -> Steps:
        yield from ()


class _Content(_FileJob):
    def __init__(self, at: Connection, file_id: str, container_id: str | None) -> None:
        super().__init__(at, file_id)
        try:
            self.container = (
                None if container_id is None else check_id(container_id, "container_id")
            )
        except ValueError as error:
            raise errors.bad_request(at.call.context, str(error), param="container_id") from None

    def run(self) -> Generator[Action, Any, Any]:
        reply = yield from self.service.content(self.file_id, self.container)
        return reply.content


class _Info(_FileJob):
    def run(self) -> Generator[Action, Any, Any]:
        url = self.service.url(self.file_id)
        return (yield from read(self.call, url, doing=f"look up the file {self.file_id}"))


class _Delete(_FileJob):
    def run(self) -> Generator[Action, Any, Any]:
        doing = f"delete the file {self.file_id}"
        action = Send(Request("DELETE", self.service.url(self.file_id)))
        reply = yield from succeed(self.call, action, doing=doing, repeatable=True)
        if not reply.content.strip():
            return True
        return object_in(self.call, reply, doing=doing, having=()).get("deleted", True)


class _List(_FileJob):
    def __init__(self, at: Connection, purpose: str | None) -> None:
        super().__init__(at, "all")
        self.purpose = purpose

    def run(self) -> Generator[Action, Any, Any]:
        query = {"purpose": self.purpose} if self.purpose else {}
        page = yield from read_page(self.call, self.service.url(**query), doing="list the files")
        return page.items


class _Upload(_FileJob):
    def __init__(self, at: Connection, file: Source, purpose: str, filename: str | None) -> None:
        super().__init__(at, "new")
        self.purpose = purpose
        try:
            self.name, self.data = read_source(file, filename)
        except ValueError as error:
            raise errors.bad_request(at.call.context, str(error), param="file") from None

    def run(self) -> Generator[Action, Any, Any]:
        media_type = media_type_of(self.name)
        return (
            yield from self.service.upload(self.name, self.data, media_type, purpose=self.purpose)
        )


def read_source(file: Source, filename: str | None) -> tuple[str, bytes | Path]:
    """(name, bytes or path) of what is to be uploaded; ValueError if it can't be."""
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        if not path.is_file():
            raise ValueError(f"there is no file {str(path)!r}")
        name = filename or path.name
        check_size(name, path.stat().st_size)
        if not path.stat().st_size:
            raise ValueError(f"the file {name!r} is empty")
        return name, path
    data = file if isinstance(file, bytes) else file.read()
    name = filename or Path(str(getattr(file, "name", ""))).name
    if not name:
        raise ValueError("bytes need a filename: by its extension tools know what a file is")
    check_size(name, len(data))
    if not data:
        raise ValueError(f"the file {name!r} is empty")
    return name, data
