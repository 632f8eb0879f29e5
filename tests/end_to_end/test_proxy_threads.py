"""OpenAI-compatible clients, none written here, through a real LiteLLM proxy of two processes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.end_to_end.conftest import HOSTED_MODELS, PROJECT_MODELS
from tests.support.litellm_proxy import KEY

MODELS = ["echo", "echo-too"]


def user(text: str) -> Any:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("model", MODELS)
def test_ids_usage_and_cost_in_json(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=[user("hello")])
    answer = raw.parse()
    message = answer.choices[0].message
    fields = message.provider_specific_fields  # type: ignore[attr-defined]
    assert message.content == "You said: hello"
    assert fields["thread_id"].startswith("thread_")
    assert raw.headers["llm_provider-x-thread-id"] == fields["thread_id"]
    assert float(raw.headers["x-litellm-response-cost"]) > 0
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_ids_and_usage_in_sse(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model,
        messages=[user("hello")],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(raw.parse())
    first = chunks[0].choices[0].delta.provider_specific_fields  # type: ignore[attr-defined]
    assert first["thread_id"] == raw.headers["llm_provider-x-thread-id"]
    assert first["run_id"].startswith("run_")
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == (
        "You said: hello"
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


def test_a_thread_goes_on(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="echo", messages=[user("I am Ada.")])
    thread = first.choices[0].message.provider_specific_fields["thread_id"]  # type: ignore[attr-defined]
    second = client.chat.completions.create(
        model="echo-too",
        messages=[user("What did I say before?")],
        extra_body={"thread_id": thread},
    )
    assert "I am Ada." in (second.choices[0].message.content or "")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["fail", "fail-too"])
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("fail with rate_limit_exceeded: Try again in 7 seconds", 429),
        ("fail with content_filter: no", 400),
        ("fail", 500),
    ],
)
def test_failures_have_their_status(
    client: openai.OpenAI, model: str, text: str, status: int, streamed: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=[user(text)], stream=streamed)
    assert caught.value.status_code == status
    assert "asst_fail" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    if status == 429:
        assert caught.value.response.headers["llm_provider-retry-after"] == "7"


def test_callers_may_not_set_what_is_the_operators(
    client: openai.OpenAI, project: Emulator
) -> None:
    for option in (
        {"on_active_run": "cancel"}, {"agent_cache_ttl": 0}, {"protocol": "threads"},
        {"endpoint_style": "container"},
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError, match="operator"):
            client.chat.completions.create(model="echo", messages=[user("x")], extra_body=option)
    before = len(project.requests)
    for key in ("api_key", "azure_ad_token", "azure_scope"):
        body = {"model": "echo", "messages": [user("x")], key: "the-callers-token"}
        answer = httpx.post(
            f"{client.base_url}chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {KEY}"},
        )
        assert answer.status_code >= 400  # LiteLLM refuses some itself, as a 500
    assert all(r.status != 401 for r in project.requests[before:]), "a caller's token was sent on"


def test_the_agent_can_not_be_swapped(client: openai.OpenAI, project: Emulator) -> None:
    for body in ({"assistant_id": "asst_fail"}, {"agent": "asst_fail"}):
        with pytest.raises(openai.BadRequestError, match="is not an option"):
            client.chat.completions.create(model="echo", messages=[user("x")], extra_body=body)


def test_health_checks_leave_no_thread(proxy: str, project: Emulator) -> None:
    before = len(project.requests)
    health = httpx.get(
        f"{proxy}/health", headers={"Authorization": f"Bearer {KEY}"}, timeout=120
    ).json()
    assert health["unhealthy_count"] == 0
    assert health["healthy_count"] == len(PROJECT_MODELS) + len(HOSTED_MODELS)
    asked = project.requests[before:]
    assert len(asked) >= len(PROJECT_MODELS)
    assert {r.method for r in asked} == {"GET"}


# -- tools over two worker processes ---------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_tool_rounds_by_the_openai_client(client: openai.OpenAI, streamed: bool) -> None:
    messages: list[Any] = [user("What is the weather in Paris and Rome?")]
    for _ in range(4):  # the workers take turns; a round that needs one of them would fail
        arguments: Any = {"model": "weather", "messages": messages}
        if streamed:
            with client.chat.completions.stream(**arguments) as stream:
                message = stream.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(**arguments).choices[0].message
        assert message.tool_calls
        assert [json.loads(c.function.arguments)["location"] for c in message.tool_calls] == [
            "Paris",
            "Rome",
        ]
        messages.append(message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": c.id, "content": "sunny"} for c in message.tool_calls
        ]
        answer = client.chat.completions.create(model="weather", messages=messages)
        text = answer.choices[0].message.content or ""
        assert text.count("sunny") == 2
        messages += [
            {"role": "assistant", "content": text},
            user("And again: the weather in Paris and Rome?"),
        ]


def test_the_openai_agents_sdk(proxy: str) -> None:
    agents = pytest.importorskip("agents", reason="not with the oldest LiteLLM")
    agents.set_tracing_disabled(True)
    called: list[str] = []

    @agents.function_tool
    def step_one() -> str:
        """The first step."""
        called.append("one")
        return "first done"

    @agents.function_tool
    def step_two() -> str:
        """The second step."""
        called.append("two")
        return "second done"

    async def run(streamed: bool) -> str:
        client = openai.AsyncOpenAI(base_url=f"{proxy}/v1", api_key=KEY)
        model = agents.OpenAIChatCompletionsModel(model="chain", openai_client=client)
        agent = agents.Agent(name="worker", model=model, tools=[step_one, step_two])
        if not streamed:
            return str((await agents.Runner.run(agent, "Step one, then step two.")).final_output)
        result = agents.Runner.run_streamed(agent, "Step one, then step two.")
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    for streamed in (False, True):
        called.clear()
        assert asyncio.run(run(streamed))
        assert called == ["one", "two"]


def test_langchain_bind_tools(proxy: str) -> None:
    pytest.importorskip("langchain_openai", reason="not with the oldest LiteLLM")
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def get_weather(location: str) -> str:
        """The weather at a place."""
        return f"rain in {location}"

    llm = ChatOpenAI(model="weather", base_url=f"{proxy}/v1", api_key=KEY).bind_tools([get_weather])
    messages: list[Any] = [HumanMessage("What is the weather in Paris and Rome?")]
    answer = llm.invoke(messages)
    messages.append(answer)
    messages += [
        ToolMessage(get_weather.invoke(c["args"]), tool_call_id=c["id"]) for c in answer.tool_calls
    ]
    pieces = list(llm.stream(messages))
    text = "".join(str(piece.content) for piece in pieces)
    assert "rain in Paris" in text
    assert "rain in Rome" in text


def test_the_responses_bridge_with_tools(client: openai.OpenAI) -> None:
    """/v1/responses for a classic agent goes over LiteLLM's bridge to chat completions."""
    first = client.responses.create(model="weather", input="What is the weather in Paris?")
    calls = [item for item in first.output if item.type == "function_call"]
    assert [c.name for c in calls] == ["get_weather"]
    history: Any = [
        user("What is the weather in Paris?"),
        *(item.model_dump(exclude_none=True) for item in calls),
        {"type": "function_call_output", "call_id": calls[0].call_id, "output": "fog"},
    ]
    second = client.responses.create(model="weather", input=history)
    assert "fog" in second.output_text


