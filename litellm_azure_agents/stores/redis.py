"""A store in Redis, which all workers and replicas share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

CLAIM = "local v = redis.call('GET', KEYS[1]) if v then redis.call('DEL', KEYS[1]) end return v"
"""One step, as GETDEL is; Azure Cache for Redis is a Redis 6.0, which has no GETDEL."""

ClientMaker = Callable[[], Any]
"""Returns a ``redis.asyncio`` client for the running event loop."""


class RedisStore:
    """Entries in a Redis, by a client that ``client`` returns for each call."""

    def __init__(self, client: ClientMaker, ttl: float) -> None:
        self._client = client
        self._milliseconds = max(int(ttl * 1000), 1)

    async def claim(self, key: str) -> str | None:
        """Take the entry out, in one command."""
        return _text(await self._client().eval(CLAIM, 1, key))

    async def recall(self, key: str) -> str | None:
        """The entry, which stays; its time begins anew with `remember` only."""
        return _text(await self._client().get(key))

    async def remember(self, key: str, value: str) -> None:
        """Put the entry in; Redis drops it when it expires."""
        await self._client().set(key, value, px=self._milliseconds)


def _text(value: Any) -> str | None:
    """A reply of Redis, which LiteLLM's client may have decoded already."""
    if value is None:
        return None
    return value.decode() if isinstance(value, bytes) else str(value)


class Clients:
    """A client of our own for each event loop, to which its connections belong."""

    def __init__(self, url: str, timeout: float) -> None:
        # Imported here: only who uses a Redis needs the extra.
        import redis.asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        def make() -> Any:
            return redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                # A connection that the server has closed meanwhile is opened again once.
                retry=Retry(NoBackoff(), 1),
                retry_on_error=[redis.ConnectionError],
            )

        redis.ConnectionPool.from_url(url)  # raises ValueError for a URL that can't be used
        self._make = make
        self._lock = threading.Lock()
        self._of_loops: dict[asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[None, None]]] = {}

    def __call__(self) -> Any:
        """The client of the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            found = self._of_loops.get(loop)
            if found is not None:
                return found[0]
            for ended in [other for other in self._of_loops if other.is_closed()]:
                del self._of_loops[ended]
            client = self._make()
            closing = self._closing(loop, client)
            self._of_loops[loop] = (client, closing)
        # An event loop closes the asynchronous generators that have begun on it when it ends, see
        # `drivers.pool`. This one begins now, and waits for nothing before its ``yield``.
        with contextlib.suppress(StopIteration):
            closing.__anext__().send(None)
        return client

    async def _closing(
        self, loop: asyncio.AbstractEventLoop, client: Any
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._of_loops.pop(loop, None)
            await client.aclose()
