"""Tokens: counted by words, digits and punctuation, and bounded by a run's limits; no I/O."""

from __future__ import annotations

import re
from typing import Protocol

from ..models.base import CallItem, Item, Turn, Usage
from .live import Stop

_TOKEN = re.compile(r"\w+|[^\w\s]")
MESSAGE_OVERHEAD = 3  # role and separators, as chat models have it
IMAGE_TOKENS = 85


def count(text: str) -> int:
    """Tokens of a text: a word, a run of digits or a punctuation mark is one."""
    return sum(1 for _ in _TOKEN.finditer(text))


def cut(text: str, limit: int) -> str:
    """The longest beginning of the text with at most `limit` tokens."""
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number == limit:
            return text[: match.start()]
    return text


def of_item(item: Item) -> int:
    """Tokens of one item of a conversation."""
    if isinstance(item, CallItem):
        return MESSAGE_OVERHEAD + count(item.arguments) + count(item.output)
    return MESSAGE_OVERHEAD + count(item.text) + IMAGE_TOKENS * len(item.images)


def of_prompt(turn: Turn) -> int:
    """Tokens that a model would read for a round of this turn."""
    tools = sum(8 + count(t.description) + count(str(dict(t.parameters))) for t in turn.tools)
    return count(turn.instructions) + tools + sum(map(of_item, turn.items)) + MESSAGE_OVERHEAD


class Meter(Protocol):
    """A writer's token counts."""

    def spend(self, prompt: int, output: int, reasoning: int = 0) -> None:
        """Add to the counts."""

    def spent(self) -> tuple[int, int]:
        """Tokens of prompts and of output so far, over all rounds."""
        ...


class Budget:
    """The tokens of one round. `limit` bounds the output of all rounds together.

    With `exact` the model keeps the limit and counts for itself, and reports at the end of the
    round (`correct`); everything else here then does nothing.
    """

    def __init__(self, meter: Meter, limit: int | None, *, exact: bool) -> None:
        self.exact = exact
        self._meter, self._limit = meter, limit
        self._before = meter.spent()

    def left(self) -> int | None:
        """What earlier rounds left of the limit, None without one. Raises Stop if that is 0."""
        if self._limit is None:
            return None
        left = self._limit - self._before[1]
        if left <= 0:
            raise over_limit()
        return left

    def read(self, prompt: int) -> None:
        """Count the tokens of the prompt."""
        if not self.exact:
            self._meter.spend(prompt, 0)

    def cut(self, text: str) -> str:
        """Count text up to the limit; returns the part that is within it."""
        if self.exact:
            return text
        if self._limit is not None:
            text = cut(text, max(0, self._limit - self._meter.spent()[1]))
        self._meter.spend(0, count(text))
        return text

    def spend(self, text: str) -> None:
        """Count output that can't be cut. Raises Stop if it is over the limit."""
        if self.exact:
            return
        self._meter.spend(0, count(text))
        if self._limit is not None and self._meter.spent()[1] > self._limit:
            raise over_limit()

    def note(self, text: str, *, reasoning: bool = False) -> None:
        """Count output that the limit doesn't bound."""
        if not self.exact:
            cost = count(text)
            self._meter.spend(0, cost, cost if reasoning else 0)

    def correct(self, true: Usage) -> None:
        """Replace this round's counts by those that a real model reported."""
        prompt, output = self._meter.spent()
        self._meter.spend(
            true.prompt_tokens - (prompt - self._before[0]),
            true.completion_tokens - (output - self._before[1]),
            true.reasoning_tokens,
        )


def over_limit() -> Stop:
    """The end of a run whose output reached its limit."""
    return Stop("incomplete", "max_completion_tokens")
