"""Helpers of the tests of runs."""

from __future__ import annotations

import time

from ..wire import PATIENCE, Wire


def outputs(run: dict, **texts: str) -> dict:
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return {
        "tool_outputs": [
            {"tool_call_id": c["id"], "output": texts.get(c["function"]["name"], "ok")}
            for c in calls
        ]
    }


def wait_for(wire: Wire, run: dict, *statuses: str) -> dict:
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        run = wire.get(path)
        if run["status"] in statuses:
            return run
        time.sleep(0.01)
    raise AssertionError(f"still {run['status']}")
