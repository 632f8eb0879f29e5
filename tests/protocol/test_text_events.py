"""A piece of text is decoded to a type of its own, or read as every other event: it is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_azure_agents.answer.answer import Answer
from litellm_azure_agents.core.actions import ServerEvent
from litellm_azure_agents.protocol.machine import EventMachine
from litellm_azure_agents.responses.machine import ResponseMachine
from litellm_azure_agents.threads.machine import RunMachine

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(10**18, 10**30), st.floats(),
    st.text(st.characters(), max_size=4), st.just([]), st.just({}), st.just(["x"]),
)  # fmt: skip
"""What stands where something else is expected."""
TEXT = st.text(st.characters(), max_size=6)
NUMBER = st.integers(-1, 3)


def one_of(*usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is usual."""
    return st.one_of(*usual, *usual, *usual, ODD)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with any of these fields."""
    return st.fixed_dictionaries({}, optional={**fields, "more": ODD})


ANNOTATION = st.just({"type": "url_citation", "url_citation": {"url": "u"}, "text": "t"})
CONTENT = some(value=one_of(TEXT), annotations=one_of(st.just([]), st.lists(ANNOTATION)))
PART = some(
    type=st.just("text"),
    index=one_of(NUMBER),
    text=one_of(CONTENT, TEXT),
    refusal=one_of(st.none(), TEXT),
    image_file=one_of(st.none(), st.just({"file_id": "f"})),
)
MESSAGE_DELTA = some(
    id=one_of(st.sampled_from(["m1", "m2", "ä"])),
    object=st.just("thread.message.delta"),
    delta=one_of(some(content=one_of(st.lists(one_of(PART), max_size=3)))),
)
OUTPUT_DELTA = some(
    type=st.just("response.output_text.delta"),
    sequence_number=one_of(st.integers(-1, 12)),
    item_id=one_of(st.sampled_from(["i1", "i2"])),
    output_index=one_of(NUMBER),
    content_index=one_of(NUMBER),
    delta=one_of(TEXT),
)
PROTOCOLS: dict[str, tuple[type[EventMachine], st.SearchStrategy[Any]]] = {
    "threads": (RunMachine, MESSAGE_DELTA),
    "responses": (ResponseMachine, OUTPUT_DELTA),
}


def read(machine: EventMachine, texts: list[str]) -> dict[str, Any]:
    """What comes of the events, and what the machine remembers."""
    answer = machine.answer
    deltas = []
    for text in texts:
        machine.receive(ServerEvent(machine.text_event, text))
        deltas.append(answer.take())
    answer.finish("stop", usage=None, model=None)
    return {
        "deltas": [*deltas, answer.take()],
        "ids": answer.ids,
        "damaged": answer.damaged,
        "started": machine.started,
        "sequence": getattr(machine, "sequence", None),
    }


def both_ways(kind: type[EventMachine], texts: list[str]) -> None:
    typed, plain = kind(Answer()), kind(Answer())
    plain.text_decoder = NeverFits()  # type: ignore[assignment]
    assert read(typed, texts) == read(plain, texts)


class NeverFits:
    def decode(self, text: str) -> Any:
        raise ValueError(text)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_both_ways_say_the_same(protocol: str, data: st.DataObject) -> None:
    kind, event = PROTOCOLS[protocol]
    events = data.draw(st.lists(one_of(event), min_size=1, max_size=5))
    both_ways(kind, [json.dumps(e, ensure_ascii=data.draw(st.booleans())) for e in events])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_both_ways_find_what_is_cut(protocol: str, data: st.DataObject) -> None:
    kind, event = PROTOCOLS[protocol]
    text = json.dumps(data.draw(event))
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    both_ways(kind, [text, cut, text])


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (RunMachine, {"id": "m", "object": "thread.message.delta", "delta": {"content": [
            {"index": 0, "type": "text", "text": {"value": "Hi"}}]}}),
        (ResponseMachine, {"type": "response.output_text.delta", "sequence_number": 4,
                           "item_id": "m", "output_index": 0, "content_index": 0, "delta": "Hi",
                           "logprobs": [], "obfuscation": "x"}),
    ],
)  # fmt: skip
def test_the_services_own_text_is_decoded_once(
    kind: type[EventMachine], event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = kind(Answer())
    monkeypatch.setattr(machine, "handle", lambda *_: pytest.fail("decoded a second time"))
    machine.receive(ServerEvent(machine.text_event, json.dumps(event)))
    assert [delta.text for delta in machine.answer.take()] == ["Hi"]
