"""Ends the reading and writing of a sync call at its deadline.

httpx starts its timeout again with each read, so a reply that trickles would never end. Neither
httpx nor httpcore has a public way to bound a whole call. This wraps the network backend of a
client's connection pools: the only private part of httpx that the package uses. (Async calls are
bounded by cancel scopes.)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx

_log = logging.getLogger("litellm_azure_agents")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def ending_at(deadline: float) -> Iterator[None]:
    """Inside, a read or write of a bounded client raises a timeout after ``deadline`` (monotonic
    seconds)."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def bound(client: httpx.Client) -> httpx.Client:
    """``client``, whose new connections obey `ending_at` from now on. Outside of it nothing changes
    for them. A transport without sockets (a mock) stays as it is."""
    for transport in (client._transport, *client._mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if backend is not None and not isinstance(backend, _Backend):
            pool._network_backend = _Backend(backend)
        elif backend is None and isinstance(transport, httpx.HTTPTransport):
            _log.warning(
                "httpx %s has no HTTPTransport._pool._network_backend: the timeout of sync calls "
                "bounds each read, not the whole call",
                httpx.__version__,
            )
    return client


class _Backend:
    """httpcore's network backend, whose streams are `_Stream`."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _Stream(self._backend.connect_tcp(*args, **kwargs))


class _Stream:
    """httpcore's network stream, with the deadline of the call that uses it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._stream.read(max_bytes, _limit(timeout, httpx.ReadTimeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _limit(timeout, httpx.WriteTimeout))

    def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return _Stream(self._stream.start_tls(*args, **kwargs))


def _limit(timeout: float | None, late: type[Exception]) -> float | None:
    """``timeout``, or what is left until the deadline if that is less; raises ``late`` after it."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("the call's timeout has passed")
    return left if timeout is None else min(timeout, left)
