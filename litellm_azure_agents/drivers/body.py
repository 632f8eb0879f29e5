"""Reads the body of a response with a limit on what it becomes after decompression."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

import httpx

ACCEPTED = "gzip, deflate"
"""The Accept-Encoding that is sent: what can be decompressed piece by piece, within bounds."""
_PIECE = 1 << 20


class Response(Protocol):
    """The part of httpx.Response that is used."""

    headers: httpx.Headers

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
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("gzip", "x-gzip", "deflate"):
        async for chunk in response.aiter_raw():
            yield chunk
        return
    decompress = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
    async for chunk in response.aiter_raw():
        for piece in _pieces(decompress, chunk):
            yield piece


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
