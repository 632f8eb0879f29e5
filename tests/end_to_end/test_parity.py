"""Every recorded stream, driven every way, gives the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import litellm
import pytest

from tests.support.stream_service import NAMES, Replay
from tests.support.ways import COUNTS_NOTHING_AS_NOTHING, WAYS, Result, Way

BASE = "https://acme.services.ai.azure.com/api/projects/demo"


@contextmanager
def client_of(replay: Replay) -> Iterator[None]:
    """LiteLLM's own settings for HTTP clients lead to the recording."""
    litellm.client_session = httpx.Client(transport=replay.transport)
    litellm.aclient_session = httpx.AsyncClient(transport=replay.transport)
    try:
        yield
    finally:
        litellm.client_session = litellm.aclient_session = None


def play(way: str, name: str, *, replay: Replay | None = None, **options: Any) -> Result:
    replay = replay or Replay(name)
    with client_of(replay):
        return Way(way).ask(
            model="azure_ai/agents/asst_rec",
            messages=[{"role": "user", "content": "Go."}],
            api_base=BASE,
            api_key="key",
            poll_interval=0.001 if options.get("run_mode") == "poll" else None,
            **options,
        )


def comparable(result: Result) -> tuple[Any, ...]:
    counted = COUNTS_NOTHING_AS_NOTHING or result.finish_reason != "tool_calls"
    return (
        result.text, result.finish_reason, result.usage if counted else None, result.ids,
        result.tool_calls, result.annotations, result.images, result.cost if counted else None,
        result.fields,
    )  # fmt: skip


def test_the_recordings_are_there() -> None:
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_five_ways_of_driving_agree(name: str) -> None:
    results = [play(way, name) for way in WAYS]
    results += [play(way, name, run_mode="poll") for way in WAYS]
    assert len(results) == 8
    first = comparable(results[0])
    assert first[0] or first[4], "the recording says nothing"
    for result in results[1:]:
        assert comparable(result) == first


@pytest.mark.parametrize("name", NAMES)
def test_byte_by_byte_is_the_same(name: str) -> None:
    whole = play("sync stream", name)
    bytewise = play("sync stream", name, replay=Replay(name, size=1))
    assert comparable(bytewise) == comparable(whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_cut_anywhere_loses_and_repeats_nothing(name: str) -> None:
    whole = comparable(play("sync stream", name))
    size = len(Replay(name).body)
    created = Replay(name).body.index(b"thread.run.queued")
    for cut in range(created, size, max(1, (size - created) // 60)):
        replay = Replay(name, cut=cut)
        assert comparable(play("sync stream", name, replay=replay)) == whole, f"cut at byte {cut}"


def test_an_ordinary_turn_is_one_request() -> None:
    for way in WAYS:
        replay = Replay("plain")
        play(way, "plain", replay=replay)
        assert [r.method for r in replay.requests] == ["POST"], way


def test_text_that_arrived_together_is_one_chunk() -> None:
    deltas = [c.choices[0].delta for c in play("async stream", "plain").chunks if c.choices]
    assert [delta.content for delta in deltas if delta.content] == ["Hello, world."]


def test_what_the_recordings_say() -> None:
    assert play("sync", "plain").text == "Hello, world."
    assert play("sync", "plain").usage == (41, 13, 54)
    price = litellm.model_cost["azure/gpt-4o-mini"]  # the model that the run reports
    assert play("sync", "plain").cost == pytest.approx(
        41 * price["input_cost_per_token"] + 13 * price["output_cost_per_token"]
    )
    assert play("sync", "many").text == "First message.\n\nSecond part.\n\nSecond message."
    assert play("sync", "length").finish_reason == "length"
    assert play("sync", "filtered").finish_reason == "content_filter"
    assert play("sync", "unicode").text == "a\u2028b\u2029c\x85d 👩🏽‍🚀e\u0301\r\n\x00?𝒳"
    tools = play("async stream", "tools")
    assert tools.finish_reason == "tool_calls"
    assert tools.text == "Let me look."
    assert [(n, a) for _, n, a in tools.tool_calls] == [
        ("get_weather", '{"location": "Zürich"}'),
        ("get_time", "{}"),
    ]
