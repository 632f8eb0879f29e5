"""The cached token of each credential: fetched once for all threads, tasks and event loops."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from ..core.errors import CredentialError
from ..core.single_flight import Flight

clock: Callable[[], float] = time.time  # tests set another
EARLY = 300.0  # refresh when fewer seconds remain, or a tenth of a short life
RETRY_REFRESH = 30.0  # after an early refresh failed, while the old token still serves
MAX_KEPT = 128  # credentials held strongly: those made here, those without weak references

Outcome = str | CredentialError
TokenFlight = Flight[Outcome]


class Fetched(NamedTuple):
    token: str
    expires: float | None  # None: unknown, so not cached
    refresh_on: float | None = None


class Cell:
    """The cached token of one credential and scope, and the flight that fetches the next one.

    Holds no reference to the credential, so that the garbage collector may free it.
    """

    def __init__(self) -> None:
        self.is_async = False  # known or learnt: the call gives an awaitable
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = self._refresh_at = 0.0
        self._flight: TokenFlight | None = None

    def enter(
        self, loop: asyncio.AbstractEventLoop | None, given_up: TokenFlight | None
    ) -> tuple[Outcome | TokenFlight, bool]:
        """The token, or a flight and whether the caller must lead it, see `single_flight`.

        ``loop`` is the event loop that a new flight depends on.
        """
        with self._lock:
            now, flight, token = clock(), self._flight, self._token
            usable = token is not None and now < self._expires
            if token and usable and (flight is not None or now < self._refresh_at):
                return token, False
            if flight is not None and flight is not given_up:
                return flight, False
            self._flight = Flight(loop)
            return self._flight, True

    def land(self, flight: TokenFlight, got: Fetched | CredentialError | None) -> None:
        """End a flight: store the token and wake those who wait. Does nothing the second time."""
        with self._lock:
            if self._flight is flight:
                self._flight = None
            if flight.future.done():
                return
            now = clock()
            outcome: Outcome | None
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
        """Drop the cached token if it is ``token``, or whatever it is for None."""
        with self._lock:
            if token is None or token == self._token:
                self._token = None


class Box:
    """Holds an object that takes no weak references; the box takes them."""

    def __init__(self, owner: object) -> None:
        self.owner = owner


_registry_lock = threading.RLock()
_kept: OrderedDict[Hashable, Any] = OrderedDict()
_weak: dict[int, tuple[weakref.ref[Any], dict[Hashable, Cell]]] = {}


def keep(key: Hashable, make: Callable[[], Any]) -> Any:
    """The object kept under `key`, or a new one by `make`; the least recently used is dropped."""
    with _registry_lock:
        if key not in _kept:
            _kept[key] = make()
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def place(owner: Any, label: Hashable) -> tuple[Cell, object]:
    """The cell of `owner` (by identity, not equality) and `label`, and the object that must live on
    for the cell to live."""
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
