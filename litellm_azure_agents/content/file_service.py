"""Files of the service, as generators that both protocols share: upload, name, content, removal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..answer.answer import Answer
from ..core import errors
from ..core.actions import Exchange, Gather, Lookup, Lost, Reply, Request, Send, Steps, Upload, Wait
from ..core.call import Call
from ..core.endpoint import Endpoint
from ..core.exchange import ask, fetch, read
from ..core.json_values import as_int, as_objects, as_text
from ..core.media import NewFile, image_type, is_picture
from ..core.retry import backoff, is_retryable, poll_intervals

NAME_TTL = 3600.0
_UNREADY = frozenset({"uploaded", "pending", "running"})
READY_SECONDS = 60.0
"""How long an uploaded file may take to be ready (the official SDK waits in the same states)."""


class FileService:
    """Requests for files; ``endpoint`` is where the protocol has them, if not with the agents."""

    def __init__(self, call: Call, endpoint: Endpoint | None = None) -> None:
        self._call = call
        self._endpoint = endpoint or call.endpoint

    def url(self, *segments: str, **query: str) -> str:
        return self._endpoint.url("files", *segments, query=list(query.items()))

    def _file_url(self, file_id: str, container_id: str | None, *segments: str) -> str:
        if container_id is None:
            return self.url(file_id, *segments)
        return self._endpoint.url("containers", container_id, "files", file_id, *segments)

    def content_url(self, file_id: str, container_id: str | None = None) -> str:
        """Where the bytes are; files of new agents' code interpreter are in its container."""
        return self._file_url(file_id, container_id, "content")

    def info(self, file_id: str) -> Any:
        """The file as the service describes it; raises LiteLLM's exceptions."""
        action = Lookup(self.url(file_id), Request("GET", self.url(file_id)), NAME_TTL)
        doing = f"look up the file {file_id}"
        return (yield from ask(self._call, action, doing=doing, repeatable=True))

    def content(self, file_id: str, container_id: str | None = None) -> Exchange:
        """The file's bytes, as the content of the Reply."""
        doing = f"read the file {file_id}"
        url = self.content_url(file_id, container_id)
        return (yield from fetch(self._call, url, doing=doing))

    def upload(
        self,
        filename: str,
        data: bytes | Path,
        media_type: str,
        *,
        purpose: str,
        key: str | None = None,
        fresh: bool = False,
    ) -> Any:
        """The uploaded file. With a ``key`` it is uploaded once per process, however many ask at
        the same time, and again if ``fresh``."""
        upload = Upload({"purpose": purpose}, filename, data, media_type)
        sending = Request("POST", self.url(), upload=upload)
        action: Send | Lookup = Send(sending)
        if key is not None:
            action = Lookup(f"{self.url()} {key}", sending, 0.0 if fresh else float("inf"))
        doing = f"upload the file {filename!r}"
        # Sent again after a lost answer: at worst a file lies there twice.
        file = yield from ask(self._call, action, doing=doing, repeatable=True)
        return (yield from self._ready(file))

    def _ready(self, file: dict[str, Any]) -> Any:
        call, next_interval = self._call, poll_intervals(None)
        until = call.clock() + min(READY_SECONDS, call.remaining())
        while as_text(file.get("status")) in _UNREADY and call.clock() < until:
            yield Wait(next_interval())
            url = self.url(file["id"])
            file = yield from read(call, url, doing="see whether the file is ready")
        if file.get("status") == "error":
            raise errors.bad_request(
                call.context,
                f"the service can't use the file {file.get('filename')!r}: "
                f"{file.get('status_details') or 'no reason given'}",
            )
        return file

    def upload_new(self, new: NewFile, *, shared: bool, fresh: bool = False) -> Any:
        """The id of a file that a message brought."""
        key = new.digest if shared else None
        file = yield from self.upload(
            new.filename, new.data, new.media_type, purpose=new.purpose, key=key, fresh=fresh
        )
        return str(file["id"])

    def delete(self, file_ids: Iterable[str]) -> Steps:
        """Best effort, side by side."""
        jobs = [self._try(Send(Request("DELETE", self.url(id)))) for id in file_ids]
        if jobs:
            yield Gather(jobs)

    # -- what an answer needs ------------------------------------------------------------------

    def fulfil(self, answer: Answer, *, max_image_bytes: int) -> Steps:
        """Ask for the names and images that the answer lacks; whatever fails, it goes on."""
        needs = answer.needs
        names = sorted(needs.names.items())
        jobs = [self._name(*file) for file in names]
        jobs += [self._image(*file, max_image_bytes) for file in needs.images.items()]
        if not jobs:
            return
        results = yield Gather(jobs)
        for (id, _), name in zip(names, results, strict=False):
            answer.name_file(id, name if isinstance(name, str) else None)
        for id, image in zip(needs.images, results[len(names) :], strict=True):
            if isinstance(image, tuple):
                answer.artifacts.inline_image(id, *image)
            else:
                why = image if isinstance(image, str) else "it could not be read"
                answer.artifacts.image_reference(id, f"not given inline: {why}")

    def pictures_in(self, container_id: str, since: int) -> Any:
        """(file id, name) of the images that code has made in a container from ``since`` on, in
        seconds of the service's clock; none if it doesn't say."""
        query = [("order", "asc"), ("limit", "100")]
        url = self._endpoint.url("containers", container_id, "files", query=query)
        result = yield from self._try(Send(Request("GET", url)))
        page = result.object() if isinstance(result, Reply) and result.ok else None
        return [
            (file["id"], name)
            for file in as_objects((page or {}).get("data"))
            if as_text(file.get("id"))
            and file.get("source") != "user"
            and as_int(file.get("created_at")) >= since
            and is_picture(name := as_text(file.get("path")).rpartition("/")[2])
        ]

    def _name(self, file_id: str, container_id: str | None) -> Any:
        url = self._file_url(file_id, container_id)
        result = yield from self._try(Lookup(url, Request("GET", url), NAME_TTL))
        file = result.object() if isinstance(result, Reply) and result.ok else None
        if file is None:
            return None
        return file.get("filename") or str(file.get("path") or "").rpartition("/")[2] or None

    def _image(self, file_id: str, container_id: str | None, limit: int) -> Any:
        """(media type, bytes), or why not."""
        url = self.content_url(file_id, container_id)
        result = yield from self._try(Send(Request("GET", url, max_bytes=limit)))
        if not isinstance(result, Reply):
            return "the service gave no answer"
        if not result.ok:
            return f"the service answered with status {result.status}"
        if result.too_large:
            return f"it is larger than max_image_bytes ({limit} bytes)"
        kind = image_type(result.content)
        return (kind, result.content) if kind else "it is not an image of a known type"

    def _try(self, action: Send | Lookup) -> Any:
        """The result of ``action``, tried twice at most: nothing that an answer depends on."""
        result: Reply | Lost = yield action
        failed = is_retryable(result) if isinstance(result, Reply) else not result.timed_out
        if failed and self._call.remaining() > 1:
            yield Wait(backoff(0, self._call.random))
            result = yield action
        return result
