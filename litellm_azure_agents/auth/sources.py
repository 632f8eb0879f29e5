"""Sources of bearer tokens: fixed tokens, and credentials whose tokens are cached.

One fetch serves all callers (`cache.py`). A sync credential is called in a thread, so that a
cancelled task or a closed loop doesn't end the fetch. An async credential is called in a new task
of the event loop that needed the token, not in the caller's own task.
"""

from __future__ import annotations

import abc
import asyncio
import base64
import contextvars
import copy
import inspect
import json
import math
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ..core.errors import CredentialError
from ..core.redact import scrub_strictly
from ..core.single_flight import share
from .cache import Cell, Fetched, Outcome, TokenFlight

_REMEMBERED = 4
"""Tokens that a source remembers having given: a call needs two at most."""


class TokenSource(abc.ABC):
    """Where bearer tokens come from. `source` names it in errors, without secrets."""

    source: str

    @abc.abstractmethod
    async def get(self) -> str:
        """A valid token; doesn't block the event loop. Raises CredentialError."""

    @abc.abstractmethod
    def invalidate(self, rejected: str | None = None) -> bool:
        """Drop the token that the service `rejected` (default: the last one that this object gave).

        A newer token that another call has fetched meanwhile is kept. True if asking again can
        give another token, False for a fixed one.
        """

    def secrets(self) -> Iterable[str]:
        """What must not be shown: the tokens that this object gave, and what they were got with."""
        return ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.source}>"


class Static(TokenSource):
    """One token, which never changes. An empty one is for a server that asks for none."""

    def __init__(self, source: str, token: str) -> None:
        self.source = source
        self._token = token

    async def get(self) -> str:
        return self._token

    def invalidate(self, rejected: str | None = None) -> bool:
        return False

    def secrets(self) -> Iterable[str]:
        return (self._token,)


NO_TOKEN: TokenSource = Static("no credential", "")


def fixed(source: str, token: Any) -> TokenSource:
    """The source of this token. Raises CredentialError if it can't be sent."""
    return Static(source, _checked(source, token))


class Dynamic(TokenSource):
    """Tokens from a call: a provider, or a credential's get_token.

    `call` returns the result or an awaitable of it; `parse` reads the token from the result.
    `anchor` is kept alive by this object. `secrets` are removed from errors. A sync `call` runs in
    a worker thread, an async one in the event loop that needs the token. Sync completions run on a
    loop of this package: prefer a sync credential for them, since many async credentials can't
    change their loop.
    """

    def __init__(
        self,
        source: str,
        call: Callable[[], Any],
        parse: Callable[[str, Any], Fetched],
        cell: Cell,
        anchor: object,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self._call, self._parse, self._secrets = call, parse, secrets
        self._cell, self._anchor = cell, anchor
        self._last: str | None = None
        self._given: deque[str] = deque(maxlen=_REMEMBERED)

    async def get(self) -> str:
        def enter(given_up: TokenFlight | None) -> tuple[Outcome | TokenFlight, bool]:
            loop = asyncio.get_running_loop() if self._cell.is_async else None
            return self._cell.enter(loop, given_up)

        async def lead(flight: TokenFlight) -> Outcome | None:
            self._launch(flight)
            return None

        outcome = await share(enter, lead)
        return self._settle(outcome)

    def invalidate(self, rejected: str | None = None) -> bool:
        self._cell.forget(rejected or self._last)
        return True

    def secrets(self) -> Iterable[str]:
        return (*self._given, *self._secrets)

    def _settle(self, outcome: Outcome | None) -> str:
        if outcome is None:
            raise CredentialError(self.source, "the request for a token was cancelled repeatedly")
        if isinstance(outcome, CredentialError):
            raise copy.copy(outcome)  # each caller gets a traceback of its own
        if outcome != self._last:
            self._given.append(outcome)
        self._last = outcome
        return outcome

    def _launch(self, flight: TokenFlight) -> None:
        """Start a flight, independent of the caller's own task."""
        try:
            if flight.loop is None:
                context = contextvars.copy_context()
                threading.Thread(target=context.run, args=(self._lead, flight), daemon=True).start()
            else:
                flight.task = flight.loop.create_task(self._alead(flight))
                # a task cancelled before its first step never enters _alead
                flight.task.add_done_callback(lambda _: self._cell.land(flight, None))
        except BaseException as exc:
            self._cell.land(flight, self._failure(exc))

    def _lead(self, flight: TokenFlight) -> None:
        """Fetch in this thread. If the call unexpectedly gives an awaitable, abandon the flight:
        the caller's loop awaits it at the next attempt."""
        got: Fetched | CredentialError | None = None
        try:
            result = self._call()
            if inspect.isawaitable(result):
                self._cell.is_async = True
                if inspect.iscoroutine(result):
                    result.close()
            else:
                got = self._parse(self.source, result)
        except (Exception, asyncio.CancelledError) as exc:
            got = self._failure(exc)
        finally:
            self._cell.land(flight, got)

    async def _alead(self, flight: TokenFlight) -> None:
        got: Fetched | CredentialError | None = None
        try:
            got = self._parse(self.source, await _awaited(self._call))
        except Exception as exc:
            got = self._failure(exc)
        finally:  # also when cancelled, or closed unfinished
            self._cell.land(flight, got)

    def _failure(self, exc: BaseException) -> CredentialError:
        if isinstance(exc, CredentialError):
            return type(exc)(self.source, exc.reason)
        try:
            text = scrub_strictly(str(exc), self._secrets)
        except Exception:
            text = "(no text)"
        return CredentialError(self.source, f"{type(exc).__name__}: {text}")


async def _awaited(call: Callable[[], Any]) -> Any:
    result = call()
    return await result if inspect.isawaitable(result) else result


def is_coroutine_function(call: Any) -> bool:
    return any(inspect.iscoroutinefunction(f) for f in (call, type(call).__call__))


def _checked(source: str, token: Any) -> str:
    """`token` if it can be sent as a bearer token: visible ASCII, as RFC 6750 and httpx want."""
    if not isinstance(token, str):
        raise CredentialError(source, f"the token must be a str, not {type(token).__name__}")
    if not token:
        raise CredentialError(source, "the token is empty")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise CredentialError(
            source, "the token has a newline, space, control or non-ASCII character"
        )
    return token


def _instant(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _jwt_expiry(token: str) -> float | None:
    """`exp` of a JWT, unverified (it only says when to ask again); None for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return _instant(claims.get("exp"))
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return None


def from_provider(source: str, result: Any) -> Fetched:
    return Fetched(_checked(source, result), _jwt_expiry(result))


def from_credential(source: str, result: Any) -> Fetched:
    if not hasattr(result, "token"):
        raise CredentialError(
            source, f"get_token must return an AccessToken, not {type(result).__name__}"
        )
    token = _checked(source, result.token)
    expires = _instant(getattr(result, "expires_on", None))
    refresh_on = _instant(getattr(result, "refresh_on", None))
    return Fetched(token, _jwt_expiry(token) if expires is None else expires, refresh_on)
