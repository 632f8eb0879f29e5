"""The shared part of the protocol machines: from an event to its handler.

A machine reads the events of one answer and passes what they say to an `Answer`. It does no I/O and
has no clock. `threads/machine.py` and `responses/machine.py` hold the handlers.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from ..answer.answer import Answer
from ..core.actions import ServerEvent
from ..core.json_values import Json, as_text

END_OF_STREAM = "[DONE]"
"""Data of the last event of many streams, which is not JSON."""
NAMELESS = "message"
"""Name of an event that came without a name."""


class EventMachine(ABC):
    """Reads events one by one with `receive`, until one says how the answer ended."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.error: Json | None = None
        """Payload of an ``error`` event."""
        self.started = False
        """Whether the answer has begun: an error after this is one in mid-stream."""

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether the stream has said how the answer ended or why it waits."""

    @abstractmethod
    def handles(self, event: ServerEvent) -> bool:
        """Whether the event says something that is read. Others are not even decoded."""

    @abstractmethod
    def handle(self, name: str, data: Json) -> None:
        """Read one decoded event."""

    def receive(self, event: ServerEvent) -> None:
        """Read one event. What comes after the end is ignored."""
        if self.over or not (self.handles(event) or "\n" in event.data):
            return
        data = _decoded(event.data)
        if isinstance(data, dict):
            if self.handles(event):
                self.handle(event.name, data)
        elif event.name == "error":
            told = event.data if data is None else data
            text = told if isinstance(told, str) else json.dumps(told)
            self.handle(event.name, {"message": text})
        else:
            self._receive_lines(event.data)

    def _receive_lines(self, data: str) -> None:
        """Read the data of events that ran together: the blank line between them was lost.

        What can't be read is damage: it may have carried anything, also text.
        """
        for line in data.split("\n"):
            found = _decoded(line)
            if not isinstance(found, dict):
                if line.strip() and line != END_OF_STREAM:
                    self.answer.damage()
                continue
            event = ServerEvent(self.name_of(found), line)
            if self.handles(event) and not self.over:
                self.handle(event.name, found)

    @abstractmethod
    def name_of(self, data: Json) -> str:
        """The name of the event with this data, as far as the data tells it."""

    def piece(self, value: Any) -> str:
        """The text of a delta, "" if it has none. One of another type is damage."""
        if value is not None and not isinstance(value, str):
            self.answer.damage()
        return as_text(value)

    def start(self) -> None:
        """The answer begins: a first chunk that carries the ids alone."""
        if not self.started:
            self.started = True
            self.answer.announce()


def _decoded(data: str) -> Any:
    """The value of JSON; None if it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
