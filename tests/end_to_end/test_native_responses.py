"""LiteLLM's Responses API for agents, natively and bridged; health checks."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger

from litellm_azure_agents.emulator import Emulator
from tests.support.project_agent import sent

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
OTHER = {"type": "function", "function": {"name": "launch_rocket", "parameters": {}}}


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
