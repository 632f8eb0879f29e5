"""The tokens of one round: counted and bounded as they are written, or counted by the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..models.base import Usage
from . import tokens


class Meter(Protocol):
    """A writer, as far as it counts."""

    def spend(self, prompt: int, output: int, reasoning: int = 0) -> None:
        """Count tokens."""

    def spent(self) -> tuple[int, int]:
        """Tokens of prompts and of output so far, over all rounds."""
        ...


class Budget:
    """`limit` bounds the output of all rounds; `over` makes the exception that says so.

    `exact`: the brain counts for itself, and reports at the end of the round (`correct`).
    """

    def __init__(
        self, meter: Meter, limit: int | None, over: Callable[[], Exception], *, exact: bool
    ) -> None:
        self.exact = exact
        self._meter, self._limit, self._over = meter, limit, over
        self._before = meter.spent()

    def left(self) -> int | None:
        """What earlier rounds have left of the limit; None without one. Raises where it's none."""
        if self._limit is None:
            return None
        left = self._limit - self._before[1]
        if left <= 0:
            raise self._over()
        return left

    def read(self, prompt: int) -> None:
        """Count what the model reads."""
        if not self.exact:
            self._meter.spend(prompt, 0)

    def cut(self, text: str) -> str:
        """Count text as far as the limit allows; the text so far. Shorter, it calls for `stop`."""
        if self.exact:
            return text
        if self._limit is not None:
            text = tokens.cut(text, max(0, self._limit - self._meter.spent()[1]))
        self._meter.spend(0, tokens.count(text))
        return text

    def stop(self) -> Exception:
        """The end of a run whose text was cut."""
        return self._over()

    def spend(self, text: str) -> None:
        """Count output that can't be cut; over the limit the run stops before it is shown."""
        if self.exact:
            return
        self._meter.spend(0, tokens.count(text))
        if self._limit is not None and self._meter.spent()[1] > self._limit:
            raise self._over()

    def note(self, text: str, *, reasoning: bool = False) -> None:
        """Count what no limit cuts."""
        if not self.exact:
            cost = tokens.count(text)
            self._meter.spend(0, cost, cost if reasoning else 0)

    def correct(self, true: Usage) -> None:
        """Replace what was counted in this round by what a real model reported."""
        prompt, output = self._meter.spent()
        self._meter.spend(
            true.prompt_tokens - (prompt - self._before[0]),
            true.completion_tokens - (output - self._before[1]),
            true.reasoning_tokens,
        )
