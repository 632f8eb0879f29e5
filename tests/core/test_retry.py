"""When to try again, and after how long."""

from __future__ import annotations

import pytest

from litellm_azure_agents.core.actions import Reply
from litellm_azure_agents.core.retry import (
    backoff,
    is_retryable,
    poll_intervals,
    retry_after,
    retry_after_in_text,
)

NOW = 1_795_248_000.0  # Sat, 21 Nov 2026 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Sat, 21 Nov 2026 08:00:20 GMT"}, 20),
        ({"retry-after": "Sat, 21 Nov 2026 07:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit is exceeded. Try again in 17 seconds.", 17),
        ("Please retry after 2.5 seconds", 2.5),
        ("try again in 400ms", 0.4),
        ("Try again in 2 minutes", 120),
        ("Please retry after 26 seconds.", 26),
        ("Please try again in 1m12.5s.", 72.5),
        ("Please try again in 6m0s. Visit https://a.test/3", 360),
        ("Retry after 1 minute and 5 seconds, 3 times at most", 65),
        ("Try again in 2 hours", 7200),
        ("Please retry after 1 day", 86400),
        ("Please retry after 26", 26),
        ("No idea when", None),
        ("Try again later", None),
    ],
)
def test_retry_after_in_text(text: str, seconds: float | None) -> None:
    assert retry_after_in_text(text) == seconds


def test_only_what_was_refused_unread_is_retryable() -> None:
    assert [s for s in range(200, 600) if is_retryable(Reply(s, {}))] == [429, 503]


def test_backoff_doubles_within_bounds() -> None:
    assert [backoff(n, lambda: 1.0) for n in range(6)] == [0.5, 1, 2, 4, 8, 8]
    assert backoff(0, lambda: 0.0) == 0.375


def test_poll_intervals_grow_from_250_ms_unless_given() -> None:
    grows, fixed = poll_intervals(None), poll_intervals(0.1)
    given = [grows() for _ in range(10)]
    assert given[0] == 0.25
    assert given == sorted(given)
    assert given[-1] == 2.0
    assert [fixed() for _ in range(3)] == [0.1, 0.1, 0.1]
