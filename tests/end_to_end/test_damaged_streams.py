"""Damaged, doubled, late and missing events, from a service on a loopback socket.

Each case is a stream of bytes and what its answer is. A whole answer is the finished text; a
streamed one begins with nothing else, and says so where the service revised what it had sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import thread_streams
from tests.support.damaged import (
    CASES,
    DAMAGES,
    PROTOCOLS,
    SENTENCE,
    WORDS,
    Damage,
    ask,
    begun,
    cut_short,
    ended,
    frames,
    numbered,
    odd,
    plays,
    positions,
    said_by_response,
    said_by_run,
    spoken,
)
from tests.support.loopback import Events, Loopback, loopback
from tests.support.response_streams import final, message, text
from tests.support.stream_service import ResponseService
from tests.support.streams import encode, names
from tests.support.thread_streams import (
    call_delta,
    ending,
    opening,
    run,
    tool_delta,
    tools_step,
)
from tests.support.ways import Result, Way


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as played:
        yield played


# -- 1: events that can't be decoded -----------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_text_around_a_damaged_event_comes_whole_and_once(
    service: Loopback, protocol: str, damage: Damage
) -> None:
    events = spoken(protocol, WORDS)
    plays(service, protocol, events)
    for place in ("one", " two", " seven"):
        parts = frames(events)
        (at,) = positions(events, place)
        damage(parts, at)
        service.plays(b"".join(parts))
        for way in ("sync", "sync stream"):
            result = ask(service, protocol, Way(way))
            assert (result.text, result.finish_reason) == (SENTENCE, "stop"), (place, way)
            assert "text_revised" not in result.fields


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_damaged_events_in_every_way(service: Loopback, way: Way, protocol: str) -> None:
    events = spoken(protocol, WORDS)
    parts = frames(events)
    for at in positions(events, " two", " three"):
        cut_short(parts, at)
    plays(service, protocol, events)
    service.plays(b"".join(parts))
    result = ask(service, protocol, way)
    assert (result.text, result.finish_reason) == (SENTENCE, "stop")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_damaged_last_message_is_fetched(service: Loopback, way: Way, protocol: str) -> None:
    events = spoken(protocol, WORDS)
    parts = frames(events)
    for at, (name, _) in enumerate(events):
        if name.endswith((".done", ".completed")):
            cut_short(parts, at)
    cut_short(parts, positions(events, " two")[0])
    plays(service, protocol, events)
    service.plays(b"".join(parts))
    result = ask(service, protocol, way)
    assert (result.text, result.finish_reason) == (SENTENCE, "stop")


ARGUMENTS = '{"place": "Paris", "days": 3}'
PIECES = [ARGUMENTS[i : i + 7] for i in range(0, len(ARGUMENTS), 7)]


def calling(protocol: str) -> Events:
    """A function call, whose arguments come in `PIECES`."""
    if protocol == "threads":
        first = {"id": "call_1", "name": "f"}
        return [
            *opening(),
            ("thread.run.step.created", tools_step("step_1", "in_progress")),
            *(call_delta("step_1", 0, p, **({} if n else first)) for n, p in enumerate(PIECES)),
            ("thread.run.requires_action", waiting()),
            ("done", "[DONE]"),
        ]
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f"}
    at = {"output_index": 0, "item_id": "fc_1"}
    whole = {**item, "arguments": ARGUMENTS, "status": "completed"}
    return numbered([
        *begun(),
        ("response.output_item.added", {"output_index": 0, "item": {**item, "arguments": ""}}),
        *(("response.function_call_arguments.delta", {**at, "delta": p}) for p in PIECES),
        ("response.function_call_arguments.done", {**at, "arguments": ARGUMENTS}),
        ("response.output_item.done", {"output_index": 0, "item": whole}),
        *ended([whole]),
    ])  # fmt: skip


def waiting() -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ARGUMENTS}}
    return run("requires_action", required_action={
        "type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}
    })  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("places", [[0], [1], [2, 3], [0, 4]])
def test_arguments_around_damaged_events(
    service: Loopback, way: Way, protocol: str, places: list[int]
) -> None:
    events = calling(protocol)
    parts = frames(events)
    first = next(i for i, (name, _) in enumerate(events) if name.endswith(".delta"))
    for place in places:
        cut_short(parts, first + place)
    service.ended = waiting() if protocol == "threads" else final([events[-2][1]["item"]])
    service.plays(b"".join(parts))
    result = ask(service, protocol, way)
    assert result.finish_reason == "tool_calls"
    assert [call[1:] for call in result.tool_calls] == [("f", ARGUMENTS)]


def aside(kind: str) -> tuple[Events, list[Any]]:
    """A new agent's stream with reasoning, a refusal or code in pieces, and its items."""
    at: dict[str, Any] = {"output_index": 0, "item_id": "item_1"}
    if kind == "code":
        item = {"type": "code_interpreter_call", "id": "item_1", "status": "completed",
                "code": SENTENCE, "container_id": "cntr_1", "outputs": []}  # fmt: skip
        bare, name = {**item, "code": "", "status": "in_progress"}, "code_interpreter_call_code"
    elif kind == "refusal":
        item = message("item_1", {"type": "refusal", "refusal": SENTENCE})
        bare, name = {**item, "content": []}, "refusal"
    elif kind == "summary":
        item = {"type": "reasoning", "id": "item_1",
                "summary": [{"type": "summary_text", "text": SENTENCE}]}  # fmt: skip
        bare, name = {**item, "summary": []}, "reasoning_summary_text"
    else:
        item = {"type": "reasoning", "id": "item_1", "summary": [],
                "content": [{"type": "reasoning_text", "text": SENTENCE}]}  # fmt: skip
        bare, name = {**item, "content": []}, "reasoning_text"
    output = [item, message("msg_1", text("Done"))]
    return numbered([
        *begun(),
        ("response.output_item.added", {"output_index": 0, "item": bare}),
        *((f"response.{name}.delta", {**at, "delta": word}) for word in WORDS),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        *said_by_response(1, "msg_1", ["Do", "ne"], "Done"),
        *ended(output),
    ]), output  # fmt: skip


