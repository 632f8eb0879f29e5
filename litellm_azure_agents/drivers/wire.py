"""What both drivers share: building httpx requests, reading responses, describing failures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from ..auth.resolve import TokenSource
from ..core.actions import Lost, Reply, Request
from .sse import EventParser

CONNECT_TIMEOUT = 15.0
CLEANUP_SECONDS = 5.0
"""How long a call that ended early may take to cancel its run."""
DRAIN_SECONDS = 0.25
"""How long to wait for the end of a finished stream, so that its connection can be used again."""


class Session:
    """Per-call state: credentials, headers, deadline, parser."""

    def __init__(self, token: TokenSource, headers: Mapping[str, str], deadline: float) -> None:
        self.token = token
        self.headers = headers
        self.deadline = deadline
        self.parser = EventParser()

    def remaining(self) -> float:
        """Seconds until the deadline, more than 0."""
        return max(self.deadline - time.monotonic(), 0.001)

    def expired(self) -> bool:
        """Whether the deadline has passed; a read's own timeout may end a moment before it."""
        return time.monotonic() >= self.deadline - 0.02

    def timeout(self) -> httpx.Timeout:
        remaining = self.remaining()
        return httpx.Timeout(remaining, connect=min(remaining, CONNECT_TIMEOUT))

    def build(self, client: httpx.Client | httpx.AsyncClient, request: Request, token: str) -> Any:
        """The httpx request; `close_upload` must be called for it at the end."""
        headers = {**self.headers, **request.headers}
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

    def lost(self, error: Exception) -> Lost:
        """What a failed exchange means: why, and whether the service may have acted on it."""
        unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if not isinstance(error, unsent):
            return Lost(reason, sent=True, timed_out=self.expired())
        url = error.request.url
        place = f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
        return Lost(f"{reason} ({place})", sent=False, timed_out=self.expired())


def reply_of(response: httpx.Response, content: bytes = b"", *, streaming: bool = False) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, content, streaming)


def close_upload(prepared: httpx.Request | None) -> None:
    """Close the file that `Session.build` opened for an upload."""
    file = prepared.extensions.get("azure_agents_file") if prepared is not None else None
    if file is not None and not isinstance(file, bytes):
        file.close()


def exceeds(response: httpx.Response, limit: int | None) -> bool:
    """Whether the headers say that the body is larger than ``limit``."""
    length: str = response.headers.get("content-length", "")
    return limit is not None and length.isdecimal() and int(length) > limit


def is_event_stream(response: httpx.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return response.is_success and kind.lower().startswith("text/event-stream")
