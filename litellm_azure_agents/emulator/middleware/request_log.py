"""The log of all requests that the emulator received."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.context import context_of
from ..core.ids import new_id, now
from ..core.json_body import parse_json
from ..core.settings import KEPT_REQUESTS

KEPT_BODY_BYTES = 2 * 1024 * 1024
KEPT_ANSWER_BYTES = 16 * 1024  # of JSON answers; the events of streams are kept by their runs


@dataclass
class RequestRecord:
    """A received request. `status` is None until an answer begins (or if none ever did)."""

    id: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    received_at: int
    body: Any = None
    """Parsed JSON, or the text or length of anything else."""
    status: int | None = None
    seconds: float | None = None
    """Until the end of the answer; None while it goes on."""
    answer_type: str = ""
    answer_bytes: int = 0
    answer: bytearray = field(default_factory=bytearray, repr=False)
    """The beginning of a JSON answer."""
    raw: bytearray = field(default_factory=bytearray, repr=False)


class RequestLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=KEPT_REQUESTS)
        self.total = 0
        """Requests ever received; the newest one's number."""
        self.changes = 0
        """Grows with every request and every answer's beginning and end."""

    def add(self, record: RequestRecord) -> None:
        """Keep a request."""
        self._records.append(record)
        self.total += 1
        self.changes += 1

    def clear(self) -> None:
        """Forget all."""
        self._records.clear()
        self.changes += 1

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> RequestRecord:
        return tuple(self._records)[index]


class RequestLogMiddleware:
    """Records requests and gives every answer an `x-request-id`."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if "authorization" in headers:
            headers["authorization"] = headers["authorization"].split(" ")[0] + " ***"
        record = RequestRecord(
            id=new_id("req_"),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            received_at=now(),
        )
        self.log.add(record)
        context_of(scope).request_id = record.id

        async def keep_body() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                record.raw += message.get("body", b"")[: KEPT_BODY_BYTES - len(record.raw)]
                if not message.get("more_body"):
                    record.body = _readable(bytes(record.raw), headers.get("content-type", ""))
                    record.raw.clear()
            return message

        async def keep_answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                given = message.get("headers", [])
                message["headers"] = [*given, (b"x-request-id", record.id.encode())]
                record.answer_type = dict(given).get(b"content-type", b"").decode("latin-1")
                self.log.changes += 1
            else:
                body = message.get("body", b"")
                record.answer_bytes += len(body)
                if record.answer_type == "application/json":
                    record.answer += body[: KEPT_ANSWER_BYTES - len(record.answer)]
            await send(message)

        began = time.monotonic()
        try:
            await self.app(scope, keep_body, keep_answer)
        finally:
            record.seconds = time.monotonic() - began
            self.log.changes += 1


def _readable(body: bytes, content_type: str) -> Any:
    if not body:
        return None
    if content_type.startswith("multipart/"):
        return f"<{len(body)} bytes of {content_type.split(';')[0]}>"
    try:
        return parse_json(body)
    except ValueError:
        return body.decode("utf-8", "replace")
