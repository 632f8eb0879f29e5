"""To whom the things of a project belong, with ``thread_isolation``."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

OWNER_KEY = "litellm_owner"
"""Metadata key of the owner, on threads, runs and responses."""
_KEPT_SECONDS = 600.0
_MAX_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Owner:
    """A caller, as the things that he made name him. ``secret`` seals what he takes with him."""

    tag: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """Something of the service that a request names by its id: a file, a session …"""

    what: str
    id: str
    param: str


class KnownOwners:
    """Owners of things by URL, as far as this process has seen them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tags: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def learn(self, url: str, tag: str) -> None:
        """The thing at ``url`` belongs to ``tag``."""
        with self._lock:
            self._tags.pop(url, None)
            self._tags[url] = (self._clock() + _KEPT_SECONDS, tag)
            while len(self._tags) > _MAX_KEPT:
                self._tags.popitem(last=False)

    def tag_of(self, url: str) -> str | None:
        """The tag of the thing's owner, None if it is not known."""
        with self._lock:
            expires, tag = self._tags.get(url, (0.0, ""))
        return tag if expires > self._clock() else None

    def clear(self) -> None:
        """Forget all, for tests."""
        with self._lock:
            self._tags.clear()


known_owners = KnownOwners()
"""Those of this process."""
