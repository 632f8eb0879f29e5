"""The cached token of each credential: fetched once for all threads, tasks and event loops.

A cell is guarded by a `threading.Lock`; a fetch under way is a *flight*, a
`concurrent.futures.Future` that threads wait for and tasks of any event loop await (an
asyncio.Lock would belong to one loop). A flight's result is an outcome, never an exception, so
that one that nobody awaits any more makes no noise; the outcome None means "abandoned, try again".
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent import futures
from typing import Any, NamedTuple

clock: Callable[[], float] = time.time  # tests set another
EARLY = 300.0  # refresh when fewer seconds remain, or a tenth of a short life
RETRY_REFRESH = 30.0  # after an early refresh failed, while the old token still serves
MAX_KEPT = 128  # credentials held strongly: those made here, those without weak references
PATIENCE = 5.0  # wait so long for another loop's flight: that loop may be blocked, even by us


class CredentialError(Exception):
    """No token: says which `source` was tried and the `reason`, with secrets scrubbed."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"no Azure token from {source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.reason)


class Fetched(NamedTuple):
    token: str
    expires: float | None  # None: unknown, so not cached
    refresh_on: float | None = None


class Flight:
    """A fetch under way. `loop`: the event loop that it depends on, None for a thread's."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.future: futures.Future[str | CredentialError | None] = futures.Future()
        self.future.set_running_or_notify_cancel()  # so a cancelled waiter can't cancel it
        self.loop = loop
        self.task: asyncio.Task[None] | None = None

    def patience(self, in_task: bool) -> float | None:
        """How long to wait before fetching for oneself; None: to the end."""
        if self.loop is None:
            return None
        if self.loop is running_loop():
            return None if in_task else 0.0  # a sync call inside the loop keeps it from going on
        return PATIENCE if self.loop.is_running() else 0.0


class Cell:
    """The cached token of one credential and scope, and the flight for the next one.

    It never refers to the credential, which may thus be collected (and the cell with it).
    """

    def __init__(self) -> None:
        self.is_async = False  # known or learnt: the call gives an awaitable
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = self._refresh_at = 0.0
        self._flight: Flight | None = None

    def enter(
        self, loop: asyncio.AbstractEventLoop | None, given_up: Flight | None
    ) -> tuple[str | Flight | None, bool]:
        """The token, or the flight to wait for and whether the caller must lead it."""
        with self._lock:
            now, flight = clock(), self._flight
            valid = self._token is not None and now < self._expires
            if valid and (flight is not None or now < self._refresh_at):
                return self._token, False
            if flight is not None and flight is not given_up:
                return flight, False
            self._flight = Flight(loop)
            return self._flight, True

    def land(self, flight: Flight, got: Fetched | CredentialError | None) -> None:
        """End a flight (again is harmless): store the token, wake who waits."""
        with self._lock:
            if self._flight is flight:
                self._flight = None
            if flight.future.done():
                return
            now = clock()
            outcome: str | CredentialError | None
            if isinstance(got, Fetched):
                outcome = got.token
                expires = got.expires if got.expires is not None else 0.0
                self._token = got.token if now < expires else None
                self._expires = expires
                self._refresh_at = expires - min(EARLY, (expires - now) / 10)
                if got.refresh_on is not None and now < got.refresh_on < self._refresh_at:
                    self._refresh_at = got.refresh_on
            elif got is not None and self._token is not None and now < self._expires:
                outcome = self._token  # an early refresh failed: nothing is lost yet
                self._refresh_at = now + RETRY_REFRESH
            else:
                outcome = got
        flight.future.set_result(outcome)

    def forget(self, token: str | None) -> None:
        with self._lock:
            if token is None or token == self._token:
                self._token = None


class Box:
    """Stands, and can be weakly referenced, for an object that can't."""

    def __init__(self, owner: object) -> None:
        self.owner = owner


_registry_lock = threading.RLock()
_kept: OrderedDict[Hashable, Any] = OrderedDict()
_weak: dict[int, tuple[weakref.ref[Any], dict[Hashable, Cell]]] = {}


def keep(key: Hashable, make: Callable[[], Any]) -> Any:
    """The object kept under `key`, made if need be; the least recently used goes."""
    with _registry_lock:
        if key not in _kept:
            _kept[key] = make()
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def place(owner: Any, label: Hashable) -> tuple[Cell, object]:
    """The cell of `owner` (by identity, not equality) and label, and what keeps it alive."""
    with _registry_lock:
        key = id(owner)

        def gone(ref: weakref.ref[Any]) -> None:  # from the collector: takes no lock
            entry = _weak.get(key)
            if entry is not None and entry[0] is ref:
                _weak.pop(key, None)

        try:
            ref = weakref.ref(owner, gone)
        except TypeError:  # no weak references: a box that holds it strongly has them
            box = keep(("box", key), lambda: Box(owner))
            return place(box, label)
        entry = _weak.get(key)
        if entry is None or entry[0]() is not owner:
            entry = _weak[key] = (ref, {})
        return entry[1].setdefault(label, Cell()), owner


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
