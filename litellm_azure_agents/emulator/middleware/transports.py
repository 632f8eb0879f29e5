"""Access to a request's TCP connection, which ASGI doesn't give: for faults that cut it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[Any, Any], asyncio.Transport] = {}


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol that remembers its connections by both addresses."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._key = (self.client, self.server)
        _open[self._key] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _open.pop(self._key, None)
        super().connection_lost(exc)


def close_connection(scope: Scope, *, reset: bool) -> None:
    """Close a request's connection: after sending what is written, or at once with a reset.

    On another server than ours this does nothing: ending the answer unfinished is the cut then.
    """
    transport = _open.get((tuple(scope["client"] or ()), tuple(scope["server"] or ())))
    if transport is None:
        return
    if reset:
        transport.abort()
    else:
        transport.close()
