"""New agents of a project, as the emulator plays it: what the service refuses, breaks and locks."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import litellm
import pytest
from litellm.exceptions import MidStreamFallbackError
from litellm.integrations.custom_logger import CustomLogger

from litellm_azure_agents.core.attempts import NONCE_KEY
from litellm_azure_agents.emulator import Emulator, Strictness
from litellm_azure_agents.responses import refused
from tests.support.ways import Result, Way

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
OTHER = {"type": "function", "function": {"name": "launch_rocket", "parameters": {}}}


@pytest.fixture
def ask(way: Way, emulator: Emulator) -> Any:
    """Asks an agent of the project in one of the four ways."""

    def ask(agent: str, messages: Any, **arguments: Any) -> Result:
        return way.ask(**_arguments(emulator, agent, messages, arguments))

    return ask


def _arguments(emulator: Emulator, agent: str, messages: Any, more: dict[str, Any]) -> Any:
    if isinstance(messages, str):
        messages = [user(messages)]
    return {
        "model": f"azure_ai/agents/{agent}",
        "api_base": emulator.endpoint,
        "api_key": emulator.token,
        "messages": messages,
        **more,
    }


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def sent(emulator: Emulator, method: str = "POST") -> list[Any]:
    return [r for r in emulator.requests if r.method == method]


def add_version(emulator: Emulator, name: str, **definition: Any) -> None:
    httpx.post(
        f"{emulator.endpoint}/agents/{name}/versions?api-version=v1",
        json={"definition": {"kind": "prompt", "model": "gpt-4o-mini", **definition}},
        headers={"Authorization": f"Bearer {emulator.token}"},
    ).raise_for_status()


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
        way.ask(**_arguments(emulator, "echo", "hi", {name: value}))
    assert not sent(emulator)
    way.ask(**_arguments(emulator, "echo", "hi", {name: value, "drop_params": True}))
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
        way.ask(**_arguments(stricter, "echo", "hi", given))
    for name in given:
        assert f"'{name}' with a call to an agent: set it in the agent's" in str(caught.value)
    dropped = _arguments(stricter, "echo", "hi", {**given, "drop_params": True})
    assert way.ask(**dropped).text == "You said: hi"
    assert [sorted(r.body.keys() & given.keys()) for r in sent(stricter)[-2:]] == [
        ["max_tool_calls", "truncation"],
        [],
    ]


def test_a_default_that_is_refused_is_left_out(way: Way, stricter: Emulator) -> None:
    result = way.ask(**_arguments(stricter, "echo", "hi", {"parallel_tool_calls": True}))
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


# -- what breaks -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["end", "reset"])
@pytest.mark.parametrize("events", [1, 5, 7])
def test_a_broken_stream_is_finished_by_asking(
    ask: Any, emulator: Emulator, events: int, mode: str
) -> None:
    whole = ask("echo", "one two three four five")
    emulator.faults.add(cut_after_events=events, mode=mode, unnoticed=True, method="POST", times=1)
    result = ask("echo", "one two three four five")
    assert (result.text, result.usage) == (whole.text, whole.usage)
    assert sent(emulator, "GET")


def test_a_response_cancelled_by_the_break_is_made_again(emulator: Emulator, way: Way) -> None:
    """Nothing of it was given out to the caller of a whole answer; a stream can't begin again."""
    emulator.faults.add(cut_after_events=5, method="POST", times=1)
    arguments = _arguments(emulator, "slow", "one two three four five", {})
    if way.streamed:
        with pytest.raises((litellm.APIConnectionError, MidStreamFallbackError)):
            way.ask(**arguments)
    else:
        assert way.ask(**arguments).text == "You said: one two three four five"


def test_a_stream_that_named_nothing_is_looked_for(emulator: Emulator, way: Way) -> None:
    emulator.faults.add(cut_after_bytes=0, mode="reset", method="POST", times=1)
    assert way.ask(**_arguments(emulator, "echo", "hi", {})).text == "You said: hi"


@pytest.mark.parametrize("events", [2, 5, 7])
def test_a_background_stream_is_resumed(ask: Any, emulator: Emulator, events: int) -> None:
    whole = ask("echo", "one two three four five")
    emulator.faults.add(cut_after_events=events, method="POST", times=1)
    emulator.faults.add(cut_after_events=2, method="GET", times=1)
    result = ask("echo", "one two three four five", background=True)
    assert (result.text, result.usage) == (whole.text, whole.usage)
    first, second = [r.query for r in sent(emulator, "GET")]
    # From the last event that said something: those after it may come again.
    assert first in {f"stream=true&starting_after={n}" for n in (events - 1, events - 2)}
    assert int(second.partition("starting_after=")[2]) >= events - 1


def test_polling(ask: Any, emulator: Emulator) -> None:
    whole = ask("weather", "weather in Paris?")
    result = ask("weather", "weather in Paris?", run_mode="poll", poll_interval=0.02)
    assert [c[1:] for c in result.tool_calls] == [c[1:] for c in whole.tool_calls]
    assert result.finish_reason == "tool_calls"
    assert sent(emulator)[-1].body["background"] is True


