"""HTTP clients and their connections, shared by all calls on an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx

from .sync_client import SyncClient

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30)
"""No limit on connections: a limit of 100 would make the 101st stream wait for another to end."""

Client = httpx.AsyncClient | SyncClient


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the application wants for HTTP: clients of its own (httpx), and ``verify`` for ours."""

    client: Any = None
    async_client: Any = None
    verify: Any = None


@dataclass(slots=True)
class _Entry:
    client: httpx.AsyncClient
    closing: AsyncGenerator[None, None]  # the loop closes it at its end


_lock = threading.Lock()
_entries: dict[asyncio.AbstractEventLoop, _Entry] = {}


async def client_for(settings: HttpSettings, *, sync: bool) -> Client:
    """The application's client for sync or async calls, else ours for the running event loop.

    Connections belong to the loop that opened them. Ours are closed when the loop ends.
    """
    if sync and isinstance(settings.client, httpx.Client):
        return SyncClient(settings.client)
    if not sync and isinstance(settings.async_client, httpx.AsyncClient):
        return settings.async_client
    loop = asyncio.get_running_loop()
    with _lock:
        entry = _entries.get(loop)
        if entry is not None and not entry.client.is_closed:
            return entry.client
        for ended in [other for other in _entries if other.is_closed()]:
            del _entries[ended]  # it ended without closing its asynchronous generators
        verify = True if settings.verify is None else settings.verify
        client = httpx.AsyncClient(limits=LIMITS, verify=verify, follow_redirects=False)
        entry = _entries[loop] = _Entry(client, _closing(loop, client))
    # An event loop closes the asynchronous generators that have begun on it (asyncio.run does so
    # before it closes the loop): the public way to be told of its end.
    await anext(entry.closing)
    return entry.client


async def _closing(
    loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient
) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        with _lock:
            entry = _entries.get(loop)
            if entry is not None and entry.client is client:
                del _entries[loop]
        await client.aclose()
