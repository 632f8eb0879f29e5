"""Events of a response -> the answer, without a socket: every kind of item, cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from litellm_azure_agents.answer.answer import Answer
from litellm_azure_agents.continuity.call_ids import decode
from litellm_azure_agents.core.actions import ServerEvent
from litellm_azure_agents.host.chunks import merge_fields
from litellm_azure_agents.responses.items import map_annotation, map_trace, map_usage
from litellm_azure_agents.responses.machine import ResponseMachine
from tests.support.response_streams import (
    CALL,
    CITATION,
    ITEMS,
    PICTURE,
    RESPONSE,
    events_of,
    final,
    message,
    text,
)


def feed(machine: ResponseMachine, events: Sequence[dict[str, Any]]) -> None:
    for event in events:
        machine.receive(ServerEvent(event["type"], json.dumps(event)))


def fold(machine: ResponseMachine) -> dict[str, Any]:
    """All that was given out, in a form that doesn't depend on the deltas' cuts."""
    machine.finish_calls()
    deltas = machine.answer.take()
    machine.pictures.finish()
    machine.answer.finish("stop", usage=None, model=None)
    deltas += machine.answer.take()
    calls: dict[int, list[str]] = {}
    fields: dict[str, Any] = {}
    for delta in deltas:
        merge_fields(fields, delta.fields)
        for call in filter(None, [delta.tool_call]):
            if call.id:
                calls[call.index] = [call.id, call.name or "", ""]
            calls[call.index][2] += call.arguments
    return {
        "text": "".join(d.text for d in deltas),
        "reasoning": "".join(d.reasoning for d in deltas),
        "refusal": "".join(d.refusal for d in deltas),
        "annotations": [a for d in deltas for a in d.annotations],
        "images": [i for d in deltas for i in d.images],
        "calls": [calls[i] for i in sorted(calls)],
        "fields": fields,
    }


def machine(**options: Any) -> ResponseMachine:
    return ResponseMachine(Answer(), run_steps=True, **options)


EXPECTED: dict[str, dict[str, Any]] = {
    "two messages": {"text": "Hello \n\nthere\n\n!"},
    "a refusal": {"refusal": "I won't."},
    "reasoning": {"reasoning": "One\n\nTwo\n\nraw", "text": "Done"},
    "an image": {"images": [{"type": "image_url", "image_url": {"url": PICTURE}, "index": 0}]},
    "consent": {"text": "Please sign in to let the agent use mail: https://login.test"},
}


@pytest.mark.parametrize("name", ITEMS)
def test_what_a_stream_says(name: str) -> None:
    m = machine()
    feed(m, events_of(ITEMS[name]))
    assert m.over
    got = fold(m)
    for field, value in EXPECTED.get(name, {}).items():
        assert got[field] == value
    if name == "a citation":
        start, end = (got["annotations"][0]["url_citation"][f"{n}_index"] for n in ("start", "end"))
        assert got["text"][start:end] == "cde"
    if name == "calls":
        assert [c[1:] for c in got["calls"]] == [["f", '{"a": 1}'], ["f", "{}"]]
        assert decode(got["calls"][0][0]).owner == ("conv_1",)  # type: ignore[union-attr]
    if name == "an approval":
        assert got["calls"][0][1] == "mcp_approval_request"
    if name == "others":
        assert [i["type"] for i in got["fields"]["items"]] == [i["type"] for i in ITEMS["others"]]
    if name == "searches":
        kinds = [step["type"] for step in got["fields"]["run_steps"]]
        assert kinds == ["file_search", "bing_grounding", "bing_grounding_output", "mcp_list_tools"]
    if name == "code":
        (step,) = got["fields"]["run_steps"]
        assert (step["id"], step["type"]) == ("ci_1", "code_interpreter")
        assert step["code_interpreter"] == {
            "input": "1+1",
            "outputs": [{"type": "logs", "logs": "2"},
                        {"type": "image", "image": {"url": "https://i.test/x"}}],
        }  # fmt: skip
        assert [i["image_url"]["url"] for i in got["images"]] == ["https://i.test/x"]


def test_each_picture_comes_once() -> None:
    """By the file that the text cites; the one that no text refers to by its URL."""
    drawn = [{"type": "image", "url": f"{PICTURE}{n}"} for n in range(2)]
    code = {**ITEMS["code"][0], "outputs": drawn}
    cited = {"type": "container_file_citation", "container_id": "cntr_1", "file_id": "cfile_1",
             "filename": "a.png", "start_index": 0, "end_index": 0}  # fmt: skip
    m = machine()
    feed(m, events_of([code, message("msg_1", text("Look.", cited))]))
    got = fold(m)
    assert [i["image_url"]["url"] for i in got["images"]] == [f"{PICTURE}1"]
    assert [f["file_id"] for f in got["fields"]["image_files"]] == ["cfile_1"]
    kept = {"type": "image", "url": "https://x.test/v1/containers/cntr_1/files/cfile_1/content"}
    m = machine()
    feed(m, events_of([{**code, "outputs": [kept]}, message("msg_1", text("Look.", cited))]))
    got = fold(m)
    assert (got["images"], len(got["fields"]["image_files"])) == ([], 1)


@pytest.mark.parametrize("name", ITEMS)
def test_cut_anywhere_the_rest_is_given_once(name: str) -> None:
    events = events_of(ITEMS[name])
    whole = machine()
    feed(whole, events)
    expected = fold(whole)
    for cut in range(len(events)):
        m = machine()
        feed(m, events[:cut])
        m.reconcile(final(ITEMS[name]))
        assert fold(m) == expected, f"cut after {cut} events"


@pytest.mark.parametrize("name", ITEMS)
def test_resumed_anywhere_nothing_comes_twice(name: str) -> None:
    events = events_of(ITEMS[name])
    whole = machine()
    feed(whole, events)
    expected = fold(whole)
    for cut in range(1, len(events)):
        m = machine()
        feed(m, events[:cut])
        feed(m, events[max(cut - 3, 0) :])  # a service that begins too early
        assert fold(m) == expected, f"cut after {cut} events"


def test_a_final_list_without_what_the_stream_had() -> None:
    output = [ITEMS["searches"][0], message("msg_1", text("Hello"))]
    events = events_of(output)
    events[-1]["response"] = final(output[1:])
    m = machine()
    feed(m, events)
    assert fold(m)["text"] == "Hello"


def test_the_last_list_of_items_has_all() -> None:
    nameless = {"type": "never_heard_of", "thing": 2}
    m = machine()
    feed(m, events_of([*ITEMS["others"], *ITEMS["consent"]]))
    m.reconcile(final([*ITEMS["others"], *ITEMS["consent"], nameless]))
    deltas = m.answer.take()
    folded: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for delta in deltas:
        merge_fields(folded, delta.fields)
        last |= delta.fields
    assert last["items"] == [*ITEMS["others"], nameless]
    assert last["oauth_consent_requests"] == ITEMS["consent"]
    assert folded == last


def test_ids_that_change_between_events() -> None:
    events = events_of([message("msg_1", text("Hello"))])
    for number, event in enumerate(events):
        if "item_id" in event:
            event["item_id"] = f"msg_{number}"
    m = machine()
    feed(m, events)
    assert fold(m)["text"] == "Hello"


def test_events_without_names_and_noise() -> None:
    m = machine()
    m.receive(ServerEvent("response.output_text.delta", '{"cut'))
    m.receive(ServerEvent("response.some.news", "{}"))
    m.receive(ServerEvent("message", "[DONE]"))
    for event in events_of([message("msg_1", text("Hello"))]):
        m.receive(ServerEvent("message", json.dumps(event)))
    assert fold(m)["text"] == "Hello"
    assert m.over


def test_calls_are_held_where_the_agent_may_answer_them() -> None:
    result = {"type": "function_call_output", "id": "fo_1", "call_id": "call_1", "output": "x"}
    own, other = machine(live=set()), machine(live=set())
    feed(own, events_of([CALL, result]))
    assert own.pending() == ([], [])
    assert fold(own)["calls"] == []
    feed(other, events_of([CALL])[:-1])
    assert not any(delta.tool_call for delta in other.answer.take())
    other.reconcile(final([CALL]))
    assert [c[1:] for c in fold(other)["calls"]] == [["f", '{"a": 1}']]
    live = machine(live={"f"})
    feed(live, events_of([CALL])[:5])
    assert any(delta.tool_call for delta in live.answer.take())


def test_unstored_ids_are_the_services_own() -> None:
    m = machine(stored=False)
    alone = {**RESPONSE, "conversation": None}
    m.receive(ServerEvent("response.created", json.dumps({"response": alone})))
    m.reconcile({**final([CALL]), "conversation": None})
    assert fold(m)["calls"][0][0] == "call_1"
    assert "thread_id" not in m.answer.ids


def test_an_approval_that_was_used_waits_for_nobody() -> None:
    done = {
        "type": "mcp_call",
        "id": "mcp_1",
        "approval_request_id": "mcpr_1",
        "status": "completed",
    }
    m = machine()
    feed(m, events_of([*ITEMS["an approval"], done]))
    assert m.pending() == ([], [])


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        (
            CITATION,
            {"type": "url_citation",
             "url_citation": {n: v for n, v in CITATION.items() if n != "type"}},
        ),
        (
            {"type": "file_citation", "file_id": "f", "filename": "a", "index": 7},
            {"type": "file_citation",
             "file_citation": {"file_id": "f", "filename": "a", "start_index": 7, "end_index": 7}},
        ),
        (
            {"type": "container_file_citation", "container_id": "c", "file_id": "f",
             "filename": None, "start_index": 1, "end_index": 2},
            {"type": "container_file_citation",
             "container_file_citation": {"container_id": "c", "file_id": "f", "start_index": 1,
                                         "end_index": 2}},
        ),
    ],
    ids=["url", "file", "container"],
)  # fmt: skip
def test_annotations(flat: dict[str, Any], nested: dict[str, Any]) -> None:
    assert map_annotation(flat) == nested


def test_usage_and_traces() -> None:
    usage = map_usage(
        {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 3,
         "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 12}
    )  # fmt: skip
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (9, 3, 12)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (2, 1)
    assert map_usage(None) is None
    step = map_trace({"type": "image_generation_call", "id": "ig_1", "result": "AAAA"})
    assert step == {"id": "ig_1", "type": "image_generation", "status": "completed"}
