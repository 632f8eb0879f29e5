"""New agents of a project, as the emulator plays it: requests, tools and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from litellm_azure_agents.core.attempts import NONCE_KEY
from litellm_azure_agents.emulator import Emulator, Strictness
from litellm_azure_agents.responses import refused
from tests.support.project_agent import add_version, arguments_of, asking, sent, user
from tests.support.ways import Way

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
OTHER = {"type": "function", "function": {"name": "launch_rocket", "parameters": {}}}


@pytest.fixture
def ask(way: Way, emulator: Emulator) -> Any:
    """Asks an agent of the project in one of the four ways."""
    return asking(way, emulator)


# -- requests ----------------------------------------------------------------------------------


def test_one_request_a_turn(ask: Any, emulator: Emulator, way: Way) -> None:
    result = ask("echo", "hello")
    assert result.text == "You said: hello"
    assert result.cost or way.streamed
    (request,) = emulator.requests
    assert (request.method, request.query) == ("POST", "")
    assert request.path.endswith("/openai/v1/responses")
    assert len(request.body.pop("metadata")[NONCE_KEY]) > 20
    assert request.body == {
        "agent_reference": {"type": "agent_reference", "name": "echo"},
        "input": [{"type": "message", "role": "user", "content": "hello"}],
        "stream": True,
    }


def test_a_version(ask: Any, emulator: Emulator) -> None:
    add_version(emulator, "echo", instructions="second")
    ask("echo:1", "hello")
    reference = sent(emulator)[-1].body["agent_reference"]
    assert reference == {"type": "agent_reference", "name": "echo", "version": "1"}
    with pytest.raises(litellm.NotFoundError):
        ask("echo:99", "hello")


def test_the_agents_own_endpoint(ask: Any, emulator: Emulator) -> None:
    assert ask("echo", "hello", endpoint_style="agent").text == "You said: hello"
    base = f"{emulator.endpoint}/agents/echo/endpoint/protocols/openai"
    assert ask("echo", "hello", api_base=base).text == "You said: hello"
    for request in sent(emulator):
        assert request.path.endswith("/agents/echo/endpoint/protocols/openai/responses")
        assert request.query == "api-version=v1"
        assert "WorkflowAgents=V1Preview" in request.headers["foundry-features"]
        assert "agent_reference" not in request.body
    with pytest.raises(litellm.BadRequestError, match="model names"):
        ask("weather", "hello", api_base=base)


# -- tools and settings next to an agent -------------------------------------------------------


def test_functions_that_the_agent_has_are_not_sent(ask: Any, emulator: Emulator) -> None:
    result = ask("weather", "weather in Paris?", tools=[WEATHER], tool_choice="auto")
    assert [name for _, name, _ in result.tool_calls] == ["get_weather"]
    assert "tools" not in sent(emulator)[0].body
    assert sent(emulator)[0].body["tool_choice"] == "auto"
    ask("weather", "weather in Paris?", tools=[WEATHER])
    assert len(sent(emulator, "GET")) == 1, "the definition is read once a minute"


def test_a_function_that_the_agent_lacks_is_named(ask: Any, emulator: Emulator) -> None:
    with pytest.raises(litellm.BadRequestError, match=r"'launch_rocket'.*add it to the agent"):
        ask("weather", "hi", tools=[WEATHER, OTHER])
    assert not sent(emulator)
    ask("weather", "hi", tools=[OTHER], agent_tools="agent_only")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.5),
        ("top_p", 0.5),
        ("reasoning_effort", "low"),
        ("instructions", "Sing."),
        ("response_format", {"type": "json_object"}),
        ("truncation_strategy", {"type": "auto"}),
    ],
)
def test_what_the_service_refuses_is_refused_by_name(
    emulator: Emulator, name: str, value: Any
) -> None:
    way = Way("sync")
    with pytest.raises(litellm.BadRequestError, match=name):
        way.ask(**arguments_of(emulator, "echo", "hi", {name: value}))
    assert not sent(emulator)
    way.ask(**arguments_of(emulator, "echo", "hi", {name: value, "drop_params": True}))
    assert not refused.REFUSED & sent(emulator)[0].body.keys()


def test_what_passes_or_is_unknown_is_sent_as_given(ask: Any, emulator: Emulator) -> None:
    ask("weather", "hi", tool_choice="required", parallel_tool_calls=False, truncation="auto")
    body = sent(emulator)[0].body
    assert body["tool_choice"] == "required"
    assert body["parallel_tool_calls"] is False
    assert body["truncation"] == "auto"
    named = {"type": "function", "function": {"name": "get_weather"}}
    ask("weather", "hi", tool_choice=named)
    chosen = {"type": "function", "name": "get_weather"}
    assert sent(emulator)[-1].body["tool_choice"] == chosen


@pytest.fixture
def stricter() -> Iterator[Emulator]:
    """A service that refuses what nobody knows whether it does."""
    with Emulator(strictness=Strictness(unknown_with_agent=False)) as emulator:
        yield emulator


def test_a_refusal_that_only_the_service_knew_says_what_to_do(way: Way, stricter: Emulator) -> None:
    given = {"truncation": "auto", "max_tool_calls": 3}
    with pytest.raises(litellm.BadRequestError) as caught:
        way.ask(**arguments_of(stricter, "echo", "hi", given))
    for name in given:
        assert f"'{name}' with a call to an agent: set it in the agent's" in str(caught.value)
    dropped = arguments_of(stricter, "echo", "hi", {**given, "drop_params": True})
    assert way.ask(**dropped).text == "You said: hi"
    assert [sorted(r.body.keys() & given.keys()) for r in sent(stricter)[-2:]] == [
        ["max_tool_calls", "truncation"],
        [],
    ]


def test_a_default_that_is_refused_is_left_out(way: Way, stricter: Emulator) -> None:
    result = way.ask(**arguments_of(stricter, "echo", "hi", {"parallel_tool_calls": True}))
    assert result.text == "You said: hi"
    assert ["parallel_tool_calls" in r.body for r in sent(stricter)] == [True, False]


def test_the_agents_own_answer_format_is_fine(ask: Any, emulator: Emulator) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    form = {"type": "json_schema", "name": "form", "schema": schema}
    add_version(emulator, "formed", text={"format": form})
    wanted = {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}
    ask("formed", "hi", response_format=wanted)
    assert "text" not in sent(emulator)[-1].body
    with pytest.raises(litellm.BadRequestError, match="response_format"):
        ask("echo", "hi", response_format=wanted)


def test_tool_rounds(ask: Any, emulator: Emulator) -> None:
    history: list[Any] = [user("weather in Paris and Rome?")]
    first = ask("weather", history)
    assert len(first.tool_calls) == 2
    history.append(first.assistant_message())
    history += [
        {"role": "tool", "tool_call_id": call, "content": "sunny"}
        for call, _, _ in first.tool_calls
    ]
    second = ask("weather", history)
    assert "sunny" in second.text
    body = sent(emulator)[-1].body
    assert body["previous_response_id"] == first.ids["response_id"]
    assert [item["type"] for item in body["input"]] == ["function_call_output"] * 2


def test_going_on_without_results(ask: Any) -> None:
    first = ask("weather", "weather in Paris?")
    history = [user("weather in Paris?"), first.assistant_message(), user("never mind")]
    assert ask("weather", history).finish_reason == "stop"


@pytest.mark.parametrize("policy", ["approve", "deny"])
def test_approvals_inside_the_call(ask: Any, policy: str) -> None:
    question = "please search the docs for dogs"
    asked = ask("approval", question)
    assert [name for _, name, _ in asked.tool_calls] == ["mcp_approval_request"]
    answered = ask("approval", question, approvals=policy)
    assert answered.tool_calls == []
    assert answered.text
