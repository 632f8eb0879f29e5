"""Built-in behaviours, named in `metadata["emulator_behaviour"]`, for what scripts can't do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .base import Action, Fail, Incomplete, NewMessage, NewPart, Text, Turn

_SPACE = re.compile(r"\S+\s*|\s+")
_FAIL = re.compile(r"fail with ([\w.-]+)(?:\s*:\s*(.*))?", re.I | re.S)
_AFTER_TEXT = re.compile(r"\s*after (?:some )?text\b\.?", re.I)
_COUNT = re.compile(r"\d{1,9}")
DEFAULT_MESSAGES = {
    "server_error": "Sorry, something went wrong.",
    "rate_limit_exceeded": "Rate limit is exceeded. Try again in 2 seconds.",
    "content_filter": "The response was filtered due to the prompt triggering content management.",
    "invalid_prompt": "The prompt was rejected.",
}


def words(text: str) -> Iterator[Text]:
    """A text word by word, with every space."""
    for match in _SPACE.finditer(text):
        yield Text(match.group())


def fail(turn: Turn) -> Iterator[Action]:
    """ "fail with CODE: message", with "after text" a few words first; else server_error."""
    text = turn.user_text
    if _AFTER_TEXT.search(text):
        yield from words("I was about to say ")
        text = _AFTER_TEXT.sub("", text)
    match = _FAIL.search(text)
    code = match.group(1) if match else "server_error"
    message = (match.group(2) or "").strip() if match else ""
    yield Fail(code, message or DEFAULT_MESSAGES.get(code, f"The run failed with {code}."))


def incomplete(turn: Turn) -> Iterator[Action]:
    """Some text, then max_completion_tokens; content_filter or max_prompt_tokens when asked."""
    yield from words("This answer stops before it is ")
    text = turn.user_text.lower()
    if "content_filter" in text or "content filter" in text:
        yield Incomplete("content_filter")
    elif "max_prompt_tokens" in text:
        yield Incomplete("max_prompt_tokens")
    else:
        yield Incomplete("max_completion_tokens")


def many(turn: Turn) -> Iterator[Action]:
    """As many words as the user names, 2000 by default."""
    match = _COUNT.search(turn.user_text)
    for number in range(min(int(match.group()) if match else 2000, 100_000)):
        yield Text(f"word{number} ")


def multi(turn: Turn) -> Iterator[Action]:
    """Two messages: one of two text parts, one of three."""
    yield from words("First message, part one.")
    yield NewPart()
    yield from words("First message, part two: " + turn.user_text)
    yield NewMessage()
    for number in ("one", "two", "three"):
        if number != "one":
            yield NewPart()
        yield from words(f"Second message, part {number}.")


def unicode(turn: Turn) -> Iterator[Action]:
    """Characters that careless clients break, and the user's text."""
    for piece in (
        "astral 😀👩‍👩‍👧 ",
        "line\u2028separator\u2029 ",
        "combining e\u0301 ",
        "nul-like \u0001\x7f ",
        "next\x85line ",
        "rtl עברית ",
        "中文 ",
        "crlf \r\n ",
        'quotes " \\ ',
    ):
        yield Text(piece)
    yield from words("You said: " + turn.user_text)


BEHAVIOURS: dict[str, Callable[[Turn], Iterator[Action]]] = {
    "fail": fail,
    "incomplete": incomplete,
    "many": many,
    "multi": multi,
    "unicode": unicode,
}
