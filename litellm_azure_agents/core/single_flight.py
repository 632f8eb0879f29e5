"""Single-flight: of many callers that need the same value, one fetches it and all get it.

Works across tasks and event loops: sync calls run on a loop of their own. A fetch under way is a
`Flight`; its future is a `concurrent.futures.Future`, which tasks of any event loop await. (An
asyncio.Lock would belong to one loop.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent import futures
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds to wait for a fetch that needs another event loop: this call may be what blocks it."""
MAX_LEADS = 3
"""How often one caller starts a fetch that is then abandoned."""


class Flight(Generic[T]):
    """A fetch under way.

    The result is never an exception: Python would complain of one that nobody retrieves. None means
    that the fetch was abandoned, and one of those who wait starts another. ``loop`` is the event
    loop that the fetch depends on, None if it depends on none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.future: futures.Future[T | None] = futures.Future()
        self.future.set_running_or_notify_cancel()  # a waiter that is cancelled can't cancel it
        self.loop = loop
        self.task: asyncio.Task[None] | None = None  # keeps the task that fetches alive

    def patience(self) -> float | None:
        """Seconds to wait before fetching alone; None for as long as it takes."""
        if self.loop is None or self.loop is asyncio.get_running_loop():
            return None
        return PATIENCE if self.loop.is_running() else 0.0


Enter = Callable[["Flight[T] | None"], "tuple[T | Flight[T], bool]"]
"""Gives the value, or a flight and whether the caller must lead it, which means to fetch and to set
the future's result. The argument is a flight that the caller doesn't wait for any more."""


async def share(
    enter: Enter[T], lead: Callable[[Flight[T]], Awaitable[T | None]], *, wait: float | None = None
) -> T | None:
    """The value from ``enter``, from another caller's flight, or from one that ``lead`` performs.

    ``lead`` may return the value itself, or None to wait for its flight. Returns None when
    `MAX_LEADS` own flights were abandoned. Raises TimeoutError when another caller's flight takes
    more than ``wait`` seconds.
    """
    until = None if wait is None else time.monotonic() + wait
    given_up: Flight[T] | None = None
    leads = 0
    while leads < MAX_LEADS:
        found, leading = enter(given_up)
        leads += leading
        if not isinstance(found, Flight):
            return found
        own = await lead(found) if leading else None
        if own is not None:
            return own
        waiter = asyncio.wrap_future(found.future)
        try:
            await asyncio.wait({waiter}, timeout=_seconds(found.patience(), until))
        finally:
            waiter.cancel()  # else a late result would look for a loop that is closed
        if waiter.cancelled():
            given_up = _abandon(found, until)
        elif (outcome := waiter.result()) is not None:
            return outcome
    return None


def _seconds(patience: float | None, until: float | None) -> float | None:
    """The shorter of both limits."""
    if until is None:
        return patience
    left = max(until - time.monotonic(), 0.0)
    return left if patience is None else min(patience, left)


def _abandon(flight: Flight[T], until: float | None) -> Flight[T]:
    """The flight that is waited for no longer; TimeoutError if the caller waits for none."""
    if until is not None and time.monotonic() >= until:
        raise TimeoutError("another caller's request takes too long")
    return flight
