"""Which failures may be tried again, and when. No I/O and no clock."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable, Mapping

from .actions import Reply

DEFAULT_RETRIES = 2
"""Attempts after the first, as in the OpenAI clients."""
FIRST_BACKOFF, MAX_BACKOFF = 0.5, 8.0
PATIENCE = 15.0
"""Seconds for which a request is tried again that can't have reached the service."""
RECOVERY_PATIENCE = 30.0
"""Seconds for which the service is asked what became of a request that may have reached it."""
LOOKS = (0.25, 0.75, 1.5)
"""Pauses before each look for a request whose reply was lost: it may still be on its way."""
MAX_OBEYED_WAIT = 120.0
"""Seconds. A longer Retry-After is not obeyed: the error is raised at once."""
POLL_START, POLL_MAX = 0.25, 2.0
"""Seconds between two polls of a run: the first interval and the longest."""

# Both are linear in the length of the text: a word is read from its beginning only, and what
# repeats is followed by something else than itself.
_AGAIN = re.compile(r"(?<![a-z])(?:try|retry)[a-z]*\s+(?:again\s+)?(?:in|after)\s+(?=\d)", re.I)
_DURATION = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?)(?!\d)\s*"
    r"(ms|millisec[a-z]*|s(?:ec[a-z]*)?|m(?:in[a-z]*)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)?"
    r"(?![a-z])[\s,]*(?:and\s+)?",
    re.I,
)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def is_retryable(reply: Reply) -> bool:
    """Whether the service refused before it did anything: any request may then be sent again."""
    return reply.status in (429, 503)


def backoff(attempt: int, random: Callable[[], float]) -> float:
    """Seconds before attempt ``attempt`` (0-based) is repeated: doubling, jittered by a quarter."""
    base: float = min(FIRST_BACKOFF * 2**attempt, MAX_BACKOFF)
    return base * (0.75 + 0.25 * random())


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by the reply's headers, None if they don't say; ``now`` is unix time."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        value = _number(headers.get(name))
        if value is not None:
            return value / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is None and text:
        try:
            seconds = max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
        except (TypeError, ValueError):
            return None
    return seconds


def retry_after_in_text(message: str) -> float | None:
    """Seconds in a text such as "Try again in 17 seconds." (protocols A4), or None."""
    begin = _AGAIN.search(message)
    if not begin:
        return None
    seconds, position = 0.0, begin.end()
    while found := _DURATION.match(message, position):  # "1m30s", "2 minutes and 5 seconds"
        if found[2] is None and position > begin.end():
            break  # a number that says something else
        seconds += float(found[1]) * _unit(found[2])
        position = found.end()
    return seconds if position > begin.end() else None


def _unit(name: str | None) -> float:
    """Seconds in a unit of time; a number without one counts seconds."""
    unit = (name or "s").lower()
    return 0.001 if unit.startswith(("ms", "milli")) else _UNITS[unit[0]]


def poll_intervals(start: float | None) -> Callable[[], float]:
    """A function that returns the seconds until the next poll: growing by half, up to 2 s.

    An explicit ``start`` (the option ``poll_interval``) does not grow.
    """
    current = POLL_START if start is None else start

    def next_interval() -> float:
        nonlocal current
        interval = current
        if start is None:
            current = min(current * 1.5, POLL_MAX)
        return interval

    return next_interval


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
