"""Microsoft's own client, unmodified, sync and aio: the kind of scripts its samples show."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from azure.ai.agents import AgentsClient
from azure.ai.agents.aio import AgentsClient as AsyncAgentsClient
from azure.ai.agents.models import (
    AgentEventHandler,
    AgentStreamEvent,
    AsyncAgentEventHandler,
    AsyncFunctionTool,
    AsyncToolSet,
    CodeInterpreterTool,
    FilePurpose,
    FileSearchTool,
    FunctionTool,
    ListSortOrder,
    MessageAttachment,
    MessageRole,
    RunStatus,
    ToolSet,
    VectorStoreFileStatus,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.sdk import client_options

COLOURS = ("sync", "aio")


class Client:
    """Either client behind one awaitable face: `await c(c.threads.create)`."""

    def __init__(self, colour: str, emulator: Emulator) -> None:
        self.aio = colour == "aio"
        kind: Any = AsyncAgentsClient if self.aio else AgentsClient
        self.client = kind(endpoint=emulator.endpoint, **client_options(emulator.token))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    async def __call__(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.aio:
            result = method(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result
        return await asyncio.to_thread(method, *args, **kwargs)

    async def all(self, pages: Any) -> list[Any]:
        if self.aio:
            return [item async for item in pages]
        return await asyncio.to_thread(list, pages)

    async def events(self, opened: Any) -> list[tuple[str, Any]]:
        """Type and data of all events of a stream."""
        if self.aio:
            async with opened as stream:
                return [(kind, data) async for kind, data, _ in stream]

        def read() -> list[tuple[str, Any]]:
            with opened as stream:
                return [(kind, data) for kind, data, _ in stream]

        return await asyncio.to_thread(read)


@pytest.fixture(params=COLOURS)
async def client(request: pytest.FixtureRequest, emulator: Emulator) -> AsyncIterator[Client]:
    made = Client(request.param, emulator)
    yield made
    await made(made.client.close)


async def test_agents_threads_and_messages(client: Client) -> None:
    agent = await client(client.create_agent, model="gpt-4o", name="a", instructions="Be kind.")
    assert (await client(client.get_agent, agent.id)).instructions == "Be kind."
    changed = await client(client.update_agent, agent.id, name="b")
    assert changed.name == "b"
    thread = await client(client.threads.create, metadata={"k": "v"})
    for number in range(25):
        await client(
            client.messages.create, thread_id=thread.id, role="user", content=f"message {number}"
        )
    listed = await client.all(
        client.messages.list(thread_id=thread.id, order=ListSortOrder.ASCENDING, limit=10)
    )
    assert [m.content[0].text.value for m in listed] == [f"message {n}" for n in range(25)]
    agents = await client.all(client.list_agents(limit=3))
    assert agent.id in [a.id for a in agents]
    assert len(agents) == 15
    await client(client.threads.delete, thread.id)
    await client(client.delete_agent, agent.id)
    with pytest.raises(ResourceNotFoundError):
        await client(client.get_agent, agent.id)


async def test_create_and_process(client: Client) -> None:
    thread = await client(client.threads.create)
    await client(client.messages.create, thread_id=thread.id, role="user", content="hello")
    run = await client(
        client.runs.create_and_process,
        thread_id=thread.id,
        agent_id="asst_echo",
        polling_interval=0.01,
    )
    assert run.status == RunStatus.COMPLETED
    assert run.usage.total_tokens > 0
    answer = await client(
        client.messages.get_last_message_text_by_role, thread_id=thread.id, role=MessageRole.AGENT
    )
    assert answer.text.value == "You said: hello"
    steps = await client.all(client.run_steps.list(thread_id=thread.id, run_id=run.id))
    assert [s.type for s in steps] == ["message_creation"]
    with pytest.raises(HttpResponseError) as caught:
        await client(client.runs.cancel, thread_id=thread.id, run_id=run.id)
    assert caught.value.status_code == 400


async def test_create_thread_and_process_run(client: Client) -> None:
    run = await client(
        client.create_thread_and_process_run,
        agent_id="asst_fail",
        thread={"messages": [{"role": "user", "content": "fail with invalid_prompt: no"}]},
        polling_interval=0.01,
    )
    assert run.status == RunStatus.FAILED
    assert (run.last_error.code, run.last_error.message) == ("invalid_prompt", "no")


async def test_stream_with_an_event_handler(client: Client) -> None:
    seen: list[str] = []

    class Sync(AgentEventHandler[None]):
        def on_message_delta(self, delta: Any) -> None:
            seen.append(delta.text)

        def on_done(self) -> None:
            seen.append("DONE")

    class Async(AsyncAgentEventHandler[None]):
        async def on_message_delta(self, delta: Any) -> None:
            seen.append(delta.text)

        async def on_done(self) -> None:
            seen.append("DONE")

    thread = await client(client.threads.create)
    await client(client.messages.create, thread_id=thread.id, role="user", content="a b c 😀")
    handler = Async() if client.aio else Sync()
    opened = await client(
        client.runs.stream, thread_id=thread.id, agent_id="asst_echo", event_handler=handler
    )
    events = await client.events(opened)
    assert seen[-1] == "DONE"
    assert "".join(seen[:-1]) == "You said: a b c 😀"
    kinds = [kind for kind, _ in events]
    assert kinds[0] == AgentStreamEvent.THREAD_RUN_CREATED
    assert kinds[-2:] == [AgentStreamEvent.THREAD_RUN_COMPLETED, AgentStreamEvent.DONE]


def get_weather(location: str) -> str:
    """The weather at a place.

    :param location: Where.
    """
    return json.dumps({"weather": f"sunny in {location}"})


async def get_weather_async(location: str) -> str:
    """The weather at a place.

    :param location: Where.
    """
    return get_weather(location)


async def weather_agent(client: Client) -> Any:
    """An agent whose functions the client runs by itself."""
    if client.aio:
        tools: Any = AsyncToolSet()
        tools.add(AsyncFunctionTool({get_weather_async}))
    else:
        tools = ToolSet()
        tools.add(FunctionTool({get_weather}))
    client.client.enable_auto_function_calls(tools)
    return await client(client.create_agent, model="gpt-4o", name="w", toolset=tools)


async def test_automatic_function_calls_polled(client: Client) -> None:
    agent = await weather_agent(client)
    thread = await client(client.threads.create)
    text = "How is the weather in Paris and Rome?"
    await client(client.messages.create, thread_id=thread.id, role="user", content=text)
    run = await client(
        client.runs.create_and_process,
        thread_id=thread.id,
        agent_id=agent.id,
        polling_interval=0.01,
    )
    assert run.status == RunStatus.COMPLETED
    answer = await client(
        client.messages.get_last_message_text_by_role, thread_id=thread.id, role=MessageRole.AGENT
    )
    assert "sunny in Paris" in answer.text.value
    assert "sunny in Rome" in answer.text.value


async def test_automatic_function_calls_streamed(client: Client) -> None:
    agent = await weather_agent(client)
    thread = await client(client.threads.create)
    await client(
        client.messages.create, thread_id=thread.id, role="user", content="weather in Oslo"
    )
    opened = await client(client.runs.stream, thread_id=thread.id, agent_id=agent.id)
    events = await client.events(opened)
    text = "".join(d.text for kind, d in events if kind == AgentStreamEvent.THREAD_MESSAGE_DELTA)
    assert "sunny in Oslo" in text
    kinds = [kind for kind, _ in events]
    assert kinds.index(AgentStreamEvent.THREAD_RUN_REQUIRES_ACTION) < kinds.index(
        AgentStreamEvent.THREAD_RUN_STEP_COMPLETED
    )


async def test_file_search_with_citations(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "product_info.md"
    path.write_text("# Trail shoes\nThe Trail Runner weighs 280 grams. It costs 120 dollars.\n")
    file = await client(
        client.files.upload_and_poll,
        file_path=str(path),
        purpose=FilePurpose.AGENTS,
        polling_interval=0.01,
    )
    store = await client(
        client.vector_stores.create_and_poll,
        file_ids=[file.id],
        name="shop",
        polling_interval=0.01,
    )
    assert store.file_counts.completed == 1
    tool = FileSearchTool(vector_store_ids=[store.id])
    agent = await client(
        client.create_agent,
        model="gpt-4o",
        name="s",
        tools=tool.definitions,
        tool_resources=tool.resources,
    )
    thread = await client(client.threads.create)
    await client(
        client.messages.create,
        thread_id=thread.id,
        role="user",
        content="How much does the Trail Runner weigh?",
    )
    run = await client(
        client.runs.create_and_process,
        thread_id=thread.id,
        agent_id=agent.id,
        polling_interval=0.01,
    )
    assert run.status == RunStatus.COMPLETED
    (answer,) = [
        m for m in await client.all(client.messages.list(thread_id=thread.id)) if m.run_id == run.id
    ]
    (note,) = answer.file_citation_annotations
    assert note.file_citation.file_id == file.id
    assert "280 grams" in answer.text_messages[0].text.value


async def test_attachment_of_a_message(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    path.write_text("Visitors must leave before midnight.")
    file = await client(client.files.upload, file_path=str(path), purpose="assistants")
    thread = await client(client.threads.create)
    attachment = MessageAttachment(file_id=file.id, tools=FileSearchTool().definitions)
    await client(
        client.messages.create,
        thread_id=thread.id,
        role="user",
        content="When must visitors leave?",
        attachments=[attachment],
    )
    opened = await client(client.runs.stream, thread_id=thread.id, agent_id="asst_search")
    events = await client.events(opened)
    text = "".join(d.text for kind, d in events if kind == AgentStreamEvent.THREAD_MESSAGE_DELTA)
    assert text.startswith("Visitors must leave before midnight.")


async def test_code_interpreter_with_an_image(client: Client, tmp_path: Path) -> None:
    tool = CodeInterpreterTool()
    agent = await client(
        client.create_agent,
        model="gpt-4o",
        name="c",
        tools=tool.definitions,
        tool_resources=tool.resources,
    )
    thread = await client(client.threads.create)
    text = "Draw a bar chart of 1, 2, 3 and provide a csv file"
    await client(client.messages.create, thread_id=thread.id, role="user", content=text)
    await client(
        client.runs.create_and_process,
        thread_id=thread.id,
        agent_id=agent.id,
        polling_interval=0.01,
    )
    answer = (await client.all(client.messages.list(thread_id=thread.id)))[0]
    (image,) = answer.image_contents
    await client(
        client.files.save,
        file_id=image.image_file.file_id,
        file_name="plot.png",
        target_dir=str(tmp_path),
    )
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    (made,) = answer.file_path_annotations
    info = await client(client.files.get, made.file_path.file_id)
    assert info.filename == "values.csv"


async def test_vector_store_batch_and_its_errors(client: Client, tmp_path: Path) -> None:
    ids = []
    for name in ("good.txt", "bad.exe", "server_error.txt"):
        (tmp_path / name).write_text("words")
        file = await client(
            client.files.upload, file_path=str(tmp_path / name), purpose=FilePurpose.AGENTS
        )
        ids.append(file.id)
    store = await client(client.vector_stores.create_and_poll, name="b", polling_interval=0.01)
    batch = await client(
        client.vector_store_file_batches.create_and_poll,
        vector_store_id=store.id,
        file_ids=ids,
        polling_interval=0.01,
    )
    assert (batch.status, batch.file_counts.completed, batch.file_counts.failed) == (
        "completed",
        1,
        2,
    )
    failed = await client.all(
        client.vector_store_file_batches.list_files(
            vector_store_id=store.id, batch_id=batch.id, filter="failed"
        )
    )
    assert {f.id: f.last_error.code for f in failed} == {
        ids[1]: "unsupported_file",
        ids[2]: "server_error",
    }
    one = await client(
        client.vector_store_files.create_and_poll,
        vector_store_id=store.id,
        file_id=ids[0],
        polling_interval=0.01,
    )
    assert one.status == VectorStoreFileStatus.COMPLETED
    await client(client.vector_store_files.delete, vector_store_id=store.id, file_id=ids[0])
    await client(client.vector_stores.delete, store.id)


async def test_submit_outputs_by_hand_and_cancel(client: Client) -> None:
    thread = await client(client.threads.create)
    await client(
        client.messages.create, thread_id=thread.id, role="user", content="weather in Rome"
    )

    async def waiting() -> Any:
        run = await client(client.runs.create, thread_id=thread.id, agent_id="asst_weather")
        while run.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS):
            await asyncio.sleep(0.01)
            run = await client(client.runs.get, thread_id=thread.id, run_id=run.id)
        assert run.status == RunStatus.REQUIRES_ACTION
        return run

    run = await waiting()
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    await client(
        client.runs.submit_tool_outputs,
        thread_id=thread.id,
        run_id=run.id,
        tool_outputs=[{"tool_call_id": call.id, "output": "rain"}],
    )
    while run.status != RunStatus.COMPLETED:
        await asyncio.sleep(0.01)
        run = await client(client.runs.get, thread_id=thread.id, run_id=run.id)
    run = await waiting()
    run = await client(client.runs.cancel, thread_id=thread.id, run_id=run.id)
    assert run.status == "cancelling"
