"""Damaged, doubled, late and missing events, from a service on a loopback socket.

Each case is a stream of bytes and what its answer is. A whole answer is the finished text; a
streamed one begins with nothing else, and says so where the service revised what it had sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import litellm
import pytest

from tests.support import response_streams, thread_streams
from tests.support.loopback import Events, Loopback, loopback
from tests.support.response_streams import final, message, text
from tests.support.stream_service import ResponseService
from tests.support.streams import encode, names
from tests.support.thread_streams import (
    call_delta,
    delta,
    ending,
    opening,
    run,
    tool_delta,
    tools_step,
)
from tests.support.ways import Result, Way

WORDS = ["one", " two", " three", " four", " five", " six", " seven"]
SENTENCE = "".join(WORDS)
PROTOCOLS = ["threads", "responses"]
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as played:
        yield played


def ask(service: Loopback, protocol: str, way: Way, **arguments: Any) -> Result:
    agent = "asst_a" if protocol == "threads" else "bob"
    given = {"api_base": service.url, "api_key": "k", "messages": HELLO, "max_retries": 0}
    return way.ask(model=f"azure_ai/agents/{agent}", **{**given, **arguments})


# -- streams of both protocols -----------------------------------------------------------------


def spoken(
    protocol: str, deltas: Sequence[str], finished: str | None = SENTENCE, **more: Any
) -> Events:
    """A message that comes in ``deltas`` and then reads ``finished``; None: it is not finished."""
    if protocol == "threads":
        return [*opening(), *said_by_run("msg_1", deltas, finished), *ending()]
    output = [message("msg_1", text(finished if finished is not None else "".join(deltas)))]
    return numbered([*begun(), *said_by_response(0, "msg_1", deltas, finished), *ended(output)])


def said_by_run(id: str, deltas: Sequence[str], finished: str | None) -> Events:
    events: Events = [("thread.message.created", thread_streams.message(id, "in_progress"))]
    events += [delta(id, 0, piece) for piece in deltas]
    if finished is not None:
        events.append(
            ("thread.message.completed", thread_streams.message(id, "completed", finished))
        )
    return events


def said_by_response(index: int, id: str, deltas: Sequence[str], finished: str | None) -> Events:
    at = {"output_index": index, "item_id": id, "content_index": 0}
    item = message(id)
    added = {"output_index": index, "item": {**item, "status": "in_progress"}}
    events: Events = [("response.output_item.added", added)]
    events += [("response.output_text.delta", {**at, "delta": piece}) for piece in deltas]
    if finished is not None:
        events += [
            ("response.output_text.done", {**at, "text": finished}),
            (
                "response.output_item.done",
                {"output_index": index, "item": message(id, text(finished))},
            ),
        ]
    return events


def begun() -> Events:
    return [("response.created", {"response": response_streams.RESPONSE})]


def ended(output: Sequence[Any], **fields: Any) -> Events:
    return [("response.completed", {"response": final(output, **fields)})]


def numbered(events: Events) -> Events:
    return [
        (name, {"type": name, "sequence_number": number, **data})
        for number, (name, data) in enumerate(events)
    ]


def plays(service: Loopback, protocol: str, events: Events, finished: str = SENTENCE) -> None:
    """Play the events of one message, which reads ``finished`` when it is asked for."""
    service.plays(encode(events))
    service.messages = [thread_streams.message("msg_1", "completed", finished)]
    service.ended = (
        run("completed", usage=thread_streams.USAGE)
        if protocol == "threads"
        else final([message("msg_1", text(finished))], created_at=1)
    )


def frames(events: Events) -> list[bytes]:
    return [encode([event]) for event in events]


def positions(events: Events, *pieces: str) -> list[int]:
    """Where the events of these deltas are."""
    found = [i for i, (name, data) in enumerate(events) if name.endswith(".delta")
             and any(json.dumps(piece) in json.dumps(data) for piece in pieces)]  # fmt: skip
    assert len(found) == len(pieces)
    return found


# -- 1: events that can't be decoded -----------------------------------------------------------

Damage = Callable[[list[bytes], int], None]


def glued(parts: list[bytes], at: int) -> None:
    """The blank line behind the event is missing."""
    parts[at] = parts[at][:-1]


def run_together(parts: list[bytes], at: int) -> None:
    """Both line ends behind the event are missing."""
    parts[at] = parts[at][:-2]


def cut_short(parts: list[bytes], at: int) -> None:
    """The second half of the data is missing."""
    head, _, data = parts[at].partition(b"data: ")
    parts[at] = head + b"data: " + data[: len(data) // 2] + b"\n\n"


def torn(parts: list[bytes], at: int) -> None:
    """The end of an event and the beginning of the next are missing."""
    head, _, _ = parts[at].partition(b"data: {")
    parts[at] = head + b'data: {"id": "a'
    parts[at + 1] = parts[at + 1][-40:]


def no_object(parts: list[bytes], at: int) -> None:
    head, _, _ = parts[at].partition(b"data: ")
    parts[at] = head + b'data: ["a", 1]\n\n'


def no_text(parts: list[bytes], at: int) -> None:
    """The delta is a number."""
    for piece in WORDS:
        parts[at] = parts[at].replace(json.dumps(piece).encode(), b"7")


def nameless(parts: list[bytes], at: int) -> None:
    parts[at] = parts[at].partition(b"\n")[2]


DAMAGES: list[Damage] = [glued, run_together, cut_short, torn, no_object, no_text, nameless]


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


def without(events: Events, *fields: str) -> Events:
    return [
        (name, {k: v for k, v in data.items() if k not in fields} if data != "[DONE]" else data)
        for name, data in events
    ]


def odd(protocol: str, case: str) -> Events:
    """A stream that is odd in one way, of the text `SENTENCE`."""
    events = spoken(protocol, WORDS)
    deltas = [event for event in events if event[0].endswith(".delta")]
    rest = [event for event in events if not event[0].endswith(".delta")]
    match case:
        case "no deltas":
            return rest
        case "deltas only":
            last = events[-2:] if protocol == "threads" else events[-1:]
            return [*events[:1], *deltas, *last]
        case "empty deltas":
            return spoken(protocol, ["", *WORDS[:3], "", "", *WORDS[3:], ""])
        case "deltas behind their end":
            at = next(i for i, e in enumerate(rest) if e[0].endswith((".completed", ".done")))
            if protocol == "threads":
                return [*events[:-2], *deltas, *events[-2:]]
            return without([*rest[:at], *deltas, rest[at], *deltas, *rest[at + 1 :]],
                           "sequence_number")  # fmt: skip
        case "no numbers":
            return without(events, "sequence_number")
        case "no item ids":
            return without(events, "item_id", "id") if protocol == "responses" else events
        case "no item ids or positions":
            return without(events, "item_id", "output_index", "content_index")
        case "other item ids":
            return [(n, {**d, "item_id": f"other_{i}"} if "item_id" in d else d)
                    for i, (n, d) in enumerate(events)]  # fmt: skip
        case "unknown events":
            return [
                ("x.y", {"delta": "?"}),
                *(e for event in events for e in (event, ("response.x", {"delta": "?"}))),
            ]
    raise AssertionError(case)


CASES = ["no deltas", "deltas only", "empty deltas", "deltas behind their end", "no numbers",
         "no item ids", "no item ids or positions", "other item ids", "unknown events"]  # fmt: skip


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


# -- native calls of the Responses API ---------------------------------------------------------


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
