"""How fast the emulator starts, and how many streams it carries at once.

    python benchmarks/emulator_streams.py [--streams 50 200 500] [--words 200] [--data FILE]

Prints the time to import, to start and to the first answer (each the best of three processes);
then, for each number of streams begun at the same moment, how long until the first text (median,
slowest) and until all were done, and the events and characters that came in. Client and server are
two processes of one machine and share its cores.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time

import httpx

START = """
import time; begin = time.perf_counter()
from litellm_azure_agents.emulator import Emulator
imported = time.perf_counter()
emulator = Emulator().start()
started = time.perf_counter()
import urllib.request
request = urllib.request.Request(emulator.endpoint + "/assistants/asst_echo?api-version=v1",
                                 headers={"authorization": "Bearer x"})
urllib.request.urlopen(request).read()
print(imported - begin, started - imported, time.perf_counter() - started)
emulator.stop()
"""


def startup() -> None:
    """Print how long a start takes."""
    times = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", START], capture_output=True, text=True, check=True
        )
        times.append([float(number) for number in done.stdout.split()])
    imported, started, answered = (min(column) for column in zip(*times, strict=True))
    print(f"import {imported:.2f} s, start {started:.3f} s, first answer {answered:.3f} s")


async def stream(client: httpx.AsyncClient, words: int, begin: float) -> tuple[float, int, int]:
    """One turn: seconds to the first text, events, characters of text frames."""
    body = {
        "assistant_id": "asst_long",
        "stream": True,
        "thread": {"messages": [{"role": "user", "content": f"{words} words"}]},
    }
    first, events, size = 0.0, 0, 0
    async with client.stream("POST", "/threads/runs", json=body) as answer:
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            if not first and b"thread.message.delta" in chunk:
                first = time.perf_counter() - begin
            events += chunk.count(b"\n\n")
            size += len(chunk)
    return first, events, size


async def many(endpoint: str, count: int, words: int) -> None:
    """Print what `count` streams at once cost."""
    async with httpx.AsyncClient(
        base_url=endpoint,
        params={"api-version": "v1"},
        headers={"authorization": "Bearer bench"},
        limits=httpx.Limits(max_connections=None),
        timeout=300,
    ) as client:
        begin = time.perf_counter()
        told = await asyncio.gather(*(stream(client, words, begin) for _ in range(count)))
        took = time.perf_counter() - begin
    firsts = [first for first, _, _ in told]
    events = sum(number for _, number, _ in told)
    size = sum(number for _, _, number in told)
    print(
        f"{count:5} streams of {words} words: {took:6.2f} s in all, first text"
        f" {statistics.median(firsts):.2f} s (slowest {max(firsts):.2f} s),"
        f" {events / took:,.0f} events/s, {size / took / 1e6:.1f} MB/s"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, nargs="+", default=[50, 200, 500])
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--data", metavar="FILE", help="a data file: every write is on disk")
    args = parser.parse_args()
    startup()
    command = [sys.executable, "-m", "litellm_azure_agents.emulator", "--port", "0"]
    if args.data:
        command += ["--data", args.data, "--reset"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        endpoint = server.stdout.readline().split()[1]
        for count in args.streams:
            asyncio.run(many(endpoint, count, args.words))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
