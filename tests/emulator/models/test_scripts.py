"""Scripts in the metadata of an agent."""

from __future__ import annotations

import json

from ..threads.support import outputs
from ..wire import Wire, last_run, names, said


def test_scripts_in_metadata(wire: Wire) -> None:
    script = [
        {"say": "Looking for {user}. "},
        {"calls": [{"call": "find", "arguments": {"q": "a"}}, {"call": "find"}]},
        {"say": "Found {results}"},
        {"message": True},
        {"chunks": ["by", "e"]},
        {"fail": "tool_server_error", "message": "over"},
    ]
    query = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    find = {"name": "find", "parameters": query}
    agent = wire.post(
        "/assistants",
        {
            "model": "m",
            "tools": [{"type": "function", "function": find}],
            "metadata": {"emulator_script": json.dumps(script)},
        },
    )
    events = wire.ask(agent["id"], "shoes")
    assert said(events) == "Looking for shoes. "
    run = last_run(events)
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [json.loads(c["function"]["arguments"])["q"] for c in calls] == ["a", "shoes"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    after = wire.stream(path, outputs(run, find="one"))
    assert said(after) == "Found one; onebye"
    assert names(after).count("thread.message.created") == 2
    assert last_run(after)["last_error"] == {"code": "tool_server_error", "message": "over"}
    assert last_run(after)["usage"]["total_tokens"] > 0


def test_a_bad_script_fails_the_run_with_its_reason(wire: Wire) -> None:
    agent = wire.post("/assistants", {"model": "m", "metadata": {"emulator_script": "[{}"}})
    assert "not JSON" in last_run(wire.ask(agent["id"], "x"))["last_error"]["message"]
