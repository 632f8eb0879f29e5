"""Reads the body of a response: the whole of it up to a limit, or what has arrived of a stream."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Protocol

import httpx

ACCEPTED = "gzip, deflate"
"""The Accept-Encoding that is sent: what can be decompressed piece by piece, within bounds."""
_PIECE = 1 << 20
ARRIVALS = "azure_agents_arrivals"
"""The extension of a response under which our own transport puts an `Arrivals`."""
MAX_PIECES = 64
"""How many pieces of a body are read together at most; only those that are there already."""
LOOKS = 3
"""Rounds of the event loop after which a piece counts as not there: a read that has to ask the
socket takes two."""


class Response(Protocol):
    """The part of httpx.Response that is used."""

    headers: httpx.Headers
    extensions: Mapping[str, Any]

    @property
    def is_stream_consumed(self) -> bool: ...
    @property
    def content(self) -> bytes: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...


async def decoded(response: Response) -> AsyncIterator[bytes]:
    """The body, decompressed, in pieces of 1 MiB at most per step.

    Raises httpx.DecodingError for a body that is not what its header says.
    """
    if response.is_stream_consumed:
        yield response.content
        return
    if not _is_compressed(response):
        async for chunk in response.aiter_raw():
            yield chunk
        return
    decompress = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
    async for chunk in response.aiter_raw():
        for piece in _pieces(decompress, chunk):
            yield piece


def _is_compressed(response: Response) -> bool:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    return encoding in ("gzip", "x-gzip", "deflate")


def _pieces(decompress: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    while chunk:
        try:
            piece = decompress.decompress(chunk, _PIECE)
        except zlib.error as error:
            raise httpx.DecodingError(f"the compressed body is damaged: {error}") from None
        if piece:
            yield piece
        chunk = decompress.unconsumed_tail


async def read_limited(response: Response, limit: int) -> tuple[bytes, bool]:
    """The first ``limit`` bytes of the body, and whether there is more."""
    content = bytearray()
    length = response.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > limit:
        return b"", True
    async for piece in decoded(response):
        content += piece
        if len(content) > limit:
            return bytes(content[:limit]), True
    return bytes(content), False


# -- streams -----------------------------------------------------------------------------------


class Arrivals(Protocol):
    """A body that is read as it arrives."""

    async def read(self, seconds: float) -> bytes | None:
        """All bytes that have arrived, of one or more HTTP chunks.

        Waits for the first of them for ``seconds``; b"" if none came in that time, None at the end
        of the body. Raises httpx's errors. To read on is possible after a wait that was in vain,
        and after a cancelled one.
        """
        ...

    async def stop(self) -> None:
        """End a wait that goes on. The response is closed by others."""
        ...


def arrivals_of(response: Response) -> Arrivals:
    """How the body of ``response`` is read as it arrives."""
    direct: Arrivals | None = response.extensions.get(ARRIVALS)
    if direct is not None and not _is_compressed(response):
        return direct
    return ReadAhead(decoded(response))


class ReadAhead:
    """An `Arrivals` for any client: httpx gives every HTTP chunk for itself, so the next one is
    asked for at once, to see whether it is there.

    A read is a task that goes on when nobody waits for it: to cancel it would break the connection.
    """

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._ahead: asyncio.Future[bytes | None] | None = None

    async def read(self, seconds: float) -> bytes | None:
        """See `Arrivals`."""
        ahead = self._ahead or self._ask()
        if not ahead.done():
            await asyncio.wait({ahead}, timeout=seconds)
        if not ahead.done():
            return b""
        self._ahead = None
        first = ahead.result()
        return None if first is None else await self._with_what_is_there(first)

    def _ask(self) -> asyncio.Future[bytes | None]:
        self._ahead = ahead = asyncio.ensure_future(anext(self._pieces, None))
        return ahead

    async def _with_what_is_there(self, first: bytes) -> bytes:
        pieces = [first]
        while len(pieces) < MAX_PIECES:
            ahead = self._ask()
            for _ in range(LOOKS):
                await asyncio.sleep(0)
                if ahead.done():
                    break
            if not ahead.done() or ahead.exception() is not None or ahead.result() is None:
                break  # the next read waits for it, raises it, or takes it for the end
            pieces.append(ahead.result() or b"")
            self._ahead = None
        return b"".join(pieces)

    async def stop(self) -> None:
        """See `Arrivals`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # seen: asyncio would report it otherwise
