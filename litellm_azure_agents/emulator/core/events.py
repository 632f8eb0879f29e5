"""The event log of a run and its rendering as SSE: one writer, any number of readers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

DONE = "done"
SSE_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
ARGUMENT_PIECE = 12  # characters of arguments or code in one delta: enough to be split


def frame(event: str, data: Any) -> bytes:
    """One server-sent event in the service's form."""
    text = data if isinstance(data, str) else dumps(data)
    return f"event: {event}\ndata: {text}\n\n".encode()


def dumps(data: Any) -> str:
    """Compact JSON without escapes for non-ASCII characters."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def pieces(text: str) -> list[str]:
    """A text in parts of a few characters, one for each delta."""
    return [text[i : i + ARGUMENT_PIECE] for i in range(0, len(text), ARGUMENT_PIECE)]


class EventLog:
    """The events of one run in order, kept as encoded frames.

    `done` ends a stream, not the log: a run that continues after a submission appends more events.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.frames: list[bytes] = []
        self.times: list[float] = []
        """When each was added, in seconds of the Unix epoch."""
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self.frames)

    def append(self, event: str, data: Any) -> None:
        """Add an event and wake the readers."""
        self.names.append(event)
        self.frames.append(frame(event, data))
        self.times.append(time.time())
        self._wake()

    def close(self) -> None:
        """End every reader's stream: no more events will come."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def read(self, start: int = 0) -> AsyncIterator[bytes]:
        """Yield frames from position `start` up to the next `done`; wait for those not there yet.

        Frames that are already there are yielded as one chunk.
        """
        position = start
        while True:
            end, last = len(self.frames), False
            for index in range(position, end):
                if self.names[index] == DONE:
                    end, last = index + 1, True
                    break
            if end > position:
                yield b"".join(self.frames[position:end])
                position = end
            if last or (self._closed and position == len(self.frames)):
                return
            if position == len(self.frames):
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)
