"""Deterministic token counts: a word, a run of digits or a punctuation mark is one token."""

from __future__ import annotations

import re

from ..models.base import CallItem, Item, Turn

_TOKEN = re.compile(r"\w+|[^\w\s]")
MESSAGE_OVERHEAD = 3  # role and separators, as chat models have it
IMAGE_TOKENS = 85


def count(text: str) -> int:
    """Tokens of a text."""
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
