"""The Redis of LiteLLM's own cache, for ``thread_store: litellm``."""

from __future__ import annotations

import sys
from typing import Any

import litellm
from litellm.caching.redis_cache import RedisCache

from ..stores.redis import ClientMaker


def client_maker() -> ClientMaker | None:
    """Makes LiteLLM's client for the running event loop; None if LiteLLM has no Redis."""
    cache = _cache()
    return None if cache is None else cache.init_async_client


def _cache() -> RedisCache | None:
    """That of ``cache: true``, or the one in which the proxy counts its limits."""
    own: Any = getattr(litellm.cache, "cache", None)
    # Imported by the proxy itself; a script doesn't pay for it.
    proxy = sys.modules.get("litellm.proxy.proxy_server")
    for candidate in (own, getattr(proxy, "redis_usage_cache", None)):
        if isinstance(candidate, RedisCache):
            return candidate
    return None
