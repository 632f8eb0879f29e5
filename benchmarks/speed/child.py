"""One peer in a process of its own: reads workloads from stdin, writes their results to stdout.

A line in is ``{"work": name, "base": address, …}``, a line out is an object of numbers: seconds, or
bytes. CPU time is that of the whole process, with all of its threads.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .peers import PEERS, Peer

SETTLE = 0.3
"""Seconds in which LiteLLM finishes its logging behind an answer; its CPU time is counted."""
Result = dict[str, float]


async def _stream(peer: Peer, base: str, **options: Any) -> tuple[float, int]:
    """Seconds to the first text, and characters, of one answer."""
    started, first, size = time.perf_counter(), 0.0, 0
    async for text in peer.aask(base, **options):
        if not first:
            first = time.perf_counter() - started
        size += len(text)
    return first, size


def _stream_sync(peer: Peer, base: str) -> tuple[float, int]:
    started, first, size = time.perf_counter(), 0.0, 0
    for text in peer.ask(base):
        if not first:
            first = time.perf_counter() - started
        size += len(text)
    return first, size


async def calls(peer: Peer, base: str, *, count: int, sync: bool, chars: int) -> Result:
    """``count`` calls, one after the other: medians a call, CPU the mean."""
    firsts, walls = [], []
    cpu = time.process_time()
    for _ in range(count):
        started = time.perf_counter()
        first, size = _stream_sync(peer, base) if sync else await _stream(peer, base)
        walls.append(time.perf_counter() - started)
        firsts.append(first)
        assert size == chars, f"{size} characters instead of {chars}"
    await asyncio.sleep(SETTLE)
    return {
        "wall": statistics.median(walls),
        "first": statistics.median(firsts),
        "cpu": (time.process_time() - cpu) / count,
    }


async def many(peer: Peer, base: str, *, count: int, chars: int) -> Result:
    """``count`` streams begun at once; with the longest time that the event loop was held up."""
    lags: list[float] = []

    async def watch() -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - asked - 0.005)

    watcher = asyncio.ensure_future(watch())
    cpu, started = time.process_time(), time.perf_counter()
    told = await asyncio.gather(*(_stream(peer, base) for _ in range(count)))
    wall = time.perf_counter() - started
    await asyncio.sleep(SETTLE)
    cpu = time.process_time() - cpu
    watcher.cancel()
    assert all(size == chars for _, size in told), "an answer is not whole"
    firsts = sorted(first for first, _ in told)
    return {
        "wall": wall,
        "cpu": cpu,
        "cpu_stream": cpu / count,
        "first": firsts[len(firsts) // 2],
        "first_p95": firsts[int(len(firsts) * 0.95)],
        "lag": max(lags, default=0.0),
        "lag_p95": sorted(lags)[int(len(lags) * 0.95)] if lags else 0.0,
    }


async def thread(peer: Peer, base: str, *, count: int) -> Result:
    """``count`` turns on one thread: CPU a turn, of the first tenth of them and of the last."""
    tenth = max(count // 10, 1)
    cpus = []
    for _ in range(count):
        cpu = time.process_time()
        await _stream(peer, base, thread_id="thread_bench")
        cpus.append(time.process_time() - cpu)
    return {"first": statistics.median(cpus[:tenth]), "last": statistics.median(cpus[-tenth:])}


async def memory(peer: Peer, base: str, *, count: int) -> Result:
    """Bytes of the process after a tenth of ``count`` calls, and after all of them."""
    sizes = []
    for number in range(count):
        await _stream(peer, base)
        if number + 1 in (count // 10, count):
            await asyncio.sleep(SETTLE)
            gc.collect()
            with open("/proc/self/statm") as file:  # noqa: ASYNC230
                sizes.append(int(file.read().split()[1]) * 4096)
    return {"before": sizes[0], "after": sizes[-1], "growth_a_call": (sizes[-1] - sizes[0]) / count}


async def history(peer: Peer, base: str, *, count: int) -> Result:
    """CPU of a call with a history of ``count`` messages above that of one with a single one."""
    roles = ("user", "assistant")
    long = [{"role": roles[i % 2], "content": f"This is message {i}."} for i in range(count)]
    cpus: dict[int, list[float]] = {1: [], count: []}
    for _ in range(7):
        for messages in (long[:1], [*long, long[0]]):
            cpu = time.process_time()
            await _stream(peer, base, messages=messages)
            cpus[1 if len(messages) == 1 else count].append(time.process_time() - cpu)
    short, whole = statistics.median(cpus[1]), statistics.median(cpus[count])
    return {"cpu": whole - short}


WORK: dict[str, Callable[..., Awaitable[Result]]] = {
    "calls": calls, "many": many, "thread": thread, "memory": memory, "history": history,
}  # fmt: skip


async def main() -> None:
    """Work until stdin ends."""
    peer = PEERS[sys.argv[1]]()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        gc.collect()
        result = await WORK[order.pop("work")](peer, order.pop("base"), **order)
        print("=", json.dumps(result), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
