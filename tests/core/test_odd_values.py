"""Values that JSON or UTF-8 can't say, and secrets in texts."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_azure_agents.core.json_values import MAX_DEPTH, sendable
from litellm_azure_agents.core.redact import scrub, without


def nested(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_broken_characters_are_repaired() -> None:
    assert sendable({"a\ud800": ["\ud83d\ude00", ("\udc00",)]}) == {"a\ufffd": ["😀", ["\ufffd"]]}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        pytest.param(10**5000, id="huge"),
        nested(MAX_DEPTH + 1),
        b"x",
        object(),
        {b"x": 1},
    ],
)
def test_what_cannot_be_sent(value: Any) -> None:
    with pytest.raises(ValueError, match="it "):
        sendable({"a": [value]})


def test_what_can_be_sent_stays_as_it_is() -> None:
    value = {"a": [1, -2.5, None, True, "é", 10**30], "b": nested(MAX_DEPTH - 2)}
    assert sendable(value) == value
    other = object()
    assert sendable([other], strict=False) == [other]


LONG = "pl4nted-t0ken-Zq7XvB2mKd9RwL"


@pytest.mark.parametrize("text", [LONG, LONG[:14], LONG[:8], f"({LONG})", LONG * 2, "a" + LONG])
def test_a_secret_is_removed_however_it_is_cut(text: str) -> None:
    found = without(f"the token {text} is bad", [LONG])
    assert found.startswith("the token ")
    assert found.endswith(" is bad")
    assert LONG[:8] not in found
    assert "[redacted]" in found


def test_a_secret_is_removed_url_encoded() -> None:
    assert without("key=a%2Fb%2Bc%3D%3D.", ["a/b+c=="]) == "key=[redacted]."


def test_other_words_stay() -> None:
    assert without("kind key", ["k", "key", ""]) == "kind key"
    assert without("the emulator", ["emulator-token"]) == "the emulator"
    assert scrub("half \ud83d", ()) == "half \ufffd"
