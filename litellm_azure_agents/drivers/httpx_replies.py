"""Replies and event streams as httpx.Response objects, from which LiteLLM reads answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import httpx

from ..core import errors
from ..core.actions import Reply, ServerEvent
from .aio import Playing

_OF_THE_ENCODED_BODY = ("content-encoding", "content-length", "transfer-encoding")


def response_of(reply: Reply, url: str, **content: Any) -> httpx.Response:
    """``reply`` as a response; ``content`` is its ``content=`` or its ``stream=``."""
    headers = {n: v for n, v in reply.headers.items() if n not in _OF_THE_ENCODED_BODY}
    request = httpx.Request("POST", url)
    return httpx.Response(reply.status, headers=headers, request=request, **content)


class EventBody(httpx.SyncByteStream):
    """A body made of batches of events; failures are raised as LiteLLM's exceptions."""

    def __init__(
        self, context: errors.Context, batches: Generator[list[ServerEvent], None, None]
    ) -> None:
        self._context = context
        self._batches = batches

    def __iter__(self) -> Iterator[bytes]:
        with errors.translating(self._context):
            for batch in self._batches:
                yield _encoded(batch)

    def close(self) -> None:
        self._batches.close()


class AsyncEventBody(httpx.AsyncByteStream):
    """As `EventBody`."""

    def __init__(self, context: errors.Context, batches: Playing[ServerEvent]) -> None:
        self._context = context
        self._batches = batches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with errors.translating(self._context):
            async for batch in self._batches:
                yield _encoded(batch)

    async def aclose(self) -> None:
        await self._batches.aclose()


def _encoded(batch: list[ServerEvent]) -> bytes:
    """The bytes of the events, as an event stream has them."""
    lines = []
    for event in batch:
        lines.append(f"event: {event.name}\n")
        lines += [f"data: {line}\n" for line in event.data.split("\n")]
        lines.append("\n")
    return "".join(lines).encode()
