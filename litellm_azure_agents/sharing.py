"""Answers that many calls share: an agent's definition, read once and by one caller at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from .actions import Lost, Reply

_MAX_ENTRIES = 512
Answer = Reply | Lost


class SharedReplies:
    """Successful replies by key, each kept for its time to live; single flight per key.

    Works across threads and event loops: who comes while another asks waits for that answer. A
    failure is given to those who waited, and is not kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Answer]] = {}
        self._asked: dict[str, Future[Answer]] = {}

    def get(self, key: str, ttl: float, ask: Callable[[], Answer]) -> Answer:
        """The answer for ``key``, from ``ask`` unless one is at hand."""
        known, future, mine = self._begin(key, ttl)
        if known is not None:
            return known
        if not mine:
            return future.result()
        answer: Answer = Lost("the caller that asked went away", sent=False)
        try:
            answer = ask()
        finally:
            self._end(key, future, answer)
        return answer

    async def aget(self, key: str, ttl: float, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """As `get`; waits without blocking the event loop."""
        known, future, mine = self._begin(key, ttl)
        if known is not None:
            return known
        if not mine:
            return await asyncio.shield(asyncio.wrap_future(future))
        answer: Answer = Lost("the caller that asked went away", sent=False)
        try:
            answer = await ask()
        finally:
            self._end(key, future, answer)
        return answer

    def clear(self) -> None:
        """Forget what is kept."""
        with self._lock:
            self._kept.clear()

    def _begin(self, key: str, ttl: float) -> tuple[Answer | None, Future[Answer], bool]:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and self._clock() - kept[0] < ttl:
                self._kept[key] = self._kept.pop(key)  # used last, dropped last
                return kept[1], Future(), False
            asked = self._asked.get(key)
            if asked is not None:
                return None, asked, False
            future = self._asked[key] = Future()
            return None, future, True

    def _end(self, key: str, future: Future[Answer], answer: Answer) -> None:
        with self._lock:
            self._asked.pop(key, None)
            if isinstance(answer, Reply) and answer.ok:
                while len(self._kept) >= _MAX_ENTRIES:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = (self._clock(), answer)
        future.set_result(answer)
