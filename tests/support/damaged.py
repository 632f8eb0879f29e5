"""Streams of both protocols, and ways to damage them, for a service on a loopback socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.support import response_streams, thread_streams
from tests.support.loopback import Events, Loopback
from tests.support.response_streams import final, message, text
from tests.support.streams import encode
from tests.support.thread_streams import (
    delta,
    ending,
    opening,
    run,
)
from tests.support.ways import Result, Way

WORDS = ["one", " two", " three", " four", " five", " six", " seven"]
SENTENCE = "".join(WORDS)
PROTOCOLS = ["threads", "responses"]
HELLO = [{"role": "user", "content": "Hello"}]


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
