"""Damaged, doubled and silent streams as ``litellm.responses`` passes them on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from tests.support.damaged import (
    CASES,
    DAMAGES,
    SENTENCE,
    WORDS,
    Damage,
    frames,
    odd,
    plays,
    positions,
    spoken,
)
from tests.support.loopback import Loopback, loopback
from tests.support.streams import encode
from tests.support.ways import Way


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as played:
        yield played


def native(service: Loopback, way: Way, **arguments: Any) -> tuple[str, str]:
    """The text of a native call, as its deltas tell it (if any) and as its response has it."""
    given = {"model": "azure_ai/agents/bob", "input": "Hello", "api_base": service.url,
             "api_key": "k", "stream": way.streamed, **arguments}  # fmt: skip
    if way.is_async:
        return asyncio.run(anative(given))
    answer: Any = litellm.responses(**given)
    return read(list(answer)) if way.streamed else ("", said_in(answer))


async def anative(given: dict[str, Any]) -> tuple[str, str]:
    answer: Any = await litellm.aresponses(**given)
    return read([event async for event in answer]) if given["stream"] else ("", said_in(answer))


def read(events: list[Any]) -> tuple[str, str]:
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    (end,) = (e for e in events if e.type == "response.completed")
    return deltas, said_in(end.response)


def said_in(response: Any) -> str:
    items = response.model_dump()["output"]
    return "".join(part["text"] for item in items if item["type"] == "message"
                   for part in item["content"])  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_native_streams_around_a_damaged_event(service: Loopback, damage: Damage) -> None:
    events = spoken("responses", WORDS)
    plays(service, "responses", events)
    for place in ("one", " two", " seven"):
        parts = frames(events)
        damage(parts, positions(events, place)[0])
        service.plays(b"".join(parts))
        assert native(service, Way("sync stream")) == (SENTENCE, SENTENCE), place


@pytest.mark.parametrize("kind", ["doubled", "behind the end", "silent", "as it is"])
def test_native_calls_of_odd_streams(service: Loopback, way: Way, kind: str) -> None:
    events = spoken("responses", WORDS)
    plays(service, "responses", events)
    if kind == "doubled":
        service.plays(encode([event for event in events for _ in range(2)]))
    elif kind == "behind the end":
        service.plays(encode([*events, *events]))
    elif kind == "silent":
        service.plays(encode(events[:-1]))
        service.silent = True
    deltas, whole = native(service, way, silence_timeout=0.2)
    assert whole == SENTENCE
    assert deltas == (SENTENCE if way.streamed else "")


@pytest.mark.parametrize("case", CASES)
def test_native_streams_that_are_odd(service: Loopback, case: str) -> None:
    plays(service, "responses", odd("responses", case))
    deltas, whole = native(service, Way("sync stream"))
    assert whole == SENTENCE
    assert deltas == ("" if case == "no deltas" else SENTENCE)