def test_the_anthropic_bridge_keeps_tool_ids(proxy: str) -> None:
    """/v1/messages rewrites what is outside its alphabet: our ids are inside."""
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}

    def ask(messages: list[Any]) -> Any:
        tools = [{"name": "get_weather", "description": "The weather at a place.", "input_schema": {
            "type": "object", "properties": {"location": {"type": "string"}}}}]  # fmt: skip
        body = {"model": "weather", "max_tokens": 1000, "messages": messages, "tools": tools}
        return httpx.post(f"{proxy}/v1/messages", json=body, headers=headers, timeout=120).json()

    question = user("What is the weather in Paris?")
    first = ask([question])
    (call,) = [block for block in first["content"] if block["type"] == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "hail"}
    second = ask(
        [question, {"role": "assistant", "content": first["content"]},
         {"role": "user", "content": [result]}]
    )  # fmt: skip
    assert "hail" in second["content"][0]["text"]


def test_the_anthropic_bridge_streams_every_call(proxy: str) -> None:
    """It reads the first call of a chunk only, so parallel calls that arrive together come in
    chunks of their own."""
    body = {"model": "weather", "max_tokens": 1000, "stream": True,
            "messages": [user("What is the weather in Paris and Rome?")]}  # fmt: skip
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{proxy}/v1/messages", json=body, headers=headers, timeout=120)
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line[:6] == "data: "]
    begun = [e["content_block"] for e in events if e["type"] == "content_block_start"]
    pieces = [e["delta"].get("partial_json") or "" for e in events if "delta" in e]
    assert [block["name"] for block in begun if block["type"] == "tool_use"] == ["get_weather"] * 2
    assert "".join(pieces) == '{"location": "Paris"}{"location": "Rome"}'
