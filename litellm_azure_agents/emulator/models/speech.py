"""Texts in pieces, as agents speak them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .base import Text

_SPACE = re.compile(r"\S+\s*|\s+")


def words(text: str) -> Iterator[Text]:
    """A text word by word, every space kept."""
    for match in _SPACE.finditer(text):
        yield Text(match.group())
