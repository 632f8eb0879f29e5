"""What a store can do, and the guard that keeps a slow or broken one from holding up calls."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

REST = 5.0
"""Seconds for which a store that failed is left alone, before one call tries it again."""

_log = logging.getLogger("litellm_azure_agents")


class Store(Protocol):
    """Entries that expire. Any exception means that the store can't be used now."""

    async def claim(self, key: str) -> str | None:
        """Take the entry out and return it, in one step: of several callers one gets it."""
        ...

    async def recall(self, key: str) -> str | None:
        """Look at the entry, which stays."""
        ...

    async def remember(self, key: str, value: str) -> None:
        """Put the entry in, in place of one that is there."""
        ...


class StoreUnavailable(Exception):
    """The store failed, was too slow, or is left alone after that."""


class Guard:
    """A store with a limit of time and a circuit breaker.

    After a failure the store is left alone for `REST` seconds. Then one call tries it, while others
    go on without it. Failures and the end of them are logged once each.
    """

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._name = name
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()  # calls come from several event loops
        self._closed_until: float | None = None  # None while the store works

    async def claim(self, key: str) -> str | None:
        """As `Store.claim`. Raises StoreUnavailable."""
        return await self._use(lambda: self._store.claim(key))

    async def recall(self, key: str) -> str | None:
        """As `Store.recall`. Raises StoreUnavailable."""
        return await self._use(lambda: self._store.recall(key))

    async def remember(self, key: str, value: str) -> None:
        """As `Store.remember`. Raises StoreUnavailable."""
        await self._use(lambda: self._store.remember(key, value))

    async def _use(self, action: Callable[[], Awaitable[T]]) -> T:
        if not self._may_try():
            raise StoreUnavailable(self._name)
        try:
            result = await asyncio.wait_for(action(), self._timeout)
        except Exception as error:
            self._failed(error)
            raise StoreUnavailable(self._name) from error
        except BaseException:  # the caller went away: that says nothing of the store
            self._failed(None)
            raise
        self._succeeded()
        return result

    def _may_try(self) -> bool:
        with self._lock:
            if self._closed_until is None:
                return True
            if self._clock() < self._closed_until:
                return False
            self._closed_until = self._clock() + self._timeout + REST  # others wait for this try
            return True

    def _failed(self, error: Exception | None) -> None:
        with self._lock:
            first = self._closed_until is None
            if error is None:
                self._closed_until = None if first else self._clock()
                return
            self._closed_until = self._clock() + REST
        if first:
            slow = isinstance(error, (TimeoutError, asyncio.TimeoutError))
            why = f"no answer within {self._timeout:g} s" if slow else type(error).__name__
            _log.warning(
                "The thread store %s can't be used (%s): calls go on without it, and chats of "
                "clients that send no ids start new threads",
                self._name,
                why,
            )

    def _succeeded(self) -> None:
        with self._lock:
            was_down, self._closed_until = self._closed_until is not None, None
        if was_down:
            _log.warning("The thread store %s is used again", self._name)
