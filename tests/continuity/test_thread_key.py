"""Keys of threads: equal for what says the same, different for all else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_azure_agents.continuity.call_ids import CallKind, encode, sealed
from litellm_azure_agents.continuity.thread_key import (
    Transcript,
    chat_scope,
    instructions_digest,
    thread_key,
)
from litellm_azure_agents.core.deltas import Delta, ToolCallDelta

PICTURE = "data:image/png;base64,iVBORw0KGgo="
CALL_ID = encode(CallKind.RUN_CALL, "thread_a", "run_b", "call_c")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def called(arguments: str, **more: Any) -> dict[str, Any]:
    call = {"id": CALL_ID, "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call], **more}


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def result(content: Any, id: str = CALL_ID) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def key(*messages: dict[str, Any]) -> str:
    return thread_key("scope", messages)


SAME: dict[str, tuple[list[Any], list[Any]]] = {
    "space around an answer": ([said("Hello\n\nworld")], [said("  Hello world \n")]),
    "no space at all between parts": ([said("Hello")], [said([
        {"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}])]),
    "an answer in parts": ([said("Hi")], [said([{"type": "text", "text": "Hi"}])]),
    "thoughts": ([said("Hi")], [said(
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"}],
        reasoning_content="hm")]),
    "annotations and the like": ([said("Hi")], [said(
        "Hi", annotations=[{"type": "url_citation"}], audio=None, tool_calls=[],
        provider_specific_fields={"thread_id": "thread_1"}, function_call=None)]),
    "null content": ([called("{}")], [called("{}", content="")]),
    "order of JSON keys": ([called('{"a": 1, "b": [2]}')], [called('{"b":[2],"a":1}')]),
    "no arguments": ([called("")], [called("{}")]),
    "calls apart from the text": (
        [called("{}", content="One moment.")], [said("One moment."), called("{}")]),
    "a seal": ([called("{}")], [called("{}", tool_calls=[
        {"id": sealed(CALL_ID, lambda _: "5ea1"), "function": {"name": "f", "arguments": ""}}])]),
    "results as JSON or text": ([result('{"a": 1}')], [result({"a": 1})]),
    "the order of results": (
        [result("1", "call_1"), result("2", "call_2")],
        [result("2", "call_2"), result("1", "call_1")]),
    "a question in a part": ([user("Hi")], [user([{"type": "text", "text": "Hi"}])]),
    "space at a question's ends": ([user("Hi\r\nyou ")], [user("Hi\nyou")]),
    "system messages": ([user("Hi")], [{"role": "system", "content": "Be kind."}, user("Hi")]),
    "how an image is written": (
        [user([{"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}])],
        [user([{"type": "image_url", "image_url": PICTURE.replace("VBO", "VB\nO")}])]),
    "a refusal": ([said("", refusal="No.")], [said("No.")]),
}  # fmt: skip
OTHER: dict[str, tuple[list[Any], list[Any]]] = {
    "another answer": ([said("Hello")], [said("Hello!")]),
    "another question": ([user("a b")], [user("a  b")]),
    "a changed indent": ([user("if x:\n  y")], [user("if x:\n    y")]),
    "who said it": ([user("Hi")], [said("Hi")]),
    "another image": (
        [user([{"type": "image_url", "image_url": {"url": PICTURE}}])],
        [user([{"type": "image_url", "image_url": {"url": PICTURE.replace("K", "L")}}])]),
    "no image": (
        [user([{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": PICTURE}])],
        [user("Hi")]),
    "another file": (
        [user([{"type": "file", "file": {"file_id": "file_1"}}])],
        [user([{"type": "file", "file": {"file_id": "file_2"}}])]),
    "other arguments": ([called('{"a": 1}')], [called('{"a": 2}')]),
    "another call": ([called("{}")], [called("{}", tool_calls=[
        {"id": "call_x", "function": {"name": "f", "arguments": "{}"}}])]),
    "another result": ([result("1")], [result("2")]),
    "two turns or one": ([user("a"), user("b")], [user("a\nb")]),
    "a turn less": ([user("a"), said("b"), user("c")], [user("a"), said("b")]),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_it_does_not_matter(what: str) -> None:
    first, second = SAME[what]
    assert key(*first) == key(*second)


@pytest.mark.parametrize("what", OTHER)
def test_it_matters(what: str) -> None:
    first, second = OTHER[what]
    assert key(*first) != key(*second)


def test_whose_chat_it_is_matters() -> None:
    where = {"endpoint": "https://a", "agent": "asst_1", "owner": "ada", "chat_ids": ["1"]}
    others = [
        {"endpoint": "https://b"}, {"agent": "asst_2"}, {"owner": "bob"}, {"chat_ids": ["2"]},
        {"owner": "ada1", "chat_ids": []}, {"chat_ids": ["", "1"]},
    ]  # fmt: skip
    scopes = [chat_scope(**{**where, **other}) for other in [{}, *others]]  # type: ignore[arg-type]
    assert len({thread_key(scope, [user("Hi")]) for scope in scopes}) == len(scopes)


def test_a_key_holds_no_text() -> None:
    prefix, _, digest = key(user("a secret")).rpartition(":")
    assert prefix == "azure_agents:thread"
    assert len(bytes.fromhex(digest)) == 32


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_part = st.one_of(
    st.text(),
    st.builds(lambda t: {"type": "text", "text": t}, st.text()),
    st.builds(lambda t: {"type": "image_url", "image_url": {"url": t}}, st.text()),
    st.dictionaries(st.sampled_from(["type", "text", "file", "image_url"]), _json),
)
_message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "function", "system"]),
     "content": st.none() | st.text() | st.lists(_part, max_size=3)},
    optional={"tool_calls": _json, "function_call": _json, "name": st.text(),
              "tool_call_id": st.text()},
)  # fmt: skip


@given(st.lists(_message, max_size=6))
def test_any_history_has_a_key_and_is_left_as_it_is(messages: list[Any]) -> None:
    before = copy.deepcopy(messages)
    assert key(*messages) == key(*messages)
    assert messages == before


@given(st.lists(_message, max_size=6))
def test_a_history_that_went_through_json_has_the_same_key(messages: list[Any]) -> None:
    assert key(*json.loads(json.dumps(messages, sort_keys=True))) == key(*messages)


@given(st.text(), st.lists(st.text(), min_size=1, max_size=5))
def test_an_answer_in_pieces_is_that_answer(question: str, pieces: list[str]) -> None:
    transcript = Transcript()
    transcript.add(Delta(text=piece) for piece in pieces)
    answer = said("".join(pieces))
    assert key(user(question), transcript.message()) == key(user(question), answer)


def test_calls_in_pieces() -> None:
    transcript = Transcript()
    call = ToolCallDelta(index=0, id=CALL_ID, name="f", arguments='{"a"')
    transcript.add([Delta(tool_call=call), Delta(tool_call=ToolCallDelta(0, arguments=": 1}"))])
    assert key(transcript.message()) == key(called('{"a": 1}'))


def test_calls_of_old_clients() -> None:
    transcript = Transcript(old_functions=True)
    transcript.add([Delta(tool_call=ToolCallDelta(index=0, id=CALL_ID, name="f", arguments="{}"))])
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    assert key(transcript.message()) == key(old)


def test_a_revised_answer_is_not_what_the_service_has() -> None:
    transcript = Transcript()
    transcript.add([Delta(text="a"), Delta(fields={"text_revised": "b"})])
    assert not transcript.exact


def test_instructions() -> None:
    system = {"role": "system", "content": "Be kind."}
    assert instructions_digest([user("Hi")]) == ""
    assert instructions_digest([system, user("Hi")]) == instructions_digest([user("Yo"), system])
    assert instructions_digest([system]) != instructions_digest([{**system, "content": "Be brief"}])
