"""Many calls of each kind leave nothing behind: sockets, tasks, threads, memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import litellm
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.limits import EMULATOR, PACKAGE, run_child
from tests.faults.proxy import Fault, FaultProxy, always, no_faults
from tests.faults.size import pairs, size

CALLS = size(25, 2000)
SPARE_FILES = 36
"""Open files of idle connections. Each has four: one at the client, two at the proxy, one at the
emulator. A leak of one socket a call would be 100."""
BYTES_A_CALL = 1024
"""Of the package's own; what a call keeps must be far less than this."""

Call = Callable[[dict[str, Any]], Awaitable[None]]


async def whole(arguments: dict[str, Any]) -> None:
    await litellm.acompletion(**arguments)


async def streamed(arguments: dict[str, Any]) -> None:
    async for _ in await litellm.acompletion(stream=True, **arguments):
        pass


async def closed(arguments: dict[str, Any]) -> None:
    stream = await litellm.acompletion(stream=True, **arguments)
    await anext(stream)
    await stream.aclose()


async def dropped(arguments: dict[str, Any]) -> None:
    await anext(await litellm.acompletion(stream=True, **arguments))


async def cancelled(arguments: dict[str, Any]) -> None:
    task = asyncio.create_task(whole(arguments))
    await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def timed_out(arguments: dict[str, Any]) -> None:
    with contextlib.suppress(litellm.Timeout):
        await litellm.acompletion(timeout=0.02, **arguments)


async def refused(arguments: dict[str, Any]) -> None:
    with contextlib.suppress(litellm.NotFoundError):
        await litellm.acompletion(**{**arguments, "model": "azure_ai/agents/asst_none"})


async def cut(arguments: dict[str, Any]) -> None:
    with contextlib.suppress(Exception):
        await streamed({**arguments, "max_retries": 0, "timeout": 0.5})


async def in_a_thread(arguments: dict[str, Any]) -> None:
    def call() -> None:
        litellm.completion(**arguments)
        list(litellm.completion(stream=True, **arguments))

    await asyncio.to_thread(call)


KINDS: list[Call] = [
    whole, streamed, closed, dropped, cancelled, timed_out, refused, cut, in_a_thread
]  # fmt: skip


def own_bytes() -> int:
    """Memory that was allocated by the package's own lines."""
    gc.collect()
    filters = [
        tracemalloc.Filter(True, f"{PACKAGE}/*", all_frames=False),
        tracemalloc.Filter(False, f"{EMULATOR}/*", all_frames=False),
    ]
    found = tracemalloc.take_snapshot().filter_traces(filters).statistics("filename")
    return sum(entry.size for entry in found)


async def settled(baseline: int) -> int:
    """How many tasks there are, once what ends soon has ended."""
    for _ in range(200):
        tasks = [task for task in asyncio.all_tasks() if "litellm_azure_agents" in str(task)]
        if len(tasks) <= baseline:
            break
        await asyncio.sleep(0.02)
    return len(tasks)


@pytest.mark.parametrize(
    ("kind", "agent"),
    pairs(KINDS, ["asst_echo", "echo"]),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_calls_leave_nothing_behind(emulator: Emulator, kind: Call, agent: str) -> None:
    async def go(proxy: FaultProxy) -> None:
        arguments = {
            "model": f"azure_ai/agents/{agent}",
            "messages": [{"role": "user", "content": "hello"}],
            "api_base": proxy.at(emulator.endpoint),
            "api_key": emulator.token,
        }
        if kind is cut:
            proxy.plan = always(Fault("response", "reset", after=900))
        for _ in range(10):
            await kind(arguments)
        await settled(0)
        gc.collect()
        threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
        tracemalloc.start()
        try:
            for _ in range(5):
                await kind(arguments)
            before = own_bytes()
            for _ in range(CALLS):
                await kind(arguments)
            proxy.plan = no_faults
            assert await settled(0) == 0
            grown = own_bytes() - before
        finally:
            tracemalloc.stop()
        assert grown < CALLS * BYTES_A_CALL, f"{grown} bytes in {CALLS} calls"
        # LiteLLM's calls start threads of the loop's executor, which has few and reuses them.
        assert threading.active_count() <= threads + 8
        for _ in range(100):
            gc.collect()
            if len(os.listdir("/proc/self/fd")) <= files + SPARE_FILES:
                break
            await asyncio.sleep(0.02)
        assert len(os.listdir("/proc/self/fd")) <= files + SPARE_FILES
        assert proxy.open_connections <= 4

    with FaultProxy(emulator.url) as proxy:
        asyncio.run(go(proxy))


def test_a_loop_for_each_call(emulator: Emulator) -> None:
    """Scripts, Flask and Celery do this. The child may open only 40 files more."""
    found = run_child("loops", emulator.endpoint, str(size(100, 2000)))
    assert found["files"] <= 10


def test_ended_loops_leave_no_connections(emulator: Emulator) -> None:
    arguments = {
        "model": "azure_ai/agents/asst_echo",
        "messages": [{"role": "user", "content": "hello"}],
        "api_key": emulator.token,
    }
    with FaultProxy(emulator.url) as proxy:
        for _ in range(30):
            asyncio.run(litellm.acompletion(api_base=proxy.at(emulator.endpoint), **arguments))
        gc.collect()
        asyncio.run(asyncio.sleep(0.1))
        assert proxy.open_connections <= 3
