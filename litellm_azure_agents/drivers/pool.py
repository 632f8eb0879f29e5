"""HTTP clients and their connections, shared by all calls on an event loop."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import httpx

from .aiohttp_transport import AiohttpTransport
from .sync_client import SyncClient

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30)
"""No limit on connections: a limit of 100 would make the 101st stream wait for another to end."""

Client = httpx.AsyncClient | SyncClient


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the application wants for HTTP: clients of its own (httpx), ``verify`` for ours, and
    whether ours runs on aiohttp."""

    client: Any = None
    async_client: Any = None
    verify: Any = None
    aiohttp: bool = True


@dataclass(slots=True)
class _Entry:
    client: httpx.AsyncClient
    fast: AiohttpTransport | None
    closing: AsyncGenerator[None, None]  # the loop closes it at its end


_Key = tuple[asyncio.AbstractEventLoop, bool]
_lock = threading.Lock()
_entries: dict[_Key, _Entry] = {}


async def client_for(settings: HttpSettings, *, sync: bool) -> Client:
    """The application's client for sync or async calls, else ours for the running event loop.

    Connections belong to the loop that opened them. Ours are closed when the loop ends.
    """
    if sync and isinstance(settings.client, httpx.Client):
        return SyncClient(settings.client)
    if not sync and isinstance(settings.async_client, httpx.AsyncClient):
        return settings.async_client
    key = (asyncio.get_running_loop(), settings.aiohttp)
    with _lock:
        entry = _entries.get(key)
        if entry is not None and not entry.client.is_closed:
            return entry.client
        # Loops that ended without closing their asynchronous generators.
        _discard([other for other in _entries if other[0].is_closed()])
        entry = _entries[key] = _open(key, settings.verify)
    # An event loop closes the asynchronous generators that have begun on it (asyncio.run does so
    # before it closes the loop): the public way to be told of its end.
    await anext(entry.closing)
    return entry.client


def _open(key: _Key, verify: Any) -> _Entry:
    context = httpx.create_ssl_context(verify=True if verify is None else verify)
    fast = None
    if key[1] and not getproxies():  # behind a proxy, httpx's own transport serves
        fast = AiohttpTransport(context)
    client = httpx.AsyncClient(
        limits=LIMITS, verify=context, transport=fast, follow_redirects=False
    )
    return _Entry(client, fast, _closing(key, client))


async def _closing(key: _Key, client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        with _lock:
            entry = _entries.get(key)
            if entry is not None and entry.client is client:
                del _entries[key]
        await client.aclose()


def _discard(keys: Iterable[_Key]) -> None:
    """Forget clients that can't be closed any more; aiohttp would complain of them."""
    for key in keys:
        fast = _entries.pop(key).fast
        if fast is not None:
            fast.discard()


@atexit.register
def _at_exit() -> None:
    _discard(list(_entries))
