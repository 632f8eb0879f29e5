"""A classic run while it is processed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ..core.store import Doc
from ..engine.live import Live
from .writer import RunWriter


@dataclass
class LiveRun(Live):
    """A run, its deadline, and the calls that it waits for."""

    writer: RunWriter
    lifetime: float
    """Seconds until the run expires."""
    deadline: asyncio.TimerHandle | None = field(default=None, init=False)
    pending: list[Doc] = field(default_factory=list, init=False)
    """Calls that the client must answer while the run is in requires_action."""
    mcp_outputs: dict[str, str] = field(default_factory=dict, init=False)
    """What each MCP call will answer once it is approved, by call id."""
    submission: asyncio.Future[dict[str, Any]] | None = field(default=None, init=False)
    listed_servers: set[str] = field(default_factory=set, init=False)
    """MCP servers whose tools were listed."""

    @property
    def run(self) -> Doc:
        """The run as it is now."""
        return self.doc
