"""The attempts at one request: a Router's retry finds what its predecessor started.

Every attempt writes a *nonce* into the metadata of what it starts at the service (a thread, a run,
a response). When a reply is lost, the nonce tells whether the request arrived. All attempts of one
request share the nonce and no other request has it: it is random, and nothing of it comes from the
caller.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

NONCE_KEY = "litellm_request"
"""Metadata key of the nonce, on threads, runs, messages and responses."""
MAX_METADATA = 16
"""Most pairs of metadata on one object (protocols A3)."""
_KEPT_SECONDS = 900.0
_MAX_KEPT = 1000


@dataclass(slots=True)
class Attempt:
    """One attempt at a request. ``inherited``: an earlier one may have started something."""

    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    inherited: bool = False
    sent: bool = False
    """Whether a request that may start something was sent."""
    began: float = field(default_factory=time.monotonic)
    """When the first attempt at the request began."""
    key: Callable[[], tuple[str, str]] | None = None
    """What the attempts of one request have in common, if there can be others."""


class Attempts:
    """Remembers attempts that failed, for the next attempt at the same request.

    LiteLLM's Router gives all attempts of one request the same trace id. A caller can choose a
    trace id too, so the fingerprint of the request's content has to match as well, and a failed
    attempt is handed on once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: dict[tuple[str, str], tuple[float, Attempt]] = {}

    def begin(self, trace_id: str | None, fingerprint: Callable[[], str]) -> Attempt:
        """A new attempt, or the successor of a failed one with the same trace and content."""
        if not trace_id:
            return Attempt()
        found = None
        if self._failed:  # mostly there is none, and a fingerprint takes time
            with self._lock:
                found = self._failed.pop((trace_id, fingerprint()), None)
        attempt = Attempt(key=lambda: (trace_id, fingerprint()))
        if found is not None and found[0] >= self._clock():
            attempt.nonce, attempt.began, attempt.inherited = found[1].nonce, found[1].began, True
        return attempt

    def failed(self, attempt: Attempt) -> None:
        """The attempt ended with an error; another one may follow."""
        if attempt.key is None or not (attempt.sent or attempt.inherited):
            return
        now, key = self._clock(), attempt.key()
        with self._lock:
            self._failed.pop(key, None)
            self._failed[key] = (now + _KEPT_SECONDS, attempt)
            while len(self._failed) > _MAX_KEPT:
                del self._failed[next(iter(self._failed))]
            while self._failed and next(iter(self._failed.values()))[0] < now:
                del self._failed[next(iter(self._failed))]


attempts = Attempts()
"""Those of this process: a Router retries in the process that failed."""
