"""The shared part of the protocol machines: from an event to its handler.

A machine reads the events of one answer and passes what they say to an `Answer`. It does no I/O and
has no clock. `threads/machine.py` and `responses/machine.py` hold the handlers.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import msgspec

from ..answer.answer import Answer
from ..core.actions import ServerEvent
from ..core.json_values import Json


class EventMachine(ABC):
    """Reads events one by one with `receive`, until one says how the answer ended."""

    text_event: str
    """Name of the event that comes most often: a piece of text."""
    text_decoder: msgspec.json.Decoder[Any]
    """Decodes that event to the type that `handle_text` takes, see ``events.py``."""

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

    @abstractmethod
    def handle_text(self, event: Any) -> None:
        """Read a piece of text, decoded to its type. Does what `handle` does for its JSON."""

    def receive(self, event: ServerEvent) -> None:
        """Read one event. What comes after the end is ignored."""
        if self.over or not self.handles(event):
            return
        if event.name == self.text_event:
            try:
                text = self.text_decoder.decode(event.data)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                pass  # it says more than text, or is damaged
            else:
                self.handle_text(text)
                return
        data: Any
        try:
            data = json.loads(event.data)
        except (ValueError, RecursionError):
            if event.name != "error":
                self.answer.damage()  # it may have carried anything, also text
                return
            data = event.data
        if not isinstance(data, dict):
            data = {"message": data if isinstance(data, str) else json.dumps(data)}
        self.handle(event.name, data)

    def start(self) -> None:
        """The answer begins: a first chunk that carries the ids alone."""
        if not self.started:
            self.started = True
            self.answer.announce()
