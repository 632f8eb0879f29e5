"""One call to an agent, understood and validated, before anything is sent for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .attempts import Attempt
from .endpoint import Endpoint
from .errors import Context
from .options import Options, Params
from .retry import PATIENCE


@dataclass(frozen=True, slots=True)
class Call:
    """What a turn needs to know; times are seconds of ``clock`` (monotonic)."""

    agent: str
    endpoint: Endpoint
    messages: Sequence[Mapping[str, Any]]
    options: Options
    params: Params
    context: Context
    clock: Callable[[], float]
    started: float
    timeout: float
    random: Callable[[], float]
    max_retries: int
    call_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_params: bool = False
    stream: bool = True
    """Whether the caller takes the answer piece by piece."""
    attempt: Attempt = field(default_factory=Attempt)
    patience: float = PATIENCE
    """Seconds for which connection failures are tried again; 0 if the caller set max_retries."""

    def remaining(self) -> float:
        """Seconds left of the caller's timeout, which bounds the whole call."""
        return self.started + self.timeout - self.clock()

    def with_ids(self, ids: dict[str, str]) -> Call:
        """A copy of this call whose errors name ``ids``.

        The turn owns ``ids`` and goes on filling it (``thread_id``, ``run_id`` …); an error names
        what it holds when the error is made. Use the copy for all that the turn does.
        """
        return replace(self, context=replace(self.context, ids=ids))
