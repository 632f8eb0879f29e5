"""Agents, conversations, runs and vector stores by Python, sync and async."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import agents, conversations, files, runs, vector_stores
from litellm_azure_agents.emulator import Emulator

MODULES = [agents, conversations, files, runs, vector_stores]


@pytest.fixture
def at(emulator: Emulator) -> dict[str, Any]:
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, at: dict[str, Any]) -> Any:
    """Calls a function, or its async twin; of `tail` gives all events."""

    def perform(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if request.param == "sync":
            result = function(*arguments, **named, **at)
            return list(result) if function is runs.tail else result
        twin = getattr(sys.modules[function.__module__], "a" + function.__name__)

        async def collect() -> list[Any]:
            return [event async for event in twin(*arguments, **named, **at)]

        if function is runs.tail:
            return asyncio.run(collect())
        return asyncio.run(twin(*arguments, **named, **at))

    return perform


def ask(at: dict[str, Any], agent: str, **options: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hello"}]
    response = litellm.completion(
        model=f"azure_ai/agents/{agent}", messages=messages, **at, **options
    )
    fields: dict[str, Any] = response.choices[0].message.provider_specific_fields
    return fields


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_function_has_a_twin_with_the_same_parameters(module: ModuleType) -> None:
    functions = {n: f for n, f in vars(module).items() if inspect.isfunction(f)}
    public = [n for n in module.__all__ if n in functions and f"a{n}" in module.__all__]
    assert {"list"} <= set(public)
    for name in public:
        one, other = functions[name], functions[f"a{name}"]
        assert inspect.signature(one).parameters == inspect.signature(other).parameters


def test_agents(call: Any) -> None:
    found = {agent.id: agent for agent in call(agents.list)}
    assert found["asst_weather"].tools == ("get_weather", "get_time")
    assert found["hosted"].tools == ("(hosted)",)
    assert found["echo"].version == "2"
    assert {agent.kind for agent in call(agents.list, kind="classic")} == {"classic"}
    assert call(agents.show, "echo:1").model_string == "azure_ai/agents/echo:1"
    with pytest.raises(litellm.NotFoundError):
        call(agents.show, "absent")
    with pytest.raises(litellm.BadRequestError, match="does not name an agent"):
        call(agents.show, "../x")


def test_a_project_with_one_kind_of_agents(call: Any, emulator: Emulator) -> None:
    """Classic agents retire; the other kind is listed all the same."""
    gone = emulator.faults.add(path_regex="/assistants", status=404)
    assert {agent.kind for agent in call(agents.list)} == {"new"}
    emulator.faults.add(path_regex="/agents", status=404)
    with pytest.raises(litellm.NotFoundError):
        call(agents.list)
    gone.status = 403
    with pytest.raises(litellm.PermissionDeniedError):
        call(agents.list)


def test_more_agents_than_a_page_has(call: Any, emulator: Emulator) -> None:
    emulator.seed(agents=[{"id": f"asst_n{number}"} for number in range(150)])
    found = [agent.id for agent in call(agents.list, kind="classic")]
    assert len(found) == len(set(found)) >= 150


def test_a_thread(call: Any, at: dict[str, Any]) -> None:
    id = ask(at, "asst_echo")["thread_id"]
    assert call(conversations.show, id)["id"] == id
    assert [item["role"] for item in call(conversations.items, id)] == ["user", "assistant"]
    call(conversations.tag, id, {"team": "law"})
    (found,) = call(conversations.list, "thread", tags={"team": "law"})
    assert found["id"] == id
    progress: list[tuple[int, int]] = []
    pruned = call(
        conversations.prune,
        "thread",
        tags={"team": "law"},
        on_progress=lambda *n: progress.append(n),
    )
    assert (pruned.deleted, pruned.failed, progress) == ([id], {}, [(1, 1)])
    with pytest.raises(litellm.NotFoundError, match=id):
        call(conversations.delete, id)


def test_a_response(call: Any, at: dict[str, Any]) -> None:
    id = ask(at, "echo", litellm_call_id="call-1")["response_id"]
    assert call(conversations.list, "response", agent="echo")[0]["id"] == id
    assert len(call(conversations.items, id)) == 2
    assert call(runs.show, "call-1")["id"] == id
    with pytest.raises(litellm.BadRequestError, match="tag its conversation"):
        call(conversations.tag, id, {"a": "b"})
    call(conversations.delete, id)
    assert call(conversations.list, "response") == []


def test_what_prune_refuses(call: Any) -> None:
    with pytest.raises(litellm.BadRequestError, match="delete everything"):
        call(conversations.prune, "thread")
    with pytest.raises(litellm.BadRequestError, match="kind is one of"):
        call(conversations.prune, "threads", older_than=timedelta(1))
    with pytest.raises(litellm.BadRequestError, match="no agent with a thread"):
        call(conversations.list, "thread", agent="echo")
    with pytest.raises(litellm.BadRequestError, match="tell its kind"):
        call(conversations.show, "item_1")
    with pytest.raises(litellm.BadRequestError, match="not a valid id"):
        call(conversations.show, "../x", kind="thread")


def test_an_agents_conversations_and_pages(call: Any, at: dict[str, Any]) -> None:
    for _ in range(3):
        ask(at, "echo")
    assert len(call(conversations.list, "response", limit=2)) == 2
    assert len(call(conversations.list, "response", limit=None)) == 3


def test_a_run(call: Any, at: dict[str, Any]) -> None:
    ids = ask(at, "asst_echo")
    (listed,) = call(runs.list, ids["thread_id"])
    assert listed["id"] == ids["run_id"]
    shown = call(runs.show, ids["run_id"], thread_id=ids["thread_id"])
    assert [step["type"] for step in shown["steps"]] == ["message_creation"]
    events = call(runs.tail, ids["run_id"], poll_interval=0.01)
    assert [(event.kind, event.text) for event in events] == [
        ("text", "You said: hello"), ("status", "completed"),
    ]  # fmt: skip
    with pytest.raises(litellm.BadRequestError, match="completed"):
        call(runs.cancel, ids["run_id"])


def test_a_run_that_takes_too_long(at: dict[str, Any]) -> None:
    """Its follower gives up; the run goes on."""
    body = {"assistant_id": "asst_slow"}
    body |= {"thread": {"messages": [{"role": "user", "content": "one " * 100}]}}
    started = httpx.post(
        f"{at['api_base']}/threads/runs?api-version=v1",
        headers={"Authorization": f"Bearer {at['api_key']}"},
        json=body,
    ).json()
    where = {"thread_id": started["thread_id"], **at}
    with pytest.raises(litellm.Timeout):
        list(runs.tail(started["id"], timeout=0.5, **where))
    assert runs.show(started["id"], **where)["status"] == "in_progress"
    runs.cancel(started["id"], **where)


def test_a_vector_store(call: Any) -> None:
    store = call(vector_stores.create, [("a.txt", b"Coffee costs 3 euros.")], name="prices")
    assert [found["id"] for found in call(vector_stores.list)] == [store.id]
    assert call(vector_stores.show, store.id)["name"] == "prices"
    assert call(vector_stores.files, store.id) == store.files
    call(vector_stores.delete, store.id, with_files=True)
    assert call(files.list) == []
    with pytest.raises(litellm.NotFoundError):
        call(vector_stores.delete, store.id)