def test_an_error_event(emulator: Emulator) -> None:
    emulator.faults.add(error_after_events=2, method="POST", times=1)
    with pytest.raises(litellm.InternalServerError):
        Way("sync stream").ask(**_arguments(emulator, "echo", "hi", {}))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, litellm.AuthenticationError),
        (403, litellm.PermissionDeniedError),
        (404, litellm.NotFoundError),
        (500, litellm.InternalServerError),
    ],
)
def test_statuses(emulator: Emulator, way: Way, status: int, kind: Any) -> None:
    emulator.faults.add(status=status, method="POST")
    with pytest.raises(kind):
        way.ask(**_arguments(emulator, "echo", "hi", {}))
    assert len(sent(emulator)) == 1


def test_a_refusal_before_anything_was_done_is_tried_again(ask: Any, emulator: Emulator) -> None:
    emulator.faults.add(status=429, retry_after="0.01", method="POST", times=1)
    assert ask("echo", "hi").text == "You said: hi"
    assert [r.status for r in sent(emulator)] == [429, 200]


def test_a_locked_conversation_is_waited_for(emulator: Emulator, way: Way) -> None:
    conversation = httpx.post(
        f"{emulator.endpoint}/openai/v1/conversations",
        json={},
        headers={"Authorization": f"Bearer {emulator.token}"},
    ).json()["id"]
    first = threading.Thread(
        target=lambda: Way("sync").ask(
            **_arguments(emulator, "slow", "a b c", {"conversation_id": conversation})
        )
    )
    first.start()
    end = time.monotonic() + 5
    while not sent(emulator)[1:] and time.monotonic() < end:
        time.sleep(0.01)
    result = way.ask(**_arguments(emulator, "echo", "then", {"thread_id": conversation}))
    first.join()
    assert result.text == "You said: then"
    assert 400 in [r.status for r in sent(emulator)]
    assert sent(emulator)[-1].status == 200


# -- the native API, and health ----------------------------------------------------------------


def _native(emulator: Emulator, agent: str, **more: Any) -> dict[str, Any]:
    return {
        "model": f"azure_ai/agents/{agent}",
        "api_base": emulator.endpoint,
        "api_key": emulator.token,
        **more,
    }


def test_native_requests(emulator: Emulator) -> None:
    answer = litellm.responses(input="hello", **_native(emulator, "echo:1"))
    assert answer.output[0].content[0].text == "Version 1 heard: hello"  # type: ignore[union-attr]
    (request,) = emulator.requests
    assert request.body == {
        "agent_reference": {"type": "agent_reference", "name": "echo", "version": "1"},
        "input": "hello",
    }
    more = litellm.responses(
        input="again", previous_response_id=answer.id, **_native(emulator, "echo")
    )
    assert more.previous_response_id
    assert sent(emulator)[-1].body["previous_response_id"].startswith("resp_")
    assert len(sent(emulator)[-1].body["previous_response_id"]) < 50, "decoded"


def test_native_tools_are_checked(emulator: Emulator) -> None:
    own = {"type": "function", "name": "get_weather", "parameters": {}, "strict": False}
    litellm.responses(input="hi", tools=[own], **_native(emulator, "weather"))
    assert "tools" not in sent(emulator)[-1].body
    with pytest.raises(litellm.BadRequestError, match="launch_rocket"):
        litellm.responses(
            input="hi", tools=[{**own, "name": "launch_rocket"}], **_native(emulator, "weather")
        )
    with pytest.raises(litellm.BadRequestError, match="temperature"):
        litellm.responses(input="hi", temperature=0.1, **_native(emulator, "echo"))


def test_a_native_calls_model_is_the_agents_own(emulator: Emulator) -> None:
    own = {"extra_body": {"model": "gpt-4o-mini"}}
    litellm.responses(input="hi", tool_choice="auto", **own, **_native(emulator, "echo"))
    assert sent(emulator)[-1].body["model"] == "gpt-4o-mini"
    other = {"extra_body": {"model": "gpt-4o"}}
    with pytest.raises(litellm.BadRequestError, match=r"'model'.*names its model"):
        litellm.responses(input="hi", **other, **_native(emulator, "echo"))
    litellm.responses(input="hi", **_native(emulator, "echo"))
    assert "model" not in sent(emulator)[-1].body


