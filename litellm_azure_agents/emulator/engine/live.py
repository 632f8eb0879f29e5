"""A run while it lives: what its task, its writer and its routes share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ..core.events import EventLog
from ..core.store import Doc
from ..models.base import Item
from ..threads.writer import RunWriter
from .budget import Budget


class Stop(Exception):
    """The run ends now, by the brain's will."""

    def __init__(self, status: str, message_reason: str, **fields: Any) -> None:
        super().__init__(status)
        self.status, self.message_reason, self.fields = status, message_reason, fields


@dataclass
class LiveRun:
    """A run as long as its task lives, and its events for a while after."""

    run: Doc
    agent: Doc
    log: EventLog
    writer: RunWriter
    items: list[Item]
    deadline: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None
    pending: list[Doc] = field(default_factory=list)
    """Calls the client must answer while the run is in requires_action."""
    submission: asyncio.Future[dict[str, Any]] | None = None
    budget: Budget = field(init=False)
    """Of the round that is played."""
    listed_servers: set[str] = field(default_factory=set)
    end: str = "cancelled"
    """What a cancellation of the task means: cancelled, expired, or shutdown."""
