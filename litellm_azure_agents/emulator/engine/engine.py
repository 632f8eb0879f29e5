"""The tasks of runs: started, ended, shut down; finished runs are remembered for their events."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Generic, TypeVar

from ..core.errors import ApiError
from ..core.settings import KEPT_FINISHED_RUNS
from .live import Live, Stop, failed
from .services import Services

logger = logging.getLogger(__name__)

L = TypeVar("L", bound=Live)


class Engine(ABC, Generic[L]):
    """The runs or responses of a project: one task each, independent of connections."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = services.store
        self.settings = services.settings
        self.recent: OrderedDict[str, L] = OrderedDict()
        """By id: unfinished runs, and the last finished ones (their events)."""

    @abstractmethod
    async def _play(self, live: L) -> None:
        """Play a run to its end; returns when it is completed. Raises Stop for other ends."""

    @abstractmethod
    def _finish(self, live: L, end: Stop) -> None:
        """Store and announce the end of a run."""

    @abstractmethod
    def _release(self, live: L) -> None:
        """Let others use what the run held: its thread or conversation."""

    def unfinished(self) -> list[L]:
        """Runs that have not ended."""
        return [live for live in self.recent.values() if not live.finished.is_set()]

    async def shutdown(self) -> None:
        """End all tasks and streams without finishing the runs."""
        lives = self.unfinished()
        for live in lives:
            self._end(live, "shutdown")
        await asyncio.gather(*(live.task for live in lives if live.task), return_exceptions=True)
        for live in self.recent.values():
            live.log.close()

    def clear(self) -> None:
        """Forget all runs in memory."""
        self.recent.clear()

    def _remember(self, live: L) -> None:
        """Keep a new run, and the events of a bounded number of finished ones."""
        self.recent[live.doc["id"]] = live
        finished = [id for id, other in self.recent.items() if other.finished.is_set()]
        for id in finished[: max(0, len(finished) - KEPT_FINISHED_RUNS)]:
            del self.recent[id]

    def _start(self, live: L) -> None:
        live.task = asyncio.get_running_loop().create_task(self._run(live))

    def _end(self, live: L, why: str) -> None:
        """Cancel the task of a run; `why` is cancelled, expired or shutdown."""
        if live.task is not None and not live.finished.is_set():
            live.end = why
            live.task.cancel()

    async def _run(self, live: L) -> None:
        try:
            self._finish(live, await self._outcome(live))
        finally:
            self._release(live)
            live.finished.set()

    async def _outcome(self, live: L) -> Stop:
        """Play a run; returns how it ended."""
        try:
            await asyncio.sleep(0)  # a cancellation before the first step finds us awaiting
            await self._play(live)
        except Stop as stop:
            return stop
        except asyncio.CancelledError:
            if live.end == "shutdown":
                raise
            return Stop(live.end)
        except ApiError as error:
            return failed(error.code, error.message)
        except Exception as error:
            logger.exception("%s failed", live.doc["id"])
            return failed("server_error", str(error) or type(error).__name__)
        return Stop("completed")
