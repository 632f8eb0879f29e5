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
from tests.support.streams import encode
from tests.support.thread_streams import (
    call_delta,
    delta,
    ending,
    opening,
    run,
    said,
    step,
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
        events.append(("thread.message.completed", thread_streams.message(id, "completed", finished)))
    return events


def said_by_response(index: int, id: str, deltas: Sequence[str], finished: str | None) -> Events:
    at = {"output_index": index, "item_id": id, "content_index": 0}
    item = message(id)
    events: Events = [(
        "response.output_item.added", {"output_index": index, "item": {**item, "status": "in_progress"}}
    )]  # fmt: skip
    events += [("response.output_text.delta", {**at, "delta": piece}) for piece in deltas]
    if finished is not None:
        events += [
            ("response.output_text.done", {**at, "text": finished}),
            ("response.output_item.done", {"output_index": index, "item": message(id, text(finished))}),
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
        else final([message("msg_1", text(finished))])
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
    """Bytes in the middle are missing: one line has the beginning of one event, the end of another."""
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
@pytest.mark.parametrize("place", [" two", "one", " seven"])
def test_text_around_a_damaged_event_comes_whole_and_once(
    service: Loopback, way: Way, protocol: str, damage: Damage, place: str
) -> None:
    events = spoken(protocol, WORDS)
    parts = frames(events)
    (at,) = positions(events, place)
    damage(parts, at)
    plays(service, protocol, events)
    service.plays(b"".join(parts))
    result = ask(service, protocol, way)
    assert (result.text, result.finish_reason) == (SENTENCE, "stop")
    assert "text_revised" not in result.fields
