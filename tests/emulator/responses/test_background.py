"""Background responses: independent of connections, replayed, cancelled, failed by a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from azure.ai.projects.aio import AIProjectClient
from openai import AsyncOpenAI

from litellm_azure_agents.emulator import Emulator, Strictness
from litellm_azure_agents.emulator.testing import client_options

from ..wire import PATIENCE
from .client import Raw, check_stream, events_of, reference, said, steps

SLOW = {"extra_body": {"agent_reference": reference("slow")}}


@pytest_asyncio.fixture
async def client(emulator: Emulator) -> AsyncIterator[AsyncOpenAI]:
    async with (
        AIProjectClient(endpoint=emulator.endpoint, **client_options(emulator.token)) as project,
        project.get_openai_client() as client,
    ):
        yield client


def replay(raw: Raw, id: str, **params: Any) -> list[dict[str, Any]]:
    answer = raw.http.get(f"/openai/v1/responses/{id}", params={"stream": "true", **params})
    assert answer.status_code == 200, answer.text
    return events_of(answer.text)


def test_background_stream_is_replayed_from_anywhere(raw: Raw) -> None:
    events = raw.stream("slow", "a b c", background=True)
    assert steps(events)[:3] == ["created", "queued", "in_progress"]
    final = check_stream(events)
    assert final["background"] is True
    assert replay(raw, final["id"]) == events
    assert replay(raw, final["id"], starting_after=4) == events[5:]
    assert replay(raw, final["id"], starting_after=len(events)) == []


def test_background_goes_on_without_its_client(raw: Raw) -> None:
    body = raw.body("slow", "a b c d", background=True, stream=True)
    with raw.http.stream("POST", "/openai/v1/responses", json=body) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))
    id = events_of(f"event: response.created\n{first}\n\n")[0]["response"]["id"]
    events = replay(raw, id)  # waits for what is still to come
    assert said(check_stream(events)) == "You said: a b c d"


def test_replay_is_for_streamed_background_responses_only(raw: Raw) -> None:
    for fields, word in (({}, "background=true"), ({"background": True}, "stream=true")):
        id = raw.ask("echo", "hi", **fields)["id"]
        answer = raw.http.get(f"/openai/v1/responses/{id}", params={"stream": "true"})
        assert answer.status_code == 400
        assert word in answer.json()["error"]["message"]


def test_cancel_ends_the_stream_and_can_be_repeated(raw: Raw) -> None:
    created = raw.ask("slow", "a b c d e f", background=True, stream=False)
    assert (created["status"], created["output"]) == ("queued", [])
    path = f"/openai/v1/responses/{created['id']}"
    deleted = raw.http.delete(path)
    assert deleted.status_code == 400
    cancelled = raw.post(path + "/cancel")
    assert (cancelled["status"], cancelled["output"]) == ("cancelled", [])
    assert raw.post(path + "/cancel") == cancelled
    assert raw.get(path)["status"] == "cancelled"
    done = raw.ask("echo", "x", background=True)
    until = time.monotonic() + PATIENCE
    while raw.get(f"/openai/v1/responses/{done['id']}")["status"] != "completed":
        assert time.monotonic() < until
    answer = raw.http.post(f"/openai/v1/responses/{done['id']}/cancel")
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400, "Cannot cancel a completed response.",
    )  # fmt: skip


def test_pending_response_cannot_be_continued(raw: Raw) -> None:
    created = raw.ask("slow", "a b c", background=True)
    error = raw.refused(raw.body("echo", "x", previous_response_id=created["id"]))
    assert error["param"] == "previous_response_id"


def test_the_switch_lets_foreground_responses_finish() -> None:
    with Emulator(strictness=Strictness(foreground_stops_on_disconnect=False)) as emulator:
        raw = Raw(emulator)
        body = raw.body("slow", "a b", stream=True)
        with raw.http.stream("POST", "/openai/v1/responses", json=body) as answer:
            next(answer.iter_lines())
        (live,) = emulator.project.responses.recent.values()
        until = time.monotonic() + PATIENCE
        while live.response["status"] == "in_progress":
            assert time.monotonic() < until
            time.sleep(0.02)
        assert said(raw.get(f"/openai/v1/responses/{live.response['id']}")) == "You said: a b"


def test_a_restart_keeps_everything_and_fails_what_was_running(tmp_path: Path) -> None:
    data = str(tmp_path / "emulator.db")
    with Emulator(data=data) as emulator:
        raw = Raw(emulator)
        conversation = raw.post("/openai/v1/conversations", {})["id"]
        raw.ask("echo", "my cat is Tom", conversation=conversation)
        first = raw.ask("weather", "weather in Oslo?")
        raw.post(
            "/agents/kept/versions?api-version=v1",
            {"definition": {"kind": "prompt", "model": "m", "instructions": "Stay."}},
        )
        running = raw.ask("slow", "a b c d e f", background=True)
        streamed = raw.stream("echo", "hi", background=True)[-1]["response"]
    with Emulator(data=data) as emulator:
        raw = Raw(emulator)
        failed = raw.get(f"/openai/v1/responses/{running['id']}")
        assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
        answer = raw.ask("echo", "What did I say before?", conversation=conversation)
        assert "my cat is Tom" in said(answer)
        output = {"type": "function_call_output", "output": "snow",
                  "call_id": first["output"][0]["call_id"]}  # fmt: skip
        assert "snow" in said(raw.ask("weather", [output], previous_response_id=first["id"]))
        assert said(raw.ask("kept", "What are your instructions?")) == "My instructions: Stay."
        versions = raw.get("/agents/echo/versions", **{"api-version": "v1"})["data"]
        assert len(versions) == 2  # seeded once, not at every start
        path = f"/openai/v1/responses/{streamed['id']}"
        assert raw.http.get(path, params={"stream": "true"}).status_code == 400
        assert raw.get(path)["status"] == "completed"


async def test_async_stream_and_conversation(client: AsyncOpenAI) -> None:
    conversation = await client.conversations.create()
    stream = await client.responses.create(
        input="hello there", conversation=conversation.id, stream=True,
        extra_body={"agent_reference": reference("echo")},
    )  # fmt: skip
    text = "".join([e.delta async for e in stream if e.type == "response.output_text.delta"])
    assert text == "You said: hello there"
    items = [item async for item in client.conversations.items.list(conversation.id, limit=1)]
    assert [item.role for item in items] == ["assistant", "user"]


async def test_async_background_replay_and_cancel(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(input="a b c d", background=True, stream=True, **SLOW)
    seen = 0
    async for event in stream:
        if event.type == "response.created":
            id = event.response.id
        seen = event.sequence_number
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    rest = await client.responses.retrieve(id, stream=True, starting_after=seen)
    events = [event async for event in rest]
    assert events[0].sequence_number == seen + 1
    assert events[-1].response.output_text == "You said: a b c d"

    response = await client.responses.create(input="a b c d e f", background=True, **SLOW)
    assert (await client.responses.cancel(response.id)).status == "cancelled"
    assert (await client.responses.retrieve(response.id)).output == []


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that comes by itself, five seconds at most."""
    for _ in range(250):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


