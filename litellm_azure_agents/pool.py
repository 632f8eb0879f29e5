"""HTTP clients and their connections, shared by all calls of a process."""

from __future__ import annotations

import asyncio
import threading
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
