"""Sync calls: the driver runs on the process's background loop, the caller waits for it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypeVar

from ..core.actions import Job, Turn
from .aio import Playing, Setup
from .background import background

T = TypeVar("T")


class SyncDriver:
    """Performs the actions of one turn or job, for a caller without an event loop."""

    def __init__(self, setup: Setup) -> None:
        self._setup = replace(setup, sync=True)

    def play(self, turn: Turn[T]) -> Generator[list[T], None, None]:
        """Yields what the turn emits. Abandons the turn if it is closed or fails before its end."""
        loop = background()
        playing: Playing[T] = self._setup.driver().play(turn)
        try:
            while (items := loop.run(_next(playing))) is not None:
                yield items
        finally:
            loop.run(playing.aclose())

    def perform(self, job: Job) -> Any:
        """The value of a job. Abandons the job if it is interrupted or fails before its end."""
        return background().run(self._setup.driver().perform(job))


async def _next(playing: Playing[T]) -> list[T] | None:
    return await anext(playing, None)
