"""What the driver knows of one call: credentials, headers, deadline; building and reading HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx

from ..auth.resolve import TokenSource
from ..core.actions import Lost, Reply, Request
from .body import ACCEPTED
from .sse import EventParser

CONNECT_TIMEOUT = 15.0
FOREGROUND_SECONDS = 1.0
"""How long a call that ended early holds its caller while its run is cancelled."""
BACKGROUND_SECONDS = 15.0
"""How long cleaning up may go on in the background."""
DRAIN_SECONDS = 0.25
"""How long to wait for the end of a finished stream, so that its connection can be used again."""
MAX_ERROR_BYTES = 1 << 20
"""Largest body of an error that is read; a larger one says nothing that anybody could read."""


class Session:
    """Per-call state: credentials, headers, deadline, parser."""

    def __init__(
        self, token: TokenSource, headers: Mapping[str, str], deadline: float, max_bytes: int
    ) -> None:
        self.token = token
        self.headers = headers
        self.deadline = deadline
        self.max_bytes = max_bytes
        self.parser = EventParser(max_bytes)

    def remaining(self) -> float:
        """Seconds until the deadline, more than 0."""
        return max(self.deadline - time.monotonic(), 0.001)

    def expired(self) -> bool:
        """Whether the deadline has passed; a read's own timeout may end a moment before it."""
        return time.monotonic() >= self.deadline - 0.02

    def timeout(self) -> httpx.Timeout:
        """For httpx. A read may outlast the deadline, as far as cleaning up needs what it brings;
        the driver itself stops waiting at the deadline."""
        remaining = self.remaining()
        reading = remaining + FOREGROUND_SECONDS
        return httpx.Timeout(remaining, read=reading, connect=min(remaining, CONNECT_TIMEOUT))

    def build(self, client: Builder, request: Request, token: str) -> httpx.Request:
        """The httpx request; `close_upload` must be called for it at the end."""
        headers = {**self.headers, **request.headers, "Accept-Encoding": ACCEPTED}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        upload = request.upload
        if upload is not None:
            data = upload.data.open("rb") if isinstance(upload.data, Path) else upload.data
            return client.build_request(
                request.method,
                request.url,
                headers=headers,
                timeout=self.timeout(),
                data=dict(upload.fields),
                files={"file": (upload.filename, data, upload.media_type)},
                extensions={"azure_agents_file": data},
            )
        return client.build_request(
            request.method,
            request.url,
            json=request.body,
            headers=headers,
            timeout=self.timeout(),
        )

    def limit(self, request: Request, status: int) -> int:
        """How many bytes of the body are read."""
        if status >= 400:
            return MAX_ERROR_BYTES
        return self.max_bytes if request.max_bytes is None else request.max_bytes

    def lost(self, error: Exception) -> Lost:
        """What a failed exchange means: why, and whether the service may have acted on it."""
        unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if not isinstance(error, unsent):
            return Lost(reason, sent=True, timed_out=self.expired())
        url = error.request.url
        place = f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
        return Lost(f"{reason} ({place})", sent=False, timed_out=self.expired())


class Builder(Protocol):
    """The part of a client that builds requests."""

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request: ...


def reply_of(
    response: Any, content: bytes = b"", *, streaming: bool = False, too_large: bool = False
) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, content, streaming, too_large)


def close_upload(prepared: httpx.Request | None) -> None:
    """Close the file that `Session.build` opened for an upload."""
    file = prepared.extensions.get("azure_agents_file") if prepared is not None else None
    if file is not None and not isinstance(file, bytes):
        file.close()


def is_event_stream(response: Any) -> bool:
    kind: str = response.headers.get("content-type", "")
    return bool(response.is_success) and kind.lower().startswith("text/event-stream")
