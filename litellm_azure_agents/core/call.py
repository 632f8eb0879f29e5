"""One call to an agent, understood and validated, before anything is sent for it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import errors
from .attempts import Attempt
from .endpoint import Endpoint, check_id
from .errors import Context
from .options import OptionError, Options, Params, shown
from .owner import Owner, Reference
from .retry import DEFAULT_RETRIES, PATIENCE

DEFAULT_TIMEOUT = 600.0
_MAX_TIMEOUT = 1e6  # sockets and timers take no infinity


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a turn needs to know; times are seconds of ``clock`` (monotonic)."""

    agent: str
    endpoint: Endpoint
    context: Context
    messages: Sequence[Mapping[str, Any]] = ()
    options: Options = field(default_factory=lambda: Options.model_validate({}))
    params: Params = field(default_factory=Params)
    timeout: float = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_RETRIES
    call_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    drop_params: bool = False
    limit_is_callers: bool = True
    """Whether the caller chose the limit on tokens, not a proxy's limiter or its operator."""
    clock: Callable[[], float] = time.monotonic
    started: float = field(default_factory=time.monotonic)
    random: Callable[[], float] = random.random
    stream: bool = True
    """Whether the caller takes the answer piece by piece."""
    attempt: Attempt = field(default_factory=Attempt)
    patience: float = PATIENCE
    """Seconds for which connection failures are tried again; 0 if the caller set max_retries."""
    chat_scope: str | None = None
    """Whose chats are remembered in the thread store (`chat_scope`); None without a store."""
    owner: Owner | None = None
    """To whom belongs what the call makes, with ``thread_isolation``."""
    brought: Sequence[Reference] = ()
    """What the caller's request names by id, to be checked before anything is sent."""

    def remaining(self) -> float:
        """Seconds left of the caller's timeout, which bounds the whole call."""
        return self.started + self.timeout - self.clock()

    def with_ids(self, ids: dict[str, str]) -> Call:
        """A copy of this call whose errors name ``ids``.

        The turn owns ``ids`` and goes on filling it (``thread_id``, ``run_id`` …); an error names
        what it holds when the error is made. Use the copy for all that the turn does.
        """
        return replace(self, context=replace(self.context, ids=ids))


def checked_id(context: Context, value: str, param: str) -> str:
    """``value``, an id from the caller. Raises BadRequestError if it is malformed."""
    try:
        return check_id(value, param)
    except ValueError as error:
        raise errors.bad_request(context, str(error), param=param) from None


def read_limits(context: Context, timeout: Any, max_retries: Any) -> tuple[float, int]:
    """The caller's ``timeout`` and ``max_retries``, see below. Raises BadRequestError."""
    try:
        return read_timeout(timeout), read_retries(max_retries)
    except OptionError as error:
        raise errors.bad_request(context, str(error), param=error.param) from None


def read_timeout(timeout: Any) -> float:
    """``timeout`` in seconds, or the default for None. Raises OptionError if invalid.

    Takes an httpx.Timeout too, as LiteLLM does: of its four limits the one for reading counts.
    """
    timeout = getattr(timeout, "read", timeout)
    try:
        seconds = DEFAULT_TIMEOUT if timeout is None else float(timeout)
    except (TypeError, ValueError, OverflowError):
        message = f"timeout is a number of seconds, not {shown(timeout)}"
        raise OptionError(message, "timeout") from None
    if not seconds > 0:
        raise OptionError(f"timeout must be greater than 0, not {shown(timeout)}", "timeout")
    return min(seconds, _MAX_TIMEOUT)


def read_retries(value: Any) -> int:
    """``max_retries``, or the default for None. Raises OptionError if it is no whole number."""
    try:
        # int() takes "3" from a configuration; it would also make 2 of 2.5.
        return DEFAULT_RETRIES if value is None else max(int(str(value)), 0)
    except ValueError:
        message = f"max_retries is a whole number, not {shown(value)}"
        raise OptionError(message, "max_retries") from None
