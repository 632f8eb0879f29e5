"""One round: the model's actions are written and its hosted calls answered.

This is the loop of both protocols. A protocol says in a subclass how things are written.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from ..models.base import (
    Annotation,
    CallFunction,
    CallMcp,
    CallPiece,
    Fail,
    Image,
    Incomplete,
    Logs,
    MessageItem,
    NewMessage,
    NewPart,
    OutputFile,
    OutputItem,
    Reason,
    Refuse,
    RunCode,
    SearchFiles,
    Text,
    Turn,
    Usage,
    UseTool,
    Wait,
    reports_usage,
)
from . import tokens
from .live import Live, Stop, failed
from .services import Services


class Writer(tokens.Meter, Protocol):
    """What the loop needs of a protocol's writer."""

    def text(self, text: str, annotations: Sequence[Annotation] = ()) -> None:
        """Write more text."""

    def new_part(self) -> None:
        """Begin another text part."""

    def close_message(self) -> None:
        """Finish the open message, if any."""

    def call_piece(self, index: int, name: str, arguments: str) -> None:
        """Write a piece of a function call."""


L = TypeVar("L", bound=Live)
Call = CallFunction | CallMcp


class Rounds(ABC, Generic[L]):
    """Plays the rounds of runs or responses."""

    def __init__(self, services: Services) -> None:
        self.model = services.model
        self.toolbox = services.toolbox
        self.vectors = services.vectors

    async def play_round(self, live: L, turn: Turn, limit: int | None) -> bool:
        """Play one round; returns whether another is needed.

        `limit` bounds the output tokens of all rounds. Raises Stop where the run ends.
        """
        turn = replace(turn, read_file=self.toolbox.read_file)
        writer = self._writer(live)
        exact = reports_usage(self.model, turn)
        live.budget = budget = tokens.Budget(writer, limit, exact=exact)
        if exact:
            turn = replace(turn, max_output_tokens=budget.left())
        budget.read(tokens.of_prompt(turn))
        text: list[str] = []
        calls: list[Call] = []
        hosted = False
        async for action in self.model.respond(turn):
            await asyncio.sleep(0)  # fairness: other runs and readers get their turn
            match action:
                case Text():
                    text.append(self._write_text(live, action))
                case Refuse():
                    text.append(self._write_refusal(live, action))
                case NewPart():
                    writer.new_part()
                    text.append("\n")
                case NewMessage():
                    writer.close_message()
                    text.append("\n")
                case Image():
                    self._write_image(live, action)
                case Reason() | OutputItem():
                    self._write_item(live, action)
                case Wait():
                    await asyncio.sleep(action.seconds)
                case Fail():
                    raise failed(action.code, action.message)
                case Incomplete():
                    raise Stop("incomplete", action.reason)
                case Usage():
                    budget.correct(action)
                case CallFunction() | CallMcp():
                    self._count_call(live, action)
                    calls.append(action)
                case CallPiece():
                    self._end_message(live, text)
                    budget.spend(action.name + action.arguments)
                    writer.call_piece(action.index, action.name, action.arguments)
                case SearchFiles() | RunCode() | UseTool():
                    hosted = True
                    self._end_message(live, text)
                    if self._may_use_hosted(live):
                        await self._use_hosted(live, action)
        self._end_message(live, text)
        return await self._answer_calls(live, calls, hosted)

    def _write_text(self, live: L, action: Text) -> str:
        """Write text up to the limit; returns what was written. Raises Stop at the limit."""
        text = live.budget.cut(action.text)
        whole = text == action.text
        if text:
            self._writer(live).text(text, action.annotations if whole else ())
        if not whole:
            raise tokens.over_limit()
        return text

    def _end_message(self, live: L, text: list[str]) -> None:
        """Close the open message and add its text to the conversation."""
        self._writer(live).close_message()
        if message := "".join(text).strip("\n"):
            live.items.append(MessageItem("assistant", message))
        text.clear()

    async def _use_hosted(self, live: L, action: SearchFiles | RunCode | UseTool) -> None:
        """Run a tool that needs no answer of the client."""
        match action:
            case SearchFiles():
                live.budget.spend(action.query)
                self._search(live, action.query)
            case RunCode():
                live.budget.spend(action.code)
                outputs: Sequence[Logs | OutputFile] | None = action.outputs
                if outputs is None:
                    ids = self._code_file_ids(live)
                    for item in live.items:
                        ids += item.file_ids if isinstance(item, MessageItem) else ()
                    outputs = await self.toolbox.interpret(action.code, self.toolbox.files(ids))
                self._write_code(live, action.code, outputs)
            case UseTool():
                self._write_tool(live, action)

    # ---- what a protocol defines --------------------------------------------------------------

    @abstractmethod
    def _writer(self, live: L) -> Writer:
        """The writer of a run."""

    @abstractmethod
    def _write_refusal(self, live: L, action: Refuse) -> str:
        """Write a refusal; returns what the conversation keeps of it."""

    @abstractmethod
    def _write_image(self, live: L, action: Image) -> None:
        """Write an image of the answer."""

    def _write_item(self, live: L, action: Reason | OutputItem) -> None:
        """Write reasoning or an output item. A protocol that has neither leaves them out."""

    def _count_call(self, live: L, call: Call) -> None:
        """Count the tokens of a call when the model makes it, for protocols that do so then."""

    def _may_use_hosted(self, live: L) -> bool:
        """Whether the run may still use hosted tools."""
        return True

    @abstractmethod
    def _search(self, live: L, query: str) -> None:
        """Search the files that the run can see, and write the search."""

    @abstractmethod
    def _code_file_ids(self, live: L) -> list[str]:
        """Files for code interpreter beside those in messages."""

    @abstractmethod
    def _write_code(self, live: L, code: str, outputs: Sequence[Logs | OutputFile]) -> None:
        """Write a use of code interpreter and add it to the conversation."""

    @abstractmethod
    def _write_tool(self, live: L, action: UseTool) -> None:
        """Write a use of another hosted tool and add it to the conversation."""

    @abstractmethod
    async def _answer_calls(self, live: L, calls: Sequence[Call], hosted: bool) -> bool:
        """Get the calls answered, or end the turn with them; returns whether a round follows.

        `hosted`: whether the round used hosted tools.
        """
