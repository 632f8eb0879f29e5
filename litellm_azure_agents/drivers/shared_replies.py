"""Answers that many calls share: an agent's definition, read once and by one caller at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from ..core.actions import Lost, Reply

_MAX_ENTRIES = 512
_LATE = Lost("no answer within the timeout", sent=False, timed_out=True)
Answer = Reply | Lost


class SharedReplies:
    """Successful replies by key, each kept for its time to live; single flight per key.

    Works across threads and event loops: who comes while another asks waits for that answer, at
    most ``wait`` seconds. Kept is what has an id or a name. All else, failures too, is given to
    those who waited if it says something of the service, not of the one who asked (his timeout, his
    credential).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Answer]] = {}
        self._asked: dict[str, Future[Answer]] = {}

    def get(self, key: str, ttl: float, ask: Callable[[], Answer], *, wait: float) -> Answer:
        """The answer for ``key``, from ``ask`` unless one is at hand."""
        until = self._clock() + wait
        while True:
            known, future, mine = self._begin(key, ttl)
            if known is not None:
                return known
            if mine:
                break
            try:
                answer = future.result(max(until - self._clock(), 0))
            except FutureTimeout:
                return _LATE
            if _is_for_all(answer):
                return answer
        answer = Lost("the caller that asked went away", sent=False)
        try:
            answer = ask()
        finally:
            self._end(key, future, answer)
        return answer

    async def aget(
        self, key: str, ttl: float, ask: Callable[[], Awaitable[Answer]], *, wait: float
    ) -> Answer:
        """As `get`; waits without blocking the event loop."""
        until = self._clock() + wait
        while True:
            known, future, mine = self._begin(key, ttl)
            if known is not None:
                return known
            if mine:
                break
            waiting = asyncio.shield(asyncio.wrap_future(future))
            try:
                answer = await asyncio.wait_for(waiting, max(until - self._clock(), 0))
            except asyncio.TimeoutError:
                return _LATE
            if _is_for_all(answer):
                return answer
        answer = Lost("the caller that asked went away", sent=False)
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
            if _is_good(answer):
                while len(self._kept) >= _MAX_ENTRIES:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = (self._clock(), answer)
        future.set_result(answer)


def _is_good(answer: Answer) -> bool:
    """Whether an answer is what was asked for: a gateway may answer 200 with a page of its own."""
    found = answer.object() if isinstance(answer, Reply) and answer.ok else None
    return found is not None and bool(found.get("id") or found.get("name"))


def _is_for_all(answer: Answer) -> bool:
    return isinstance(answer, Reply) and answer.status not in (401, 403)


replies = SharedReplies()
"""Of all calls of this process."""
