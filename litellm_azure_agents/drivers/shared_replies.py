"""Replies that many calls share: an agent's definition is read once, by one caller at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable

from ..core.actions import Lost, Reply
from ..core.single_flight import Enter, Flight, share

_MAX_ENTRIES = 512
_LATE = Lost("no answer within the timeout", sent=False, timed_out=True)
Answer = Reply | Lost


class SharedReplies:
    """Successful replies by key, each kept for its time to live; single-flight for each key.

    A reply is kept if it is an object with an id or a name. Other replies go to the callers that
    waited. What concerns only the caller that asked (its timeout, its credential) is not shared:
    the next caller asks again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Answer]] = {}
        self._flights: dict[str, Flight[Answer]] = {}

    async def get(
        self, key: str, ttl: float, ask: Callable[[], Awaitable[Answer]], *, wait: float
    ) -> Answer:
        """The reply for ``key``: kept, from ``ask``, or from a caller that asks already.

        Another caller is waited for ``wait`` seconds at most; then the result is a `Lost`.
        """

        async def lead(flight: Flight[Answer]) -> Answer:
            answer: Answer | None = None
            try:
                answer = await ask()
                return answer
            finally:
                self._land(key, flight, answer)

        try:
            return await share(self._entry(key, ttl), lead, wait=wait) or _LATE
        except TimeoutError:
            return _LATE

    def clear(self) -> None:
        """Forget what is kept."""
        with self._lock:
            self._kept.clear()

    def _entry(self, key: str, ttl: float) -> Enter[Answer]:
        def enter(_: Flight[Answer] | None) -> tuple[Answer | Flight[Answer], bool]:
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None and self._clock() - kept[0] < ttl:
                    self._kept[key] = self._kept.pop(key)  # the least recently used goes first
                    return kept[1], False
                flight = self._flights.get(key)
                if flight is not None:
                    return flight, False
                self._flights[key] = flight = Flight()
                return flight, True

        return enter

    def _land(self, key: str, flight: Flight[Answer], answer: Answer | None) -> None:
        with self._lock:
            self._flights.pop(key, None)
            if answer is not None and _is_good(answer):
                while len(self._kept) >= _MAX_ENTRIES:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = (self._clock(), answer)
        flight.future.set_result(answer if _is_for_all(answer) else None)


def _is_good(answer: Answer) -> bool:
    """Whether a reply is the object that was asked for: a gateway may answer 200 with a page."""
    found = answer.object() if isinstance(answer, Reply) and answer.ok else None
    return found is not None and bool(found.get("id") or found.get("name"))


def _is_for_all(answer: Answer | None) -> bool:
    return isinstance(answer, Reply) and answer.status not in (401, 403)


replies = SharedReplies()
"""The replies that all calls of this process share."""