def aside_of(result: Result, kind: str) -> str:
    if kind == "code":
        found: str = result.fields["run_steps"][0]["code_interpreter"]["input"]
        return found
    return result.refusal if kind == "refusal" else result.reasoning


KINDS = ["code", "refusal", "summary", "reasoning"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("places", [["one"], [" two", " three"], [" seven"]])
def test_reasoning_refusals_and_code_around_damaged_events(
    service: Loopback, kind: str, places: list[str]
) -> None:
    events, output = aside(kind)
    parts = frames(events)
    for at in positions(events, *places):
        cut_short(parts, at)
    service.plays(b"".join(parts))
    service.ended = final(output)
    for way in ("sync", "async stream"):
        result = ask(service, "responses", Way(way), include_run_steps=True)
        assert aside_of(result, kind) == SENTENCE, way
        assert result.text == "Done"


def test_code_of_a_classic_agent_around_a_damaged_event(service: Loopback, way: Way) -> None:
    code = {"id": "call_1", "type": "code_interpreter",
            "code_interpreter": {"input": SENTENCE, "outputs": []}}  # fmt: skip
    done = tools_step("step_1", "completed", code)
    pieces = [tool_delta("step_1", 0, "code_interpreter", code_interpreter={"input": word},
                         **({} if number else {"id": "call_1"}))
              for number, word in enumerate(WORDS)]  # fmt: skip
    events = [
        *opening(),
        ("thread.run.step.created", tools_step("step_1", "in_progress")),
        *pieces,
        ("thread.run.step.completed", done),
        *said_by_run("msg_1", ["Done"], "Done"),
        *ending(),
    ]
    parts = frames(events)
    cut_short(parts, positions(events, " two")[0])
    plays(service, "threads", events, "Done")
    service.plays(b"".join(parts))
    service.steps = [done]
    result = ask(service, "threads", way, include_run_steps=True)
    assert result.fields["run_steps"][0]["code_interpreter"]["input"] == SENTENCE
    assert result.text == "Done"


# -- 2: events that come twice -----------------------------------------------------------------


@pytest.mark.parametrize("name", names("responses"))
def test_each_event_of_a_new_agent_comes_twice(service: Loopback, name: str) -> None:
    events = list(ResponseService(name).events())
    service.ended = events[-1][1]["response"]
    for way in ("sync", "sync stream"):
        service.plays(encode(events))
        once = ask(service, "responses", Way(way), include_run_steps=True)
        service.plays(encode([event for event in events for _ in range(2)]))
        assert parts_of(ask(service, "responses", Way(way), include_run_steps=True)) == parts_of(
            once
        )
        half = len(events) // 2
        service.plays(encode([*events[:half], *events[1:]]))  # a stretch of them, once more
        assert parts_of(ask(service, "responses", Way(way), include_run_steps=True)) == parts_of(
            once
        )


def parts_of(result: Result) -> tuple[Any, ...]:
    return (result.text, result.finish_reason, result.reasoning, result.refusal, result.tool_calls,
            result.annotations, result.images, result.fields, result.usage)  # fmt: skip


def test_finished_forms_of_a_run_that_come_twice(service: Loopback, way: Way) -> None:
    events = spoken("threads", WORDS)
    plays(service, "threads", events)
    service.plays(encode([e for e in events for _ in range(1 if e[0].endswith(".delta") else 2)]))
    result = ask(service, "threads", way)
    assert (result.text, result.finish_reason) == (SENTENCE, "stop")
    assert "text_revised" not in result.fields


# -- 3: what comes behind the end --------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [None, 1, 50, 333])
def test_nothing_behind_the_end_is_read(
    service: Loopback, way: Way, protocol: str, size: int | None
) -> None:
    if size == 1 and way.is_async:
        pytest.skip("once is enough for a thousand reads")
    once = encode(spoken(protocol, ["hel", "lo"], "hello"))
    plays(service, protocol, [], "hello")
    both = once + encode(spoken(protocol, ["again"], "again"))
    size = size or len(both)
    service.plays(*(both[i : i + size] for i in range(0, len(both), size)))
    result = ask(service, protocol, way)
    assert (result.text, result.finish_reason) == ("hello", "stop")


# -- 4: the finished text differs --------------------------------------------------------------

REVISIONS = [
    (["See", " <x>", " now"], "See the guide (page 4)"),
    (["one", " two", " three"], "one two"),  # it is shorter
    (["one", " two"], ""),  # nothing is left
    (["one", " two"], "\u00fcber"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("deltas", "finished"), REVISIONS)
def test_a_finished_text_that_differs(
    service: Loopback, way: Way, protocol: str, deltas: list[str], finished: str
) -> None:
    plays(service, protocol, spoken(protocol, deltas, finished), finished)
    result = ask(service, protocol, way)
    assert result.finish_reason == "stop"
    if way.streamed:
        assert result.text == "".join(deltas)
        assert result.fields["text_revised"] == finished
    else:
        assert result.text == finished
        assert "text_revised" not in result.fields


# -- 5: the end never comes --------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kept", [len(WORDS) + 2, 4])
def test_a_stream_that_falls_silent(service: Loopback, way: Way, protocol: str, kept: int) -> None:
    events = spoken(protocol, WORDS)
    (first,) = positions(events, "one")
    plays(service, protocol, events)
    service.plays(encode(events[: first + kept - 1]))
    service.silent = True
    result = ask(service, protocol, way, silence_timeout=0.2, timeout=60)
    assert (result.text, result.finish_reason) == (SENTENCE, "stop")


# -- polled ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_polled_answer_is_the_finished_one(service: Loopback, way: Way, protocol: str) -> None:
    plays(service, protocol, [])
    result = ask(service, protocol, way, run_mode="poll")
    assert (result.text, result.finish_reason) == (SENTENCE, "stop")


# -- other odd streams -------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("case", CASES)
def test_odd_streams(service: Loopback, protocol: str, case: str) -> None:
    events = odd(protocol, case)
    plays(service, protocol, events)
    for way in ("sync", "async stream"):
        result = ask(service, protocol, Way(way))
        assert (result.text, result.finish_reason) == (SENTENCE, "stop"), way
        assert "text_revised" not in result.fields


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_messages_whose_deltas_alternate(service: Loopback, way: Way, protocol: str) -> None:
    if protocol == "threads":
        first, second = (said_by_run(f"msg_{n}", t, "".join(t)) for n, t in enumerate(TEXTS))
        events = [*opening(), *alternating(first, second), *ending()]
        service.messages = [thread_streams.message(f"msg_{n}", "completed", "".join(t))
                            for n, t in enumerate(TEXTS)]  # fmt: skip
        service.ended = run("completed", usage=thread_streams.USAGE)
    else:
        first, second = (
            said_by_response(n, f"msg_{n}", t, "".join(t)) for n, t in enumerate(TEXTS)
        )
        output = [message(f"msg_{n}", text("".join(t))) for n, t in enumerate(TEXTS)]
        service.ended = final(output)
        events = numbered([*begun(), *alternating(first, second), *ended(output)])
    service.plays(encode(events))
    assert ask(service, protocol, way).text == "one two three\n\nun deux trois"


TEXTS = [["one", " two", " three"], ["un", " deux", " trois"]]


def alternating(first: Events, second: Events) -> Events:
    return [event for pair in zip(first, second, strict=True) for event in pair]
