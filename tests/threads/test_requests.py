"""What is sent for a call of a classic agent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import litellm
import pytest
import respx

from litellm_azure_agents.core.attempts import NONCE_KEY
from tests.support.classic_agent import BASE, HELLO, NEW, RUNS, SECRET, ask, streamed
from tests.support.thread_streams import THREAD
from tests.support.ways import WAYS, Way


def test_parameters_reach_the_run(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    ask(
        messages=[{"role": "user", "content": "Hi"}],
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=300,
        response_format={"type": "json_object"},
        parallel_tool_calls=False,
        tool_choice="none",
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        max_prompt_tokens=1000,
        instructions="Only this.",
        tool_resources={"file_search": {"vector_store_ids": ["vs_1"]}},
        run_metadata={"a": "b"},
        thread_metadata={"c": "d"},
        api_version="2025-05-01",
    )
    request = route.calls.last.request
    body = json.loads(request.content)
    assert body.pop("metadata").items() >= {"a": "b"}.items()
    nonce = body["thread"]["metadata"].pop(NONCE_KEY)
    assert len(nonce) > 20
    assert body == {
        "assistant_id": "asst_rec",
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 300,
        "max_prompt_tokens": 1000,
        "response_format": {"type": "json_object"},
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "truncation_strategy": {"type": "last_messages", "last_messages": 3},
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
        "instructions": "Only this.",
        "thread": {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"c": "d"}},
    }
    assert request.url.params["api-version"] == "2025-05-01"
    assert request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("version", ["v1", "2025-05-01", "2025-05-15-preview"])
@pytest.mark.parametrize("way_name", WAYS)
def test_api_versions(service: respx.Router, way_name: str, version: str) -> None:
    route = service.post(NEW, params={"api-version": version}).mock(return_value=streamed())
    assert ask(way_name, api_version=version).text == "Hello, world."
    assert route.call_count == 1


def test_the_environment_gives_endpoint_and_key(
    service: respx.Router, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    monkeypatch.setenv("AZURE_AI_PROJECT_ENDPOINT", BASE + "/")
    monkeypatch.setenv("AZURE_AI_API_KEY", "from-environment")
    route = service.post(NEW).mock(return_value=streamed())
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        assert ask(way, model=model, api_base=None, api_key=None).text == "Hello, world."
    tokens = {call.request.headers["authorization"] for call in route.calls}
    assert tokens == {"Bearer from-environment"}


AGENT = {"id": "asst_rec", "instructions": "Own.", "model": "gpt-4o-mini",
         "tools": [{"type": "code_interpreter"},
                   {"type": "function", "function": {"name": "f", "parameters": {}}}]}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "instructions"),
    [
        ({}, "Own.\n\nBe brief.\n\nBe kind."),
        ({"additional_instructions": "And more."}, "Own.\n\nAnd more.\n\nBe brief.\n\nBe kind."),
        ({"instructions": "Mine."}, "Mine.\n\nBe brief.\n\nBe kind."),
        ({"system_messages": "replace"}, "Be brief.\n\nBe kind."),
        ({"system_messages": "ignore"}, None),
    ],
)
def test_system_messages_on_a_new_thread(
    service: respx.Router, options: dict[str, Any], instructions: str | None
) -> None:
    service.get(f"{BASE}/assistants/asst_rec").mock(return_value=httpx.Response(200, json=AGENT))
    route = service.post(NEW).mock(return_value=streamed())
    messages = [
        {"role": "system", "content": "Be brief."},
        *HELLO,
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
    ]
    ask(messages=messages, agent_cache_ttl=0, **options)
    body = json.loads(route.calls.last.request.content)
    assert body.get("instructions") == instructions
    assert body["thread"]["messages"] == [{"role": "user", "content": "Hello"}]


def test_system_messages_on_a_known_thread_are_one_request(service: respx.Router) -> None:
    route = service.post(RUNS).mock(return_value=streamed())
    ask(messages=[{"role": "system", "content": "Be brief."}, *HELLO], thread_id=THREAD)
    body = json.loads(route.calls.last.request.content)
    assert body["additional_instructions"] == "Be brief."
    assert "instructions" not in body
    assert len(service.calls) == 1


def test_tools_are_merged_with_the_agents_own(service: respx.Router) -> None:
    service.get(f"{BASE}/assistants/asst_rec").mock(return_value=httpx.Response(200, json=AGENT))
    route = service.post(NEW).mock(return_value=streamed())
    mine = {"type": "function", "function": {"name": "f", "description": "mine", "parameters": {}}}
    for mode, expected in (
        ("merge", [{"type": "code_interpreter"}, mine]),
        ("replace", [mine]),
        ("agent_only", None),
    ):
        ask(tools=[mine], agent_tools=mode, agent_cache_ttl=0)
        assert json.loads(route.calls.last.request.content).get("tools") == expected
    many = [{"type": "function", "function": {"name": f"f{n}"}} for n in range(128)]
    with pytest.raises(litellm.BadRequestError, match="130 tools"):
        ask(tools=many, agent_cache_ttl=0)


def test_the_agents_definition_is_read_once_a_minute(service: respx.Router) -> None:
    agent = service.get(f"{BASE}/assistants/asst_cached")
    agent.mock(return_value=httpx.Response(200, json=AGENT))
    service.post(NEW).mock(return_value=streamed())
    for way in WAYS:
        messages = [{"role": "system", "content": "Brief."}, *HELLO]
        ask(way, model="azure_ai/agents/asst_cached", messages=messages)
    assert agent.call_count == 1


def test_history_becomes_the_thread_in_order_and_within_limits(service: respx.Router) -> None:
    turns = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": f"turn {n}"} for n in range(121)
    ]
    create = service.post(f"{BASE}/threads").mock(
        return_value=httpx.Response(200, json={"id": THREAD})
    )
    add = service.post(f"{BASE}/threads/{THREAD}/messages").mock(
        return_value=httpx.Response(200, json={"id": "msg_x"})
    )
    start = service.post(RUNS).mock(return_value=streamed())
    ask(messages=turns)
    first = json.loads(create.calls.last.request.content)["messages"]
    middle = [json.loads(call.request.content) for call in add.calls]
    marks = [message.pop("metadata")[NONCE_KEY] for message in middle]
    assert len(set(marks)) == len(middle)
    last = json.loads(start.calls.last.request.content)["additional_messages"]
    assert [*first, *middle, *last] == turns
    assert len(first) <= 32
    assert len(last) <= 32


def test_a_known_thread_gets_only_what_is_new(service: respx.Router) -> None:
    route = service.post(RUNS).mock(return_value=streamed())
    history = [*HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "New"}]
    ask(messages=history, thread_id=THREAD)
    body = json.loads(route.calls.last.request.content)
    assert body["additional_messages"] == [{"role": "user", "content": "New"}]


def test_old_tool_rounds_of_other_models_stay_readable(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    call = {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": "[1]"}}
    ask(
        messages=[
            *HELLO,
            {"role": "assistant", "content": "Adding.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "3"},
            {"role": "assistant", "content": "It is 3."},
            {"role": "user", "content": "Sure?"},
        ]
    )
    thread = json.loads(route.calls.last.request.content)["thread"]["messages"]
    assert thread[1] == {
        "role": "assistant",
        "content": "Adding.\n[called add([1])]\n[add returned: 3]",
    }
    assert [m["role"] for m in thread] == ["user", "assistant", "assistant", "user"]


def test_old_turns_of_other_models_are_taken_as_they_come(service: respx.Router) -> None:
    """Thoughts, refusals and empty turns must not block a whole history."""
    route = service.post(NEW).mock(return_value=streamed())
    thought = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi."}]
    ask(
        messages=[
            {"role": "user", "content": ""},
            {"role": "assistant", "content": thought},
            *HELLO,
            {"role": "assistant", "content": None, "refusal": "I won't."},
            *HELLO,
        ],
        timeout=float("inf"),
    )
    thread = json.loads(route.calls.last.request.content)["thread"]["messages"]
    assert [m["content"] for m in thread] == ["Hi.", "Hello", "I won't.", "Hello"]
