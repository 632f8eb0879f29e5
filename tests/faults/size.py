"""How much these tests do: a share that fits CI, or the long run of `python -m tests --torture`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

TORTURE = bool(os.environ.get("TESTS_TORTURE"))


def size(small: int, torture: int) -> int:
    """``torture`` in the long run, else ``small``."""
    return torture if TORTURE else small


def pairs(first: Sequence[A], second: Sequence[B]) -> list[tuple[A, B]]:
    """All pairs in the long run; else so few that each value of both is in one."""
    if TORTURE:
        return list(itertools.product(first, second))
    count = max(len(first), len(second))
    return [(first[n % len(first)], second[n % len(second)]) for n in range(count)]
