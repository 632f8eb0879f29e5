"""A run or response while it is processed: what its task, its writer and its routes share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.events import EventLog
from ..core.store import Doc
from ..models.base import Item

if TYPE_CHECKING:
    from .tokens import Budget


class Stop(Exception):
    """A run ends now. `reason` says why it is incomplete, `error` why it failed."""

    def __init__(
        self, status: str, reason: str = "", error: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(status)
        self.status, self.reason, self.error = status, reason, error


def failed(code: str | None, message: str) -> Stop:
    """The end of a run that failed."""
    return Stop("failed", error={"code": code, "message": message})


@dataclass
class Live:
    """A run or response as long as its task runs, and its events for some time after."""

    doc: Doc
    log: EventLog
    metadata: Mapping[str, str]
    """The agent's."""
    items: list[Item]
    """The conversation that the model sees."""
    budget: Budget = field(init=False)
    """Of the current round."""
    task: asyncio.Task[None] | None = field(default=None, init=False)
    finished: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    end: str = field(default="cancelled", init=False)
    """What a cancellation of the task means: cancelled, expired, or shutdown."""
