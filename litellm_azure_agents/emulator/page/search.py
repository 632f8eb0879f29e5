"""Words in objects: what a search on the page finds, and how it shows the place. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_AROUND = 60
MOST_WORDS = 50  # of a text that was pasted, they find it as well


def words_of(query: str) -> list[str]:
    """All of these must be there; `"quoted"` text is one of them."""
    parts = query.split('"')
    quoted = parts[1::2]
    words = [*(word for part in parts[::2] for word in part.split()), *filter(None, quoted)]
    return words[:MOST_WORDS]


def plain_parts(words: Sequence[str]) -> list[str]:
    """Of each word the longest part in ASCII: all that the database matches in either case."""
    parts = (max(re.findall(r"[\x20-\x7e]+", word), key=len, default="") for word in words)
    return [part for part in parts if part]


def texts_of(value: Any) -> Iterator[str]:
    """Every string in a JSON value; names of fields and what tells only types are left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("type", "object", "role"):
                yield from texts_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def found(value: Any, words: Sequence[str]) -> str | None:
    """The text where the first word is, when all words are somewhere in the value."""
    texts = list(texts_of(value))
    folded = [text.casefold() for text in texts]
    place: str | None = None
    for number, word in enumerate(words):
        at = next((n for n, text in enumerate(folded) if word.casefold() in text), None)
        if at is None:
            return None
        if number == 0:
            place = texts[at]
    return place


def around(text: str, word: str) -> str:
    """A line with the word in it."""
    at = max(0, text.casefold().find(word.casefold()))
    start, end = max(0, at - _AROUND), at + len(word) + _AROUND
    cut = " ".join(text[start:end].split())
    return ("…" if start else "") + cut + ("…" if end < len(text) else "")
