"""Streams cut anywhere: an answer is whole or an error, never short, repeated or doubled.

The streams are the emulator's own, of both protocols. They are cut on their way, at sampled
offsets, by RST and by FIN, noticed by the server and unnoticed.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import litellm
import openai
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.proxy import Fault, FaultProxy, no_faults, once
from tests.faults.size import size
from tests.support.ways import WAYS, Result, Way, from_chunks

CUTS = size(1, 150)
"""Cuts of each scene, each way."""
SCENES = {
    "asst_echo": "hello",
    "asst_weather": "weather in Paris and Rome",
    "asst_long": "write 40 words",
    "asst_unicode": "x",
    "asst_multi": "x",
    "asst_incomplete": "content_filter",
    "asst_bing": "zoo",
    "asst_code": "plot",
    "echo": "hello",
    "weather": "weather in Paris and Rome",
    "long": "write 40 words",
    "unicode": "x",
    "multi": "x",
    "incomplete": "content_filter",
    "reasoning": "x",
    "web": "x",
    "code": "plot",
    "workflow": "x",
    "approval": "docs",
}
"""Agents and what they are told; the same words always bring the same answer."""
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("get_weather", "get_time")
]
CREATING = ("/threads/runs", "/responses")
"""Ends of the paths whose answers are cut."""


class Part:
    """What came of one call: an answer, or an error and what had been given out before it."""

    def __init__(self, way: Way, **arguments: Any) -> None:
        self.error: Exception | None = None
        self.chunks: list[Any] = []
        self.result: Result | None = None
        try:
            if way.streamed:
                asyncio.run(self._astream(arguments)) if way.is_async else self._stream(arguments)
            else:
                self.result = way.ask(**arguments)
        except Exception as error:
            self.error = error
        if way.streamed:
            self.result = from_chunks(self.chunks)

    def _stream(self, arguments: dict[str, Any]) -> None:
        for chunk in litellm.completion(stream=True, **arguments):
            self.chunks.append(chunk)

    async def _astream(self, arguments: dict[str, Any]) -> None:
        async for chunk in await litellm.acompletion(stream=True, **arguments):
            self.chunks.append(chunk)


def calls(result: Result) -> list[tuple[str, str]]:
    return [(name, arguments) for _, name, arguments in result.tool_calls]


def shape(result: Result) -> tuple[Any, ...]:
    """What must be the same in every telling of the same answer."""
    return (result.text, result.reasoning, calls(result), result.finish_reason)


def plan_of(offset: int, dice: random.Random) -> Any:
    fault = Fault(
        "response",
        dice.choice(("reset", "close")),  # type: ignore[arg-type]
        after=offset,
        upstream=dice.choice(("drain", "close")),  # type: ignore[arg-type]
    )
    cut = once(fault, method="POST")
    return lambda arrival: cut(arrival) if arrival.path.endswith(CREATING) else None


@pytest.mark.parametrize("agent", list(SCENES)[:: size(2, 1)])
def test_a_cut_answer_is_whole_or_an_error(emulator: Emulator, agent: str) -> None:
    dice = random.Random(f"cuts of {agent}")
    recovered = 0
    with FaultProxy(emulator.url, keep_alive=False) as proxy:
        arguments: dict[str, Any] = {
            "model": f"azure_ai/agents/{agent}",
            "messages": [{"role": "user", "content": SCENES[agent]}],
            "api_base": proxy.at(emulator.endpoint),
            "api_key": emulator.token,
        }
        if "weather" in agent:
            arguments["tools"] = TOOLS
        truth = Part(Way("async stream"), **arguments).result
        assert truth is not None
        assert truth.finish_reason
        length = max(a.passed for a in proxy.requests)
        for name in WAYS:
            for _ in range(CUTS):
                offset = dice.randrange(length)
                proxy.plan = plan_of(offset, dice)
                told = f"cut at {offset} of {length}, {name}"
                part = Part(Way(name), **arguments)
                proxy.plan = no_faults
                if part.error is not None:
                    check_error(part, truth, told)
                    continue
                assert part.result is not None
                assert shape(part.result) == shape(truth), told
                recovered += 1
    if agent.startswith("asst_"):
        assert recovered, "a classic run goes on without its stream, so its answer can be had"


def check_error(part: Part, truth: Result, told: str) -> None:
    """The error is one of LiteLLM's, and what was given out before it is a beginning of it all."""
    error = part.error
    assert isinstance(error, openai.APIError), f"{told}: {error!r}"
    assert "Traceback" not in str(error), told
    if part.result is not None:
        got = part.result
        assert truth.text.startswith(got.text), told
        assert truth.reasoning.startswith(got.reasoning), told
        assert len(got.tool_calls) <= len(truth.tool_calls), told
        for one, whole in zip(calls(got), calls(truth), strict=False):
            assert one[0] == whole[0], told
            assert whole[1].startswith(one[1]), told
        assert got.finish_reason is None, told


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cut_native_response_is_whole_or_an_error(
    emulator: Emulator, asynchronous: bool, streamed: bool
) -> None:
    dice = random.Random(5)
    with FaultProxy(emulator.url, keep_alive=False) as proxy:
        arguments: dict[str, Any] = {
            "model": "azure_ai/agents/long",
            "input": "write 40 words",
            "api_base": proxy.at(emulator.endpoint),
            "api_key": emulator.token,
            "stream": streamed,
        }

        async def atext() -> str:
            response = await litellm.aresponses(**arguments)
            if not streamed:
                return _text_of(response)
            return _text_of_events([event async for event in response])

        def text() -> str:
            if asynchronous:
                return asyncio.run(atext())
            response = litellm.responses(**arguments)
            return _text_of_events(list(response)) if streamed else _text_of(response)

        truth = text()
        assert truth.startswith("word0 word1")
        length = proxy.requests[-1].passed
        for _ in range(CUTS * 4):
            proxy.plan = plan_of(dice.randrange(length), dice)
            try:
                said = text()
            except openai.APIError as error:
                said = str(error)
                assert "Traceback" not in said
            else:
                assert said == truth


def _text_of(response: Any) -> str:
    return "".join(part.text for item in response.output for part in item.content)


def _text_of_events(events: list[Any]) -> str:
    """The text, if the stream came to its end."""
    assert events[-1].type == "response.completed", "the stream ended early, without an error"
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert said == _text_of(events[-1].response)
    return said
