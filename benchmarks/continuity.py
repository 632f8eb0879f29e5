"""What the thread store saves for a client that only resends its history.

    python benchmarks/continuity.py [--turns 20 40] [--store memory]

For each kind of agent, with and without store: requests to the service, threads (of new agents:
chains of responses), messages that were sent and are stored, and milliseconds to the first text of
the last turns (median of five). The emulator runs in a thread of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

import litellm_azure_agents
from litellm_azure_agents.emulator import Emulator

litellm.suppress_debug_info = True
AGENTS = {"classic": "asst_echo", "new": "echo"}
LAST = 5


@dataclass
class Chat:
    """What a chat cost."""

    requests: int = 0
    threads: int = 0
    stored: int = 0
    first: list[float] = field(default_factory=list)


async def chat(emulator: Emulator, agent: str, turns: int, store: str | None, name: str) -> Chat:
    """A chat of ``turns`` turns; ``name`` makes its words its own."""
    cost, history = Chat(), []
    last: set[str] = set()
    emulator.reset()
    for number in range(turns):
        history.append({"role": "user", "content": f"{name}, turn {number}"})
        started, text = time.perf_counter(), ""
        ids: dict[str, Any] = {}
        stream: Any = await litellm.acompletion(
            model=f"azure_ai/agents/{agent}", messages=history, stream=True,
            api_base=emulator.endpoint, api_key=emulator.token, thread_store=store,
        )  # fmt: skip
        async for chunk in stream:
            if not chunk.choices:
                continue
            delta = chunk.choices[0].delta
            if delta.content and not text:
                cost.first.append((time.perf_counter() - started) * 1000)
            text += delta.content or ""
            ids.update(getattr(delta, "provider_specific_fields", None) or {})
        history.append({"role": "assistant", "content": text})
        last.add(ids["thread_id"])
    bodies = [r.body if isinstance(r.body, dict) else {} for r in emulator.requests]
    cost.requests = len(bodies)
    cost.stored = sum(map(brought, bodies)) + turns  # and the answers
    chains = sum("previous_response_id" not in body for body in bodies)
    cost.threads = len(last) if agent == AGENTS["classic"] else chains
    return cost


def brought(body: dict[str, Any]) -> int:
    """How many messages a request brought."""
    thread = body.get("thread") or {}
    lists = (body.get("input"), body.get("additional_messages"), thread.get("messages"),
             body.get("messages"))  # fmt: skip
    single = "content" in body  # a message beyond what one run takes
    return sum(len(found) for found in lists if isinstance(found, list)) + single


async def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--store", default="memory", help="memory, or the URL of a Redis")
    options = parser.parse_args()
    litellm_azure_agents.register()
    columns = ("requests", "threads", "stored", "first text, ms")
    print(f"{'':34}" + "".join(f"{column:>16}" for column in columns))
    with Emulator() as emulator:
        await chat(emulator, AGENTS["classic"], 2, None, "warming up")
        for kind, agent in AGENTS.items():
            for turns in options.turns:
                for store in (None, options.store):
                    name = f"{kind} agent, {turns} turns, {'store' if store else 'no store'}"
                    cost = await chat(emulator, agent, turns, store, name)
                    first = statistics.median(cost.first[-LAST:])
                    row = (cost.requests, cost.threads, cost.stored, f"{first:.1f}")
                    print(f"{name:34}" + "".join(f"{cell:>16}" for cell in row))


if __name__ == "__main__":
    asyncio.run(main())
