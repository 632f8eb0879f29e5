"""How much these tests do: a share that fits CI, or the long run of `python -m tests --torture`."""

from __future__ import annotations

import os

TORTURE = bool(os.environ.get("TESTS_TORTURE"))


def size(small: int, torture: int) -> int:
    """``torture`` in the long run, else ``small``."""
    return torture if TORTURE else small
