"""Every stream of both protocols, made and read in every way, gives one answer.

The eight ways are: sync and async, whole and streamed, by an event stream and by polling.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from tests.support.playing import (
    WAYS_AND_MODES,
    comparable,
    play,
    play_everywhere,
)
from tests.support.stream_service import SERVICES
from tests.support.streams import BUILT, encode, file_of, names
from tests.support.ways import WAYS, Result

STREAMS = [(protocol, name) for protocol in SERVICES for name in names(protocol)]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with everything": {"include_run_steps": True, "citations": "footnotes",
                        "include_images": "inline"},
}  # fmt: skip
every_stream = pytest.mark.parametrize(("protocol", "name"), STREAMS)
CUTS = 60


def test_the_number_of_cases() -> None:
    assert len(WAYS_AND_MODES) == len(set(WAYS_AND_MODES)) == 8
    assert {protocol: len(names(protocol)) for protocol in SERVICES} == {
        "threads": 12, "responses": 11
    }  # fmt: skip
    assert len(STREAMS) * len(OPTIONS) * len(WAYS_AND_MODES) == 368


@every_stream
def test_a_stored_stream_is_what_its_builder_makes(protocol: str, name: str) -> None:
    assert file_of(protocol, name).read_bytes() == encode(BUILT[protocol][name]), (
        "run `python -m tests.support.streams`"
    )


@pytest.mark.parametrize("options", OPTIONS)
@every_stream
def test_eight_ways_give_one_answer(protocol: str, name: str, options: str) -> None:
    result = play_everywhere(name, protocol=protocol, **OPTIONS[options])
    if OPTIONS[options].get("include_run_steps"):
        assert says_something(result)


def says_something(result: Result) -> bool:
    """Else a comparison of answers compares nothing."""
    texts = (result.text, result.reasoning, result.refusal)
    fields = (result.fields.get("items"), result.fields.get("run_steps"))
    return any([*texts, *fields, result.tool_calls, result.images])


@every_stream
def test_byte_by_byte_is_the_same(protocol: str, name: str) -> None:
    whole = play("sync stream", name, protocol=protocol)
    service = SERVICES[protocol](name, size=1)
    bytewise = play("sync stream", name, protocol=protocol, service=service)
    assert comparable(bytewise) == comparable(whole)


@every_stream
def test_a_stream_cut_anywhere_loses_and_repeats_nothing(protocol: str, name: str) -> None:
    whole = comparable(play("sync stream", name, protocol=protocol))
    cuts = list(places_to_cut(protocol, name))
    assert len(cuts) >= CUTS
    for cut in cuts:
        service = SERVICES[protocol](name, cut=cut)
        result = play("sync stream", name, protocol=protocol, service=service)
        assert comparable(result) == whole, f"cut at byte {cut}"


def places_to_cut(protocol: str, name: str) -> Iterator[int]:
    """Some numbers of bytes after which the stream has named its run or response."""
    body = SERVICES[protocol](name).body
    created = {"threads": b"thread.run.queued", "responses": b"event: response.in_progress"}
    start = body.index(created[protocol])
    yield from range(start, len(body), max(1, (len(body) - start) // CUTS))


@pytest.mark.parametrize(("protocol", "name"), [("threads", "plain"), ("responses", "a_citation")])
def test_an_ordinary_turn_is_one_request(protocol: str, name: str) -> None:
    for way in WAYS:
        service = SERVICES[protocol](name)
        play(way, name, protocol=protocol, service=service)
        assert [r.method for r in service.requests] == ["POST"], way


def test_text_that_arrived_together_is_one_chunk() -> None:
    deltas = [c.choices[0].delta for c in play("async stream", "plain").chunks if c.choices]
    assert [delta.content for delta in deltas if delta.content] == ["Hello, world."]


def test_what_the_streams_of_classic_agents_say() -> None:
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


def test_what_the_streams_of_new_agents_say() -> None:
    def answer(name: str) -> Result:
        return play("sync", name, protocol="responses")

    assert answer("two_messages").text == "Hello \n\nthere\n\n!"
    assert answer("two_messages").usage == (3, 4, 7)
    assert answer("two_messages").finish_reason == "stop"
    assert answer("reasoning").reasoning == "One\n\nTwo\n\nraw"
    assert answer("calls").finish_reason == "tool_calls"
    assert [(n, a) for _, n, a in answer("calls").tool_calls] == [("f", '{"a": 1}'), ("f", "{}")]
    assert answer("an_approval").finish_reason == "tool_calls"
    assert len(answer("an_image").images) == 1
