"""A streamed answer by us, by LiteLLM's built-in handler and by the raw wire, in one run.

    python benchmarks/chat.py [--words 500] [--calls 10] [--together 20]

The emulator runs in a process of its own; each peer makes the same calls, one after another and
then `together` at once. Printed are milliseconds to the first text and to the end of a call, and
the ratio to the raw wire: httpx and `json.loads` on the lines that carry text, nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import httpx
import litellm

import litellm_azure_agents

litellm.suppress_debug_info = True
Ask = Callable[[], AsyncIterator[str]]


def peers(base: str, words: int) -> dict[str, Ask]:
    """The ways of asking, by name."""
    messages = [{"role": "user", "content": f"write {words} words"}]
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))

    async def raw() -> AsyncIterator[str]:
        body = {"assistant_id": "asst_long", "stream": True, "thread": {"messages": messages}}
        async with client.stream(
            "POST", f"{base}/threads/runs?api-version=v1",
            json=body, headers={"Authorization": "Bearer x"},
        ) as response:  # fmt: skip
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif name == "thread.message.delta" and line.startswith("data: "):
                    yield json.loads(line[6:])["delta"]["content"][0]["text"]["value"]

    async def through_litellm() -> AsyncIterator[str]:
        stream = await litellm.acompletion(
            model="azure_ai/agents/asst_long", messages=messages,
            api_base=base, api_key="x", stream=True,
        )  # fmt: skip
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def ours() -> AsyncIterator[str]:
        litellm_azure_agents.register()
        async for text in through_litellm():
            yield text

    async def builtin() -> AsyncIterator[str]:
        litellm_azure_agents.unregister()
        async for text in through_litellm():
            yield text

    return {"raw wire": raw, "this plugin": ours, "built-in handler": builtin}


async def timed(ask: Ask) -> tuple[float, float, int]:
    """(seconds to the first text, to the end, characters) of one call."""
    started, first, size = time.perf_counter(), 0.0, 0
    async for text in ask():
        first = first or time.perf_counter() - started
        size += len(text)
    return first, time.perf_counter() - started, size


async def measure(ask: Ask, calls: int, together: int) -> dict[str, float]:
    """Medians of calls in a row, and the time that `together` calls at once take."""
    await timed(ask)  # connections, imports
    rows = [await timed(ask) for _ in range(calls)]
    started = time.perf_counter()
    jobs: list[Awaitable[tuple[float, float, int]]] = [timed(ask) for _ in range(together)]
    sizes = {row[2] for row in await asyncio.gather(*jobs)}
    assert sizes == {rows[0][2]}, "an answer is incomplete"
    return {
        "first text": statistics.median(r[0] for r in rows) * 1000,
        "whole call": statistics.median(r[1] for r in rows) * 1000,
        f"{together} at once": (time.perf_counter() - started) * 1000,
    }


async def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=500)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--together", type=int, default=20)
    options = parser.parse_args()
    command = [sys.executable, "-m", "litellm_azure_agents.emulator", "--port", "0"]
    emulator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert emulator.stdout is not None
        base = emulator.stdout.readline().split()[1]
        asks = peers(base, options.words)
        results = {
            name: await measure(ask, options.calls, options.together) for name, ask in asks.items()
        }
    finally:
        emulator.terminate()
    wire = results["raw wire"]
    print(f"{'milliseconds':18}" + "".join(f"{column:>24}" for column in wire))
    for name, row in results.items():
        cells = "".join(f"{v:>15.1f} ({v / wire[c]:5.2f}×)" for c, v in row.items())
        print(f"{name:18}{cells}")


if __name__ == "__main__":
    asyncio.run(main())
