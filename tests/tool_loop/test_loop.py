"""Automatic execution of functions, in rounds."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Annotated, Any

import pydantic
import pytest

from litellm_azure_agents import TooManyRounds, arun_tools, run_tools
from litellm_azure_agents.emulator import Emulator
from tests.end_to_end.test_chat import Chat
from tests.end_to_end.test_lifecycle import eventually, only_run
from tests.support.ways import WAYS, Result, from_chunks, from_response


@pytest.fixture
def chat(emulator: Emulator) -> Chat:
    return Chat(emulator)


def run(way: str, chat: Chat, agent: str, text: str, **options: Any) -> Result:
    """`run_tools` or `arun_tools`, streamed or not."""
    arguments = {
        "model": f"azure_ai/agents/{agent}", "messages": [{"role": "user", "content": text}],
        "stream": way.endswith("stream"), **chat.where, **options,
    }  # fmt: skip
    if arguments["stream"]:
        arguments["stream_options"] = {"include_usage": True}
    if way == "sync":
        return from_response(run_tools(**arguments))
    if way == "sync stream":
        return last_round(list(run_tools(**arguments)))

    async def go() -> Result:
        answer = await arun_tools(**arguments)
        if way == "async":
            return from_response(answer)
        return last_round([chunk async for chunk in answer])

    return asyncio.run(go())


def last_round(chunks: list[Any]) -> Result:
    ends = [n for n, c in enumerate(chunks) if c.choices and c.choices[0].finish_reason]
    return from_chunks(chunks[ends[-2] + 1 if len(ends) > 1 else 0 :])


WEATHER = "What is the weather in Paris and Rome?"


@pytest.mark.parametrize("way", WAYS)
def test_parallel_calls_run_side_by_side(chat: Chat, way: str) -> None:
    both = threading.Barrier(2, timeout=60)

    def get_weather(location: str) -> dict[str, Any]:
        both.wait()
        return {"place": location, "sky": "blue"}

    result = run(way, chat, "asst_weather", WEATHER, functions=[get_weather])
    assert result.finish_reason == "stop"
    assert result.text.count("blue") == 2
    assert result.usage[2] > 0


@pytest.mark.parametrize("way", WAYS)
def test_async_functions_and_chains(chat: Chat, way: str) -> None:
    called = []

    async def step_one() -> str:
        await asyncio.sleep(0)
        called.append(1)
        return "one is done"

    def step_two() -> str:
        called.append(2)
        return "two is done"

    text = "Do step one, then step two."
    result = run(way, chat, "asst_chain", text, functions=[step_one, step_two])
    assert called == [1, 2]
    assert "two is done" in result.text


@pytest.mark.parametrize("way", WAYS)
def test_errors_go_to_the_model_or_to_the_caller(chat: Chat, way: str) -> None:
    def get_weather(location: str) -> str:
        raise RuntimeError(f"no station in {location}")

    result = run(way, chat, "asst_weather", WEATHER, functions=[get_weather])
    assert "Error: RuntimeError: no station in Rome" in result.text
    chat.emulator.reset()
    with pytest.raises(RuntimeError, match="no station"):
        run(
            way, chat, "asst_weather", WEATHER,
            functions=[get_weather], raise_function_errors=True,
        )  # fmt: skip
    assert eventually(lambda: only_run(chat)["status"] == "cancelled"), (
        "the run is not left waiting"
    )


@pytest.mark.parametrize("way", WAYS)
def test_rounds_are_limited_and_the_run_cancelled(chat: Chat, way: str) -> None:
    def step_one() -> str:
        return "again"

    def step_two() -> str:
        return "and again"

    with pytest.raises(TooManyRounds, match="after 1 rounds") as caught:
        run(
            way, chat, "asst_chain", "Step one, then step two.",
            functions=[step_one, step_two], max_rounds=1,
        )  # fmt: skip
    assert [m["role"] for m in caught.value.messages] == ["user", "assistant", "tool", "assistant"]
    assert eventually(lambda: only_run(chat)["status"] == "cancelled")


def test_arguments_are_validated_and_the_model_told(chat: Chat) -> None:
    def known(place: str) -> str:
        if place != "Rome":
            raise ValueError("only Rome is known")
        return place

    def get_weather(location: Annotated[str, pydantic.AfterValidator(known)]) -> str:
        return f"rain in {location}"

    # A hint as text, as this file has them, is not resolved in a local scope: give it whole.
    get_weather.__annotations__["location"] = Annotated[str, pydantic.AfterValidator(known)]
    result = run("sync", chat, "asst_weather", WEATHER, functions=[get_weather])
    assert "invalid arguments: location: Value error, only Rome is known" in result.text
    assert "rain in Rome" in result.text


def test_an_unknown_call_is_returned(chat: Chat) -> None:
    def unrelated() -> str:
        return "no"

    result = run("sync", chat, "asst_weather", WEATHER, functions=[unrelated])
    assert result.finish_reason == "tool_calls"
    assert len(result.tool_calls) == 2


def test_usage_is_that_of_all_rounds(chat: Chat) -> None:
    result = run("sync", chat, "asst_weather", WEATHER, functions=[named("get_weather")])
    usage = chat.run(result.ids)["usage"]
    assert result.usage[2] == usage["total_tokens"]
    assert result.cost == pytest.approx(result.cost or -1)


def named(name: str) -> Any:
    def function(location: str = "") -> str:
        return "fine"

    function.__name__ = name
    return function


def test_the_event_loop_is_not_held() -> None:
    """A slow sync function runs in a thread."""
    ticks = 0

    def slow(location: str) -> str:
        time.sleep(0.3)
        return "slept"

    slow.__name__ = "get_weather"

    async def go() -> None:
        nonlocal ticks
        with Emulator() as emulator:
            task = asyncio.create_task(
                arun_tools(
                    model="azure_ai/agents/asst_weather",
                    messages=[{"role": "user", "content": "The weather in Paris?"}],
                    functions=[slow],
                    api_base=emulator.endpoint,
                    api_key="x",
                )
            )
            while not task.done():
                ticks += 1
                await asyncio.sleep(0.02)
            assert "slept" in (await task).choices[0].message.content

    asyncio.run(go())
    assert ticks > 10
