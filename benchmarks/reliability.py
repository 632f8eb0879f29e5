"""What becomes of turns while a share of all connections fails, and how time grows with size.

    python benchmarks/reliability.py                    # 300 turns of each kind at 30 %
    python benchmarks/reliability.py --turns 1000 --rate 0.3 --seed 12 --only sdk
    python benchmarks/reliability.py --sizes            # only the timing over doubling sizes

Everything runs on this machine: the emulator, and the fault proxy of the tests before it. What
happened is counted at the emulator. Beside this plugin, openai-python and azure-ai-agents make the
same turns through the same proxy, with their own default retries.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
sys.path.insert(0, str(Path(__file__).parents[1]))

import litellm
from azure.ai.agents import AgentsClient
from azure.ai.agents.models import AgentThreadCreationOptions, ThreadMessageOptions
from openai import AsyncOpenAI

import litellm_azure_agents
from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.sdk import client_options
from tests.faults.proxy import FaultProxy, share
from tests.faults.raw import serving
from tests.faults.test_limits import NOTHING, SHAPES, failing
from tests.faults.turns import KINDS, Ask, Service, asks, play


def openai_asks(kind: str, service: Service, endpoint: str) -> Ask:
    """openai-python's async client, one streamed or whole response a turn."""
    client = AsyncOpenAI(base_url=f"{endpoint}/openai/v1", api_key=service.emulator.token)
    agent = {"agent_reference": {"type": "agent_reference", "name": KINDS[kind]}}

    async def ask(text: str, *, streamed: bool, **state: Any) -> tuple[str, dict[str, Any]]:
        given = {"conversation": state.get("conversation_id"),
                 "previous_response_id": state.get("previous_response_id")}  # fmt: skip
        given = {name: value for name, value in given.items() if value}
        if not streamed:
            response = await client.responses.create(input=text, extra_body=agent, **given)
            return response.output_text, {"response_id": response.id}
        said, ids = "", {}
        events = await client.responses.create(input=text, extra_body=agent, stream=True, **given)  # type: ignore[call-overload]
        async for event in events:
            said += event.delta if event.type == "response.output_text.delta" else ""
            if event.type == "response.created":
                ids["response_id"] = event.response.id
        return said, ids

    return ask


def azure_asks(kind: str, service: Service, endpoint: str) -> Ask:
    """azure-ai-agents' client: make the run, look until it has ended, read its messages."""
    client = AgentsClient(endpoint, **client_options(service.emulator.token))

    def call(text: str, thread_id: str | None) -> str:
        message = ThreadMessageOptions(role="user", content=text)
        if thread_id is None:
            thread = AgentThreadCreationOptions(messages=[message])
            run = client.create_thread_and_process_run(
                agent_id=KINDS[kind], thread=thread, polling_interval=0.05
            )
        else:
            run = client.runs.create_and_process(
                thread_id, agent_id=KINDS[kind], additional_messages=[message],
                polling_interval=0.05,
            )  # fmt: skip
        for found in client.messages.list(run.thread_id, run_id=run.id):
            return "".join(part.text.value for part in found.text_messages)
        raise RuntimeError("the run has no message")

    async def ask(text: str, *, streamed: bool, **state: Any) -> tuple[str, dict[str, Any]]:
        return await asyncio.to_thread(call, text, state.get("thread_id")), {}

    return ask


def rows(only: str | None) -> list[tuple[str, str, Callable[[Service, str], Ask]]]:
    """Who asks, which kind of turn, and how."""
    found: list[tuple[str, str, Callable[[Service, str], Ask]]] = []
    for kind in KINDS:
        for who in ("sdk", "router"):
            found.append((who, kind, lambda s, e, w=who, k=kind: asks(w, k, s, e)))
        other = azure_asks if kind.startswith("classic") else openai_asks
        name = other.__name__.replace("_asks", "")
        found.append((name, kind, lambda s, e, o=other, k=kind: o(k, s, e)))
    return [row for row in found if only in (None, row[0])]


def faults(turns: int, rate: float, seed: int, only: str | None) -> None:
    """Print the table of turns under faults."""
    print(f"{turns} turns a row, {rate:.0%} of all connections fail, seed {seed}\n")
    print("| caller | turns | lost | doubled | wrong | faults | POSTs at the server | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    names = {"sdk": "this plugin, SDK", "router": "this plugin, Router (3 retries)",
             "openai": "openai-python", "azure": "azure-ai-agents"}  # fmt: skip
    with Emulator() as emulator:
        for who, kind, make in rows(only):
            emulator.reset()
            with FaultProxy(emulator.url, share(rate, seed), keep_alive=False) as proxy:
                service = Service(emulator)
                ask = make(service, proxy.at(emulator.endpoint))
                started = time.monotonic()
                tally = asyncio.run(play(proxy, service, kind, ask, turns))
                seconds = time.monotonic() - started
            print(
                f"| {names[who]} | {kind} | {len(tally.lost)} | {len(tally.doubled)} "
                f"| {len(tally.wrong)} | {tally.faults} | {tally.posts} | {seconds:.0f} |",
                flush=True,
            )


def sizes() -> None:
    """Print CPU time over doubling sizes of what callers and services may send."""
    print("| input | size | CPU seconds | times the one before |")
    print("|---|---|---|---|")

    def measure(name: str, endpoint: str, numbers: list[int], given: Any) -> None:
        before = 0.0
        for number in numbers:
            arguments = given(number)
            started = time.process_time()
            with contextlib.suppress(Exception):  # a refusal is as good: the input has been read
                litellm.completion(api_base=endpoint, api_key="k", max_retries=0, **arguments)
            took = time.process_time() - started
            factor = f"{took / before:.1f}" if before else ""
            print(f"| {name} | {number} | {took:.3f} | {factor} |", flush=True)
            before = took

    def simple(_: int) -> dict[str, Any]:
        hello = {"role": "user", "content": "hello"}
        return {"model": "azure_ai/agents/asst_x", "messages": [hello]}

    with serving(NOTHING) as endpoint:
        measure("warming up", endpoint, [1], simple)
        for shape in SHAPES:
            for agent in ("asst_x", "x"):
                measure(
                    f"{shape.__name__}, {agent}", endpoint, [500, 1000, 2000, 4000],
                    lambda n, s=shape, a=agent: {
                        "model": f"azure_ai/agents/{a}", "messages": s(n)},
                )  # fmt: skip
    for text in ("try", "retry after ", "eyJ", "api_key"):
        for number in (1000, 2000, 4000, 8000):
            with serving(failing(text * number)) as endpoint:
                measure(f"failure {text!r} times", endpoint, [number], simple)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--only", choices=["sdk", "router", "openai", "azure"])
    parser.add_argument("--sizes", action="store_true", help="only the timing over sizes")
    arguments = parser.parse_args()
    litellm.suppress_debug_info = True
    litellm_azure_agents.register()
    if not arguments.sizes:
        faults(arguments.turns, arguments.rate, arguments.seed, arguments.only)
        print()
    sizes()


if __name__ == "__main__":
    main()