def test_native_calls_are_logged_with_their_cost_and_never_cached(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[float] = []
    logged = threading.Event()

    class NativeLogger(CustomLogger):  # one for all: LiteLLM takes no second of the same name
        def log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            # LiteLLM still logs earlier tests, which are not as long as this.
            if (kwargs.get("standard_logging_object") or {}).get("total_tokens") == 26:
                costs.append(kwargs["response_cost"])
                logged.set()

        async def async_log_success_event(self, *given: Any, **named: Any) -> None:
            self.log_success_event(*given, **named)

    def ask(streamed: bool, **arguments: Any) -> str:
        if streamed:
            return str(list(litellm.responses(**arguments, stream=True))[-1].response.id)
        return str(litellm.responses(**arguments).id)

    async def aask(streamed: bool, **arguments: Any) -> str:
        if streamed:
            stream: Any = await litellm.aresponses(**arguments, stream=True)
            response = [event async for event in stream][-1].response
        else:
            response = await litellm.aresponses(**arguments)
        await asyncio.to_thread(logged.wait, 20)  # in a task of this loop
        return str(response.id)

    monkeypatch.setattr(litellm, "cache", litellm.Cache())
    logger = NativeLogger()
    litellm.callbacks.append(logger)
    ids = []
    try:
        for route in ("azure_ai/agents/echo", "azure_agents/echo"):
            arguments = {
                **_native(emulator, "echo"),
                "model": route,
                "input": "count me among the natives",
            }
            for streamed in (False, True, False, True):
                for is_async in (False, True):
                    logged.clear()
                    made = aask(streamed, **arguments) if is_async else ask(streamed, **arguments)
                    ids.append(made if isinstance(made, str) else asyncio.run(made))
                    assert logged.wait(20), (route, streamed, is_async)
    finally:
        litellm.callbacks.remove(logger)
    assert len(set(ids)) == len(sent(emulator)) == 16
    price = litellm.model_cost["azure/gpt-4o-mini"]
    cost = 18 * price["input_cost_per_token"] + 8 * price["output_cost_per_token"]
    assert costs == [pytest.approx(cost)] * len(costs)


def test_native_instructions_are_a_message(emulator: Emulator) -> None:
    litellm.responses(input="hello", instructions="Be brief.", **_native(emulator, "echo"))
    first = {"type": "message", "role": "developer", "content": "Be brief."}
    said = {"type": "message", "role": "user", "content": "hello"}
    assert sent(emulator)[-1].body["input"] == [first, said]
    assert "instructions" not in sent(emulator)[-1].body
    litellm.responses(input=[said], instructions="Be brief.", **_native(emulator, "echo"))
    assert sent(emulator)[-1].body["input"] == [first, said]


@pytest.mark.parametrize("events", [1, 5, 9])
@pytest.mark.parametrize("mode", ["end", "reset"])
def test_native_background_streams_are_resumed(emulator: Emulator, events: int, mode: str) -> None:
    arguments = {**_native(emulator, "echo"), "input": "a b c", "background": True, "stream": True}
    emulator.faults.add(cut_after_events=events, mode=mode, method="POST", times=1)
    came: list[Any] = list(litellm.responses(**arguments))
    assert [event.sequence_number for event in came] == list(range(len(came)))
    assert came[-1].response.output[0].content[0].text == "You said: a b c"
    assert [r.method for r in emulator.requests] == ["POST", "GET"]


def test_native_streams_that_break_are_errors(emulator: Emulator) -> None:
    async def read() -> list[str]:
        kinds: list[str] = []
        stream: Any = await litellm.aresponses(
            input="a b c", stream=True, **_native(emulator, "slow")
        )
        async for event in stream:
            kinds.append(str(event.type.value))
        return kinds

    assert asyncio.run(read())[-1] == "response.completed"
    emulator.faults.add(cut_after_events=5, mode="end", method="POST", times=1)
    with pytest.raises(Exception, match=r"ended before its end.*response resp_"):
        asyncio.run(read())


def test_classic_agents_keep_the_bridge(emulator: Emulator) -> None:
    answer = litellm.responses(input="hello", **_native(emulator, "asst_echo"))
    assert answer.output[0].content[0].text == "You said: hello"  # type: ignore[union-attr]
    assert sent(emulator)[0].path.endswith("/threads/runs")


def test_health_reads_the_agent(emulator: Emulator) -> None:
    def check(agent: str) -> Any:
        return asyncio.run(litellm.ahealth_check(_native(emulator, agent), mode="chat"))

    assert "error" not in check("echo")
    assert [r.method for r in emulator.requests] == ["GET"]
    assert "404" in json.dumps(check("nobody"), default=str) or "error" in check("nobody")


def test_stored_responses_are_read_and_removed(emulator: Emulator) -> None:
    made = litellm.responses(input="hello", **_native(emulator, "echo"))
    where = {**_native(emulator, "echo"), "custom_llm_provider": "azure_ai"}
    again = litellm.get_responses(made.id, **where)
    assert again.output[0].content[0].text == "You said: hello"
    assert again.id == made.id
    items = asyncio.run(litellm.alist_input_items(made.id, **where))
    assert items["data"][0]["content"][0]["text"] == "hello"
    asyncio.run(litellm.adelete_responses(made.id, **where))
    with pytest.raises(litellm.NotFoundError):
        litellm.get_responses(made.id, **where)
    with pytest.raises(litellm.BadRequestError, match="model="):
        litellm.get_responses(made.id, api_base=emulator.endpoint, api_key=emulator.token)
    running = litellm.responses(input="a b", background=True, **_native(emulator, "slow"))
    assert litellm.cancel_responses(running.id, **where).status == "cancelled"