async def test_async_cancellation_stops_a_foreground_response(
    emulator: Emulator, client: AsyncOpenAI
) -> None:
    recent = emulator.project.responses.recent
    task = asyncio.create_task(client.responses.create(input="a b c d e f g h", **SLOW))

    async def began() -> bool:
        return bool(recent)

    async def cancelled() -> bool:
        return all(live.response["status"] == "cancelled" for live in recent.values())

    await until(began)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(cancelled)


async def test_async_tools_and_agents(emulator: Emulator, client: AsyncOpenAI) -> None:
    body = {"agent_reference": reference("weather")}
    first = await client.responses.create(input="weather in Oslo?", extra_body=body)
    output = {
        "type": "function_call_output", "call_id": first.output[0].call_id, "output": "snow",
    }  # fmt: skip
    final = await client.responses.create(
        input=[output], previous_response_id=first.id, extra_body=body
    )
    assert "snow" in final.output_text
    with pytest.raises(openai.BadRequestError, match="Not allowed when agent is specified"):
        await client.responses.create(input="x", temperature=0.5, extra_body=body)
    options = client_options(emulator.token)
    async with AIProjectClient(endpoint=emulator.endpoint, **options) as project:
        assert (await project.agents.get("weather")).versions.latest.version == "1"
        names = [agent.name async for agent in project.agents.list(limit=5)]
        assert "weather" in names
        async with project.get_openai_client(agent_name="weather") as own:
            assert (await own.responses.create(input="What are your instructions?")).output_text
