"""HTTP clients and their connections, shared by all calls of a process."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from typing import Any

import httpx
import litellm

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30)
"""No cap of our own: a cap makes the 101st stream wait for another one's end."""

_lock = threading.Lock()
_sync: httpx.Client | None = None
_async: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
    weakref.WeakKeyDictionary()
)


def sync_client() -> httpx.Client:
    """The process's client, shared by all threads; LiteLLM's `client_session` if one is set."""
    global _sync
    if isinstance(litellm.client_session, httpx.Client):
        return litellm.client_session
    with _lock:
        if _sync is None or _sync.is_closed:
            _sync = httpx.Client(limits=LIMITS, verify=_verify(), follow_redirects=False)
            _bound_reads(_sync)
        return _sync


def async_client() -> httpx.AsyncClient:
    """The running event loop's client: connections belong to the loop that opened them."""
    if isinstance(litellm.aclient_session, httpx.AsyncClient):
        return litellm.aclient_session
    loop = asyncio.get_running_loop()
    client = _async.get(loop)
    if client is None or client.is_closed:
        client = httpx.AsyncClient(limits=LIMITS, verify=_verify(), follow_redirects=False)
        _async[loop] = client
    return client


def _verify() -> Any:
    return True if litellm.ssl_verify is None else litellm.ssl_verify


# -- reads that end ----------------------------------------------------------------------------


def _bound_reads(client: httpx.Client) -> None:
    """Let a read timeout bound all reads of a request together. httpx starts it anew with each one,
    so that an answer whose head trickles would never end; async calls have a clock of their own.

    httpx has no public place for a network backend: without this one, each read is bounded.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        if hasattr(pool, "_network_backend"):
            pool._network_backend = _Backend(pool._network_backend)


class _Backend:
    """httpcore's network backend, whose streams are `_BoundedStream`."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _BoundedStream(self._backend.connect_tcp(*args, **kwargs))


class _BoundedStream:
    """httpcore's network stream. A timeout of another value is that of another request: each has
    what remains of its call."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._timeout: float | None = None
        self._until = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if timeout is not None:
            if timeout != self._timeout:
                self._timeout, self._until = timeout, time.monotonic() + timeout
            timeout = max(self._until - time.monotonic(), 0.001)
        data: bytes = self._stream.read(max_bytes, timeout)
        return data

    def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return _BoundedStream(self._stream.start_tls(*args, **kwargs))
