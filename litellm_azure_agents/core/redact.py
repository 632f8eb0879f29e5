"""Removes tokens, keys and secrets from text that goes into error messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from .json_values import whole

_MAX_TEXT = 2000
"""Characters of a message that are kept: a gateway may answer with a whole page."""
_MAX_LINE = 300
_REDACTED = "[redacted]"
_SHORTEST_SECRET = 6
"""Characters. Shorter ones are found in ordinary words, and protect nothing."""
_LONG_SECRET, _HEAD = 20, 8
"""Of a secret that is at least so long, its first characters are looked for, too."""

_GUID = r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
_JWT = r"\beyJ[\w-]+(?:\.[\w-]*)*"


def _pattern(
    names: str, *, first: tuple[str, ...] = (), last: tuple[str, ...] = ()
) -> re.Pattern[str]:
    named = rf"(?P<name>\bbearer\s+|\b(?:{names})\b[\"']?\s*[=:]\s*)[\"']?[^\s,\"'&]+"
    return re.compile("|".join([*first, _JWT, named, *last]), re.IGNORECASE)


_SECRET = _pattern(r"api[-_]?key|client_secret|access_token|sig")
_ANY_SECRET = _pattern(
    r"[\w-]*(?:secret|token|assertion|password|key|sig)",
    # Tenant ids and trace ids help whoever reads the error.
    first=(rf"(?P<keep>(?<![\w~+=-]){_GUID}(?![\w~+=-]))",),
    last=(r"(?=[A-Za-z_~+=-]*\d)[\w~+=-]{32,}[\w~+=.-]*",),
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` for an error message: without ``secrets`` and anything that looks like a token, a
    key or a secret; not too long, and in whole characters."""
    text = _redacted(_SECRET, without(whole(text), secrets))
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + " […]"


def without(text: str, secrets: Iterable[str]) -> str:
    """``text`` without the values ``secrets``, also URL-encoded.

    Of a long secret its beginning is removed as well, however much of it there is: the text may
    have been cut in its midst.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            for form in {secret, quote(secret, safe="")}:
                text = _without_one(text, form)
    return text


def _without_one(text: str, secret: str) -> str:
    head = secret[:_HEAD] if len(secret) >= _LONG_SECRET else secret
    at = text.find(head)
    if at < 0:
        return text
    parts, end = [], 0
    while at >= 0:
        parts += [text[end:at], _REDACTED]
        end = at + len(head)
        length = len(head)
        while length < len(secret) and text[end : end + 1] == secret[length]:
            end, length = end + 1, length + 1
        at = text.find(head, end)
    return "".join([*parts, text[end:]])


def scrub_strictly(text: str, secrets: Sequence[str] = ()) -> str:
    """The first line of ``text``, which is about a credential, without secrets and short.

    Also removes ``secrets`` and every long word that has a digit. (The ids of threads and responses
    are such words, so `scrub` keeps them.)
    """
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    for secret in secrets:
        line = line.replace(secret, _REDACTED)
    # Cut first: the pattern is quadratic in the length of a word, and a line may be a whole page.
    return _redacted(_ANY_SECRET, line[:1000])[:_MAX_LINE]


def _redacted(pattern: re.Pattern[str], text: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        groups = match.groupdict()
        return groups.get("keep") or f"{groups['name'] or ''}{_REDACTED}"

    return pattern.sub(replacement, text)
