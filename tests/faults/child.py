"""What is tried in a process of its own, because it has limits that kill.

    python -m tests.faults.child NAME ENDPOINT [argument]

Prints one line of JSON. Started by `tests.faults.limits.run_child`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

import litellm_azure_agents
from litellm_azure_agents.core.redact import scrub_strictly

MB = 1 << 20
HELLO = [{"role": "user", "content": "hello"}]
CPU_SECONDS = 30
"""Many times what linear work on these sizes needs; what is quadratic needs minutes."""


def call(endpoint: str, agent: str, **more: Any) -> dict[str, Any]:
    return {
        "model": f"azure_ai/agents/{agent}",
        "messages": HELLO,
        "api_base": endpoint,
        "api_key": "k",
        "max_retries": 0,
        **more,
    }


def error_of(function: Callable[[], Any]) -> list[str]:
    """The class and the text of what a call raises; empty if it doesn't."""
    try:
        function()
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return [*kinds[:-3], str(error)[:400]]
    return []


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def endless(endpoints: str, limit: str) -> dict[str, Any]:
    """Call services whose answers have no end; how much memory that takes."""
    # What everything imports late is there before it is measured.
    error_of(lambda: litellm.completion(**call("http://127.0.0.1:9/api/projects/p", "asst_x")))
    before = peak()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft = 700 * MB + pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    bound = {"max_response_bytes": int(limit)}
    errors = []
    for endpoint in endpoints.split():
        errors += [
            error_of(lambda e=endpoint: litellm.completion(**call(e, "asst_x", **bound))),
            error_of(lambda e=endpoint: asyncio.run(_stream(call(e, "x", **bound)))),
        ]
    return {"grown": peak() - before, "errors": errors}


async def _stream(arguments: dict[str, Any]) -> None:
    async for _ in await litellm.acompletion(stream=True, **arguments):
        pass


def many_results(endpoint: str, count: str) -> dict[str, Any]:
    """Give a history with so many tool results, within a limit of CPU time."""
    ids = [f"call_{number:06d}" for number in range(int(count))]
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
    ]
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": i, "content": "x" * 60} for i in ids),
    ]
    error_of(lambda: litellm.completion(**call(endpoint, "asst_x")))
    _limit_cpu()
    for agent in ("asst_x", "x"):
        error_of(lambda a=agent: litellm.completion(**call(endpoint, a, messages=messages)))
    return {"done": True}


def failed_runs(endpoint: str, count: str) -> dict[str, Any]:
    """Read the long texts of failures, within a limit of CPU time."""
    error_of(lambda: litellm.completion(**call("http://127.0.0.1:9/api/projects/p", "asst_x")))
    _limit_cpu()
    ask = partial(litellm.completion, **call(endpoint, "asst_x"))
    return {"errors": [error_of(ask) for _ in range(int(count))]}


def credential_error(_: str, size: str) -> dict[str, Any]:
    """Scrub the long text of a credential's error, within a limit of CPU time."""
    _limit_cpu()
    return {"length": len(scrub_strictly("x" * int(size)))}


def _limit_cpu() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))


def loops(endpoint: str, count: str) -> dict[str, Any]:
    """An event loop for each call, with few files to open."""
    asyncio.run(litellm.acompletion(**call(endpoint, "asst_echo")))
    here = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (here + 40, here + 40))
    for number in range(int(count)):
        agent = "echo" if number % 2 else "asst_echo"
        work = litellm.acompletion(**call(endpoint, agent)) if number % 3 else None
        asyncio.run(work if work is not None else _stream(call(endpoint, agent)))  # type: ignore[arg-type]
    return {"files": len(os.listdir("/proc/self/fd")) - here}


if __name__ == "__main__":
    name, endpoint, argument = sys.argv[1:4]
    litellm.suppress_debug_info = True
    litellm_azure_agents.register()
    tasks = {f.__name__: f for f in (endless, many_results, failed_runs, credential_error, loops)}
    print(json.dumps(tasks[name](endpoint, argument)))
