"""A store in the memory of this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_ENTRIES = 50_000
"""Entries at most, of about 300 bytes each; the least recently used go first."""


class MemoryStore:
    """Entries of one process. Enough for a script or a proxy of one worker."""

    def __init__(
        self,
        ttl: float,
        *,
        max_entries: int = MAX_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl = ttl
        self._max_entries = max_entries
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, str]] = OrderedDict()  # oldest first

    async def claim(self, key: str) -> str | None:
        """Take the entry out; None if there is none, or if it has expired."""
        with self._lock:
            expires, value = self._entries.pop(key, (0.0, ""))
        return value if expires > self._clock() else None

    async def recall(self, key: str) -> str | None:
        """The entry, which stays and counts as used."""
        value = await self.claim(key)
        if value is not None:
            await self.remember(key, value)
        return value

    async def remember(self, key: str, value: str) -> None:
        """Put the entry in; drops what has expired, and the oldest beyond the limit."""
        now = self._clock()
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = (now + self._ttl, value)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
            while next(iter(self._entries.values()))[0] <= now:
                self._entries.popitem(last=False)
