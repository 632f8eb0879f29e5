"""A history of messages -> the input items of a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from litellm_azure_agents.continuity.history import HistoryError
from litellm_azure_agents.core.options import OptionError
from litellm_azure_agents.responses import history, payloads
from litellm_azure_agents.responses.content import Inputs
from litellm_azure_agents.responses.target import resolve_target
from tests.support.new_agent import (
    APPLICATION,
    C1,
    P1,
    PROJECT,
    R1,
    R2,
    T1,
    asked,
    make_call,
    say,
    told,
)

ANSWER = {"role": "assistant", "content": "so"}


def kinds(plan: history.Plan) -> list[str]:
    return [i.get("role") or i["type"] for i in plan.items]


@pytest.mark.parametrize(
    ("messages", "options", "state", "items"),
    [
        ([say("a"), ANSWER, say("b")], {}, {}, ["user", "assistant", "user"]),
        ([say("a"), asked(R1), told(R1)], {}, {"previous_response_id": "resp_1"},
         ["function_call_output"]),
        ([say("a"), asked(R1), told(R1), ANSWER, say("b")], {},
         {"previous_response_id": "resp_1"}, ["function_call_output", "assistant", "user"]),
        ([say("a"), asked(R1), told(R1), ANSWER, say("b")], {"thread_id": "resp_2"},
         {"previous_response_id": "resp_2"}, ["user"]),
        ([say("a"), asked(R1), told(R1), ANSWER, say("b")], {"thread_id": "resp_1"},
         {"previous_response_id": "resp_1"}, ["function_call_output", "assistant", "user"]),
        ([say("a"), asked(C1), told(C1)], {}, {"conversation": "conv_1"}, ["function_call_output"]),
        ([say("a"), asked(C1), told(C1), ANSWER, say("b")], {}, {"conversation": "conv_1"},
         ["user"]),
        ([say("a"), asked(T1), told(T1), ANSWER, say("b")], {}, {},
         ["user", "function_call", "function_call_output", "assistant", "user"]),
        ([say("a"), asked("call_x"), told("call_x")], {}, {},
         ["user", "function_call", "function_call_output"]),
        ([told(R1)], {}, {"previous_response_id": "resp_1"}, ["function_call_output"]),
        ([told("call_x"), say("b")], {}, {}, ["assistant", "user"]),
        ([told("call_x")], {"previous_response_id": "resp_9"}, {"previous_response_id": "resp_9"},
         ["function_call_output"]),
        ([say("a"), asked(R1, R2), say("b")], {}, {"previous_response_id": "resp_1"},
         ["function_call_output", "function_call_output", "user"]),
        ([say("a"), asked("call_x"), say("b")], {}, {},
         ["user", "function_call", "function_call_output", "user"]),
        ([say("a"), ANSWER, say("b")], {"conversation_id": "conv_2"}, {"conversation": "conv_2"},
         ["user"]),
        ([say("a")], {"thread_id": "conv_2", "conversation_id": "conv_2"},
         {"conversation": "conv_2"}, ["user"]),
    ],
)  # fmt: skip
def test_what_a_history_continues(
    messages: Any, options: Any, state: Mapping[str, str], items: list[str]
) -> None:
    plan = history.plan(make_call(messages, **options), resolve_target(PROJECT, "bob"))
    assert (plan.body, kinds(plan)) == (state, items)
    outputs = [i for i in plan.items if i["type"] == "function_call_output"]
    assert all(not i["call_id"].startswith("az_") for i in outputs)


def test_unstored_and_published_know_no_state() -> None:
    messages = [say("a"), asked(R1), told(R1), ANSWER, say("b")]
    whole = ["user", "function_call", "function_call_output", "assistant", "user"]
    unstored = history.plan(make_call(messages, {"store": False}), resolve_target(PROJECT, "bob"))
    published = history.plan(make_call(messages), resolve_target(APPLICATION, "bob"))
    for plan in (unstored, published):
        assert (plan.body, kinds(plan)) == ({}, whole)
        assert plan.items[1]["call_id"] == plan.items[2]["call_id"] == "call_a"
    with pytest.raises(OptionError, match="no state"):
        history.plan(make_call(messages, thread_id="resp_1"), resolve_target(APPLICATION, "bob"))


def test_an_approval_in_the_history() -> None:
    approval = asked(P1)
    approval["tool_calls"][0]["function"] = {
        "name": "mcp_approval_request",
        "arguments": '{"server_label": "s", "name": "n", "arguments": "{}"}',
    }
    messages = [say("a"), approval, told(P1, "yes")]
    plan = history.plan(make_call(messages), resolve_target(PROJECT, "bob"))
    assert plan.items == [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_a", "approve": True}
    ]
    plan = history.plan(make_call(messages, {"store": False}), resolve_target(PROJECT, "bob"))
    assert plan.items[1] == {
        "type": "mcp_approval_request", "id": "mcpr_a", "server_label": "s", "name": "n",
        "arguments": "{}",
    }  # fmt: skip
    plan = history.plan(make_call([*messages[:2], say("no, wait")]), resolve_target(PROJECT, "bob"))
    assert plan.items[0]["approve"] is False


@pytest.mark.parametrize(
    ("messages", "options", "said"),
    [
        ([say("a"), asked(R1, R2), told(R1)], {}, "missing"),
        ([say("a"), asked(R1)], {}, "missing"),
        ([say("a"), asked(R1), told(R1), told(R1)], {}, "twice"),
        ([say("a"), asked(R1), told(R1)], {"thread_id": "resp_2"}, "belong to resp_1"),
        ([say("a"), asked(R1), say("b")], {"on_pending_tools": "error"}, r"f \(az_r"),
        ([say("a")], {"thread_id": "thread_1"}, "classic"),
        ([say("a")], {"conversation_id": "conv_1", "previous_response_id": "resp_1"}, "exclude"),
        ([say("a")], {"conversation_id": "conv_1", "thread_id": "conv_2"}, "give one"),
        ([{"role": "wizard", "content": "a"}], {}, "roles"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], {}, "input_audio"),
    ],
)
def test_histories_that_contradict_themselves(messages: Any, options: Any, said: str) -> None:
    with pytest.raises((HistoryError, OptionError, ValueError), match=said):
        history.plan(make_call(messages, **options), resolve_target(PROJECT, "bob"))


def test_system_messages() -> None:
    messages = [{"role": "system", "content": "s"}, say("a")]
    target = resolve_target("http://c.test", "bob")
    assert kinds(history.plan(make_call(messages), target)) == ["system", "user"]
    assert kinds(history.plan(make_call(messages, system_messages="ignore"), target)) == ["user"]
    replacing = make_call(messages, system_messages="replace", instructions="i")
    assert kinds(history.plan(replacing, target)) == ["user"]
    assert payloads.build_body(replacing, target, polling=False)["instructions"] == "i\n\ns"
    with pytest.raises(OptionError, match="instructions"):
        payloads.build_body(replacing, resolve_target(PROJECT, "bob"), polling=False)


@pytest.mark.parametrize(
    ("part", "built"),
    [
        ({"type": "text", "text": "t"}, {"type": "input_text", "text": "t"}),
        ({"type": "image_url", "image_url": "https://i.test/a.png"},
         {"type": "input_image", "image_url": "https://i.test/a.png", "detail": "auto"}),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ==", "detail": "low"}},
         {"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "low"}),
        ({"type": "image_file", "image_file": {"file_id": "f"}},
         {"type": "input_image", "file_id": "f", "detail": "auto"}),
        ({"type": "file", "file": {"file_id": "f"}}, {"type": "input_file", "file_id": "f"}),
        ({"type": "file", "file": {"file_data": "data:,a", "filename": "a.txt"}},
         {"type": "input_file", "file_data": "data:text/plain;base64,YQ==", "filename": "a.txt"}),
        ({"type": "file", "file": {"file_data": "YQ==", "format": "text/markdown"}},
         {"type": "input_file", "file_data": "data:text/markdown;base64,YQ==",
          "filename": "file.md"}),
        ({"type": "file", "file": {"file_id": "f", "filename": "a.png"}},
         {"type": "input_image", "file_id": "f", "detail": "auto"}),
        ({"type": "file", "file": {"file_data": "data:image/png;base64,QQ=="}},
         {"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "auto"}),
        ({"type": "input_file", "file_url": "https://f.test/a"},
         {"type": "input_file", "file_url": "https://f.test/a"}),
    ],
)  # fmt: skip
def test_parts(part: Any, built: Any) -> None:
    assert Inputs(make_call([])).content([{"type": "text", "text": "-"}, part])[1] == built


def test_results_with_pictures_stay_parts() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://i.test/a.png"}}
    plan = history.plan(
        make_call([say("a"), asked(R1), told(R1, [picture])]), resolve_target(PROJECT, "bob")
    )
    assert plan.items[0]["output"][0]["type"] == "input_image"
