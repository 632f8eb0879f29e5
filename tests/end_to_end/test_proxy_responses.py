"""New agents behind a real LiteLLM proxy, asked by the openai client: chat and native responses."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import openai
import pytest

from tests.support.litellm_proxy import KEY

MODELS = ["toy", "toy-too"]


def user(text: str) -> Any:
    return {"role": "user", "content": text}


# -- chat completions --------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_chat_ids_and_usage(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=[user("hello")])
    answer = raw.parse()
    fields = answer.choices[0].message.provider_specific_fields  # type: ignore[attr-defined]
    assert answer.choices[0].message.content == "You said: hello "
    assert fields["response_id"] == fields["thread_id"]
    assert raw.headers["llm_provider-x-response-id"] == fields["response_id"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 16


@pytest.mark.parametrize("model", MODELS)
def test_chat_tools_without_state_in_the_client(client: openai.OpenAI, model: str) -> None:
    history = [user("weather")]
    first = client.chat.completions.create(model=model, messages=history)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    history.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls or ():
        city = json.loads(call.function.arguments)["city"]  # type: ignore[union-attr]
        history.append({"role": "tool", "tool_call_id": call.id, "content": f"sun in {city}"})
    stream = client.chat.completions.create(model=model, messages=history, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    assert text == "Results: call_paris=sun in Paris, call_rome=sun in Rome"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_chat_errors_have_their_status(client: openai.OpenAI, model: str, streamed: bool) -> None:
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=model, messages=[user("limit")], stream=streamed)


def test_the_operator_says_who_the_user_is(client: openai.OpenAI) -> None:
    def seen(model: str, **extra: Any) -> Any:
        answer = client.chat.completions.create(model=model, messages=[user("seen")], **extra)
        return json.loads(answer.choices[0].message.content or "")

    headers = {"x-agent-user-id": "mallory", "x-client-tenant": "blue"}
    body = {"metadata": {"user_api_key_hash": "mallory"}}
    got = seen("known", extra_headers=headers, extra_body=body)
    assert got["user"] == "litellm_proxy_master_key"
    assert got["headers"] == {"x-client-tenant": "blue"}
    assert seen("toy", extra_headers=headers, extra_body=body)["user"] is None
    with pytest.raises(openai.BadRequestError, match="operator"):
        seen("known", extra_body={"user_identity": "off"})
    with pytest.raises(openai.BadRequestError, match="x-agent-user-id"):
        seen("known", extra_body={"extra_headers": {"x-agent-user-id": "mallory"}})


# -- responses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_responses_are_native(client: openai.OpenAI, model: str) -> None:
    first = client.responses.create(model=model, input="hello")
    assert first.output_text == "You said: hello "
    assert first.usage is not None
    assert first.usage.total_tokens == 16
    second = client.responses.create(model=model, input="seen", previous_response_id=first.id)
    got = json.loads(second.output_text)
    assert [item[1] for item in got["history"]] == ["user", "assistant"]
    assert got["items"] == [["message", "user", "seen"]]


@pytest.mark.parametrize("model", MODELS)
def test_the_event_stream_is_the_services_own(client: openai.OpenAI, model: str) -> None:
    events = list(client.responses.create(model=model, input="weather", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.function_call_arguments.delta") == 4
    numbers = [event.sequence_number for event in events]  # type: ignore[union-attr]
    assert numbers == list(range(len(events)))
    calls = [o for o in events[-1].response.output if o.type == "function_call"]  # type: ignore[union-attr]
    assert [c.call_id for c in calls] == ["call_paris", "call_rome"]
    results = [
        {"type": "function_call_output", "call_id": c.call_id, "output": "sun"} for c in calls
    ]
    response_id = events[-1].response.id  # type: ignore[union-attr]
    answer = client.responses.create(
        model=model,
        previous_response_id=response_id,
        input=results,  # type: ignore[arg-type]
    )
    assert answer.output_text == "Results: call_paris=sun, call_rome=sun"


def test_fields_of_the_protocol_pass(client: openai.OpenAI) -> None:
    body = {
        "conversation": "conv_proxy",
        "structured_inputs": {"a": 1},
        "agent_session_id": "mine",
    }
    answer = client.responses.create(
        model="toy",
        input="seen",
        metadata={"k": "v"},
        temperature=0.5,
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": False}],
        extra_body=body,
    )
    got = json.loads(answer.output_text)["request"]
    assert got["conversation"] == "conv_proxy"
    assert got["structured_inputs"] == {"a": 1}
    assert got["agent_session_id"] == "mine"
    assert got["metadata"] == {"k": "v"}
    assert got["temperature"] == 0.5
    assert got["tools"][0]["name"] == "f"
    assert got["model"] == ""


def test_the_agent_cannot_be_swapped(client: openai.OpenAI) -> None:
    other = {"type": "agent_reference", "name": "other"}
    for body in ({"agent_reference": other}, {"extra_body": {"agent_reference": other}}):
        with pytest.raises(openai.BadRequestError, match="names the agent"):
            client.responses.create(model="toy", input="seen", extra_body=body)


def test_an_identity_cannot_be_made_up_on_responses(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model="known",
        input="seen",
        metadata={"user_api_key_hash": "mallory"},
        extra_headers={"x-agent-user-id": "mallory", "x-client-tenant": "blue"},
        extra_body={"litellm_metadata": {"user_api_key_hash": "mallory"}},
    )
    got = json.loads(answer.output_text)
    assert got["user"] == "litellm_proxy_master_key"
    assert got["headers"] == {"x-client-tenant": "blue"}
    with pytest.raises(openai.BadRequestError, match="operator"):
        client.responses.create(model="known", input="x", extra_body={"user_identity": "off"})


@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_has_its_status(proxy: str, streamed: bool) -> None:
    answer = httpx.post(
        f"{proxy}/v1/responses",
        json={
            "model": "toy",
            "input": "x",
            "conversation": {"id": "conv_1"},
            "previous_response_id": "nonsense",
            "stream": streamed,
        },
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=120,
    )
    assert answer.status_code == 400
    assert "previous_response_id" in answer.text


def test_messages_go_by_the_bridge(proxy: str) -> None:
    answer = httpx.post(
        f"{proxy}/v1/messages",
        json={"model": "toy", "max_tokens": 50, "messages": [user("hello")]},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=120,
    )
    assert answer.json()["content"][0]["text"] == "You said: hello "


def test_stored_responses_are_read_and_removed(client: openai.OpenAI) -> None:
    made = client.responses.create(model="toy", input="hello")
    assert client.responses.retrieve(made.id).output_text == "You said: hello "
    assert client.responses.input_items.list(made.id).data
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_a_client_that_goes_away_cancels_the_agent(
    proxy: str, client: openai.OpenAI, path: str
) -> None:
    body = {"model": "toy", "stream": True, "messages": [user("slow")], "input": "slow"}
    body.pop("input" if path.startswith("chat") else "messages")
    headers = {"Authorization": f"Bearer {KEY}"}

    def cancelled() -> int:
        answer = client.responses.create(model="toy", input="who was cancelled")
        return len(json.loads(answer.output_text))

    before = cancelled()
    with httpx.stream(
        "POST", f"{proxy}/v1/{path}", json=body, headers=headers, timeout=120
    ) as answer:
        for number, _ in enumerate(answer.iter_lines()):
            if number == 8:
                break
    end = time.monotonic() + 8
    while cancelled() == before and time.monotonic() < end:
        time.sleep(0.1)
    assert cancelled() == before + 1
