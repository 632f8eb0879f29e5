"""The store that the option ``thread_store`` names; calls of a process share it."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from .base import Guard, Store
from .memory import MemoryStore
from .redis import ClientMaker, Clients, RedisStore

_MEMORY, _LITELLM = "memory", "litellm"


class StoreError(ValueError):
    """The store can't be made; the message says what to do."""


_lock = threading.Lock()
_stores: dict[tuple[str, float, float], Guard] = {}


def resolve_store(
    name: str, *, ttl: float, timeout: float, litellm_client: ClientMaker | None = None
) -> Guard:
    """The store for ``memory``, ``litellm`` or the URL of a Redis. Connects to nothing.

    ``litellm_client`` returns the client of LiteLLM's own cache. Raises StoreError.
    """
    key = (name, ttl, timeout)
    with _lock:
        found = _stores.get(key)
        if found is None:
            store = _make(name, ttl, timeout, litellm_client)
            found = _stores[key] = Guard(store, name=_shown(name), timeout=timeout)
        return found


def forget_stores() -> None:
    """Make all stores anew when they are next asked for; for tests."""
    with _lock:
        _stores.clear()


def _make(name: str, ttl: float, timeout: float, litellm_client: ClientMaker | None) -> Store:
    if name == _MEMORY:
        return MemoryStore(ttl)
    if name == _LITELLM:
        if litellm_client is None:
            raise StoreError(
                "thread_store is 'litellm', but LiteLLM has no Redis: set `cache: true` with "
                "`cache_params: {type: redis, …}` under litellm_settings, or give a redis:// URL"
            )
        return RedisStore(litellm_client, ttl)
    try:
        clients = Clients(name, timeout)
    except ImportError:
        raise StoreError(
            "thread_store needs redis-py: pip install 'litellm-azure-agents[redis]'"
        ) from None
    except ValueError as error:  # redis-py's own check of the URL
        raise StoreError(f"thread_store is no URL of a Redis: {error}") from None
    return RedisStore(clients, ttl)


def _shown(name: str) -> str:
    """The name without a password."""
    parts = urlsplit(name)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme else name
