"""Requests that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator, Strictness

from .client import Raw, check_stream, reference, said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", []), ("text", {"format": {"type": "text"}}), ("instructions", "Sing."),
        ("temperature", 0.5), ("top_p", 0.5), ("reasoning", {"effort": "low"}),
    ],
)  # fmt: skip
def test_fields_of_the_definition_are_refused_next_to_an_agent(
    raw: Raw, field: str, value: Any
) -> None:
    error = raw.refused(raw.body("echo", "hi", **{field: value}))
    assert error["message"] == "Not allowed when agent is specified."
    assert (error["code"], error["param"]) == ("invalid_payload", field)
    at_endpoint = {"input": "hi", field: value}
    path = "/agents/echo/endpoint/protocols/openai/responses?api-version=v1"
    assert raw.refused(at_endpoint, path=path)["param"] == field


def test_several_refused_fields_are_details(raw: Raw) -> None:
    error = raw.refused(raw.body("echo", "hi", temperature=0.5, text={"format": {"type": "text"}}))
    assert (error["message"], error["param"]) == ("Invalid payload", None)
    assert [(d["code"], d["message"], d["type"]) for d in error["details"]] == [
        ("ValidationError", "Not allowed when agent is specified.", "error")
    ] * 2
    assert {d["param"] for d in error["details"]} == {"temperature", "text"}


def test_a_model_next_to_an_agent_is_the_agents_own(raw: Raw) -> None:
    assert raw.ask("echo", "hi", model="gpt-4o-mini")["model"] == "gpt-4o-mini"
    error = raw.refused(raw.body("echo", "hi", model="gpt-4o"))
    assert error["message"] == (
        "Model must match the agent's model 'gpt-4o-mini' when agent is specified."
    )
    assert (error["code"], error["param"]) == ("invalid_payload", "model")


def test_unknown_fields_next_to_an_agent_pass_unless_a_switch_says_no(raw: Raw) -> None:
    given = {"parallel_tool_calls": False, "truncation": "auto", "max_tool_calls": 3}
    assert raw.ask("echo", "hi", tool_choice="required", **given)["status"] == "completed"
    with Emulator(strictness=Strictness(unknown_with_agent=False)) as emulator:
        strict = Raw(emulator)
        for name, value in given.items():
            assert strict.refused(strict.body("echo", "hi", **{name: value}))["param"] == name
        assert strict.ask("echo", "hi", tool_choice="required")["status"] == "completed"


def test_fields_that_are_allowed_next_to_an_agent(raw: Raw) -> None:
    final = raw.ask(
        "echo", "hi", max_output_tokens=100, metadata={"a": "b"}, user="u", store=True,
        include=["file_search_call.results"], stream_options={"include_obfuscation": False},
    )  # fmt: skip
    assert final["metadata"] == {"a": "b"}


def test_switches_allow_unconfirmed_fields() -> None:
    lenient = Strictness(
        allowed_with_agent=frozenset({"temperature", "text"}),
        min_max_output_tokens=1,
        hosted_items_in_input=True,
        approvals_must_be_answered=False,
    )
    with Emulator(strictness=lenient) as emulator:
        raw = Raw(emulator)
        assert raw.ask("echo", "hi", temperature=0.3)["temperature"] == 0.3
        assert raw.refused(raw.body("echo", "hi", top_p=0.3))["param"] == "top_p"
        assert raw.ask("long", "hi", max_output_tokens=1)["status"] == "incomplete"
        sent_back = raw.ask("web", "news?")["output"]
        assert raw.ask("echo", [*sent_back, {"role": "user", "content": "x"}])
        first = raw.ask("approval", "search the docs")
        assert raw.ask("approval", "never mind the docs", previous_response_id=first["id"])


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": "hi"}, 400, "model"),
        ({"agent_reference": reference("nobody"), "input": "hi"}, 404, None),
        ({"agent_reference": reference("echo", "9"), "input": "hi"}, 404, None),
        ({"agent_reference": {"name": "echo"}, "input": "hi"}, 400, "agent_reference.type"),
        ({"agent_reference": reference("echo")}, 400, "input"),
        ({"agent_reference": reference("echo"), "input": 5}, 400, "input"),
        ({"agent_reference": reference("echo"), "input": [{"type": "dance"}]}, 400,
         "input[0].type"),
        ({"agent_reference": reference("echo"), "input": [{"role": "tool", "content": "x"}]}, 400,
         "input[0].role"),
        ({"agent_reference": reference("echo"),
          "input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, 400,
         "input[0].content[0]"),
        ({"agent_reference": reference("echo"), "input": "x", "nonsense": 1}, 400, "nonsense"),
        ({"agent_reference": reference("echo"), "input": "x", "max_output_tokens": 15}, 400,
         "max_output_tokens"),
        ({"agent_reference": reference("echo"), "input": "x", "previous_response_id": "resp_no"},
         400, "previous_response_id"),
        ({"agent_reference": reference("echo"), "input": "x", "conversation": "conv_no"}, 404,
         None),
        ({"agent_reference": reference("echo"), "input": "x", "background": True, "store": False},
         400, "store"),
        ({"agent_reference": reference("echo"), "input": "x", "metadata": {"a": 1}}, 400,
         "metadata.a"),
    ],
)  # fmt: skip
def test_bad_requests(raw: Raw, body: dict, status: int, param: str | None) -> None:
    error = raw.refused(body, status)
    assert error["param"] == param
    assert error["code"]


def test_sent_back_hosted_items_are_refused(raw: Raw) -> None:
    output = raw.ask("web", "news?")["output"]
    error = raw.refused(raw.body("echo", [output[0], {"role": "user", "content": "and?"}]))
    assert error["message"] == "The provided data does not match the expected schema"


def test_open_calls_must_be_answered(raw: Raw) -> None:
    first = raw.ask("weather", "What is the weather in Paris and Rome?")
    calls = [i for i in first["output"] if i["type"] == "function_call"]
    assert [json.loads(c["arguments"])["location"] for c in calls] == ["Paris", "Rome"]
    outputs = [
        {"type": "function_call_output", "call_id": c["call_id"], "output": "sunny"} for c in calls
    ]
    after = {"previous_response_id": first["id"]}
    error = raw.refused(raw.body("weather", "never mind", **after))
    message = f"No tool output found for function call {calls[0]['call_id']}."
    assert error["message"] == message
    error = raw.refused(raw.body("weather", outputs[:1], **after))
    assert calls[1]["call_id"] in error["message"]
    stray = {"type": "function_call_output", "call_id": "call_stray", "output": "x"}
    error = raw.refused(raw.body("weather", [*outputs, stray], **after))
    assert "No tool call found" in error["message"]
    assert "call_stray" in error["message"]
    final = check_stream(raw.stream("weather", outputs, **after))
    assert said(final).count("sunny") == 2
    # The whole history sent again needs no stored response.
    history = [{"role": "user", "content": "What is the weather in Paris and Rome?"}]
    for call in calls:
        history.append({k: call[k] for k in ("type", "call_id", "name", "arguments")})
    assert said(raw.ask("weather", [*history, *outputs])) == said(final)
