"""An application's ``httpx.Client`` behind the interface of an ``httpx.AsyncClient``.

``litellm.client_session`` is a sync client. Its requests run in worker threads. Closing a response
shuts its socket down, so that a thread that reads from it returns at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx


class SyncClient:
    """The part of httpx.AsyncClient that the driver uses."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        return self._client.build_request(*args, **kwargs)

    async def send(self, request: httpx.Request, **kwargs: Any) -> SyncResponse:
        response = await asyncio.to_thread(self._client.send, request, **kwargs)
        return SyncResponse(response)


class SyncResponse:
    """The part of an async httpx.Response that the driver uses."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status_code = response.status_code
        self.headers = response.headers
        self.is_success = response.is_success
        self.extensions = response.extensions
        self.is_stream_consumed = response.is_stream_consumed

    @property
    def content(self) -> bytes:
        return self._response.content

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        chunks = self._response.iter_raw()
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk

    async def aclose(self) -> None:
        stream = self.extensions.get("network_stream")
        raw = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(raw, socket.socket) and not self._response.is_closed:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(raw, socket.SHUT_RDWR)
        await asyncio.to_thread(self._response.close)
