"""HTTP clients and their connections, shared by all calls of a process."""

from __future__ import annotations

import asyncio
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import httpx

from .deadline import bound

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30)
"""No limit on connections: a limit of 100 would make the 101st stream wait for another to end."""

_lock = threading.Lock()
_sync: httpx.Client | None = None
_async: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the application wants for HTTP: clients of its own (httpx), and ``verify`` for ours."""

    client: Any = None
    async_client: Any = None
    verify: Any = None


def sync_client(settings: HttpSettings) -> httpx.Client:
    """The application's client if it has one, else ours, which all threads share."""
    global _sync
    if isinstance(settings.client, httpx.Client):
        return bound(settings.client)
    with _lock:
        if _sync is None or _sync.is_closed:
            _sync = bound(
                httpx.Client(limits=LIMITS, verify=_verify(settings), follow_redirects=False)
            )
        return _sync


def async_client(settings: HttpSettings) -> httpx.AsyncClient:
    """The application's client if it has one, else ours for the running event loop: connections
    belong to the loop that opened them."""
    if isinstance(settings.async_client, httpx.AsyncClient):
        return settings.async_client
    loop = asyncio.get_running_loop()
    client = _async.get(loop)
    if client is None or client.is_closed:
        client = httpx.AsyncClient(limits=LIMITS, verify=_verify(settings), follow_redirects=False)
        _async[loop] = client
    return client


def _verify(settings: HttpSettings) -> Any:
    return True if settings.verify is None else settings.verify
