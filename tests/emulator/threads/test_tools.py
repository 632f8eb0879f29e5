"""Function calls, approvals, choice of tools."""

from __future__ import annotations

import json

import pytest

from ..wire import Wire, last_run, names, said
from .support import outputs, wait_for


def test_parallel_calls_for_each_place(wire: Wire) -> None:
    events = wire.ask("asst_weather", "What is the weather in Paris and Rome, in celsius?")
    run = last_run(events)
    assert [name for name, _ in events[-2:]] == ["thread.run.requires_action", "done"]
    assert run["usage"] is None
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    arguments = [json.loads(c["function"]["arguments"]) for c in calls]
    assert arguments == [
        {"location": "Paris", "unit": "celsius"},
        {"location": "Rome", "unit": "celsius"},
    ]
    deltas = [
        data["delta"]["step_details"]["tool_calls"][0]
        for name, data in events
        if name == "thread.run.step.delta"
    ]
    joined = ["", ""]
    for delta in deltas:
        first = joined[delta["index"]] == "" and delta["function"]["arguments"] == ""
        assert ("id" in delta) == first
        joined[delta["index"]] += delta["function"]["arguments"]
    assert joined == [c["function"]["arguments"] for c in calls]

    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    after = wire.stream(path, outputs(run, get_weather="sunny"))
    assert names(after)[:3] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    step = after[0][1]
    assert [c["function"]["output"] for c in step["step_details"]["tool_calls"]] == ["sunny"] * 2
    assert step["usage"]["completion_tokens"] > 0
    assert said(after).count("sunny") == 2
    assert last_run(after)["status"] == "completed"


def test_one_call_at_a_time_without_parallel_calls(wire: Wire) -> None:
    events = wire.ask("asst_weather", "weather in Paris and Rome", parallel_tool_calls=False)
    seen = []
    while (run := last_run(events))["status"] == "requires_action":
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        seen.append(json.loads(call["function"]["arguments"])["location"])
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        events = wire.stream(path, outputs(run))
    assert seen == ["Paris", "Rome"]


def test_chain_takes_the_first_result_before_the_second_call(wire: Wire) -> None:
    events = wire.ask("asst_chain", "go")
    seen = []
    while (run := last_run(events))["status"] == "requires_action":
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        seen.append(call["function"]["name"])
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        events = wire.stream(path, outputs(run, step_one="1", step_two="2"))
    assert seen == ["step_one", "step_two"]
    assert said(events) == "Both steps are done: 1; 2"


def test_text_before_a_call_is_a_message_of_its_own(wire: Wire) -> None:
    events = wire.ask("asst_weather", "Say something first, then the weather in Oslo")
    order = names(events)
    assert order.index("thread.message.completed") < order.index("thread.run.requires_action")
    assert said(events)


def test_tool_choice_and_run_tools(wire: Wire) -> None:
    assert (
        last_run(wire.ask("asst_weather", "weather in Rome", tool_choice="none"))["status"]
        == "completed"
    )
    named = {"type": "function", "function": {"name": "get_time"}}
    run = last_run(wire.ask("asst_weather", "weather in Rome", tool_choice=named))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["function"]["name"] == "get_time"
    mine = {
        "type": "function",
        "function": {
            "name": "bookTable",
            "parameters": {
                "type": "object",
                "properties": {"people": {"type": "integer"}, "restaurant": {"type": "string"}},
                "required": ["people", "restaurant"],
            },
        },
    }
    text = "Book a table for 4 at 'Chez Nous', and the weather in Rome"
    run = last_run(wire.ask("asst_weather", text, tools=[mine]))
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"people": 4, "restaurant": "Chez Nous"}


def test_submissions_are_strict_and_a_corrected_one_succeeds(wire: Wire) -> None:
    run = last_run(wire.ask("asst_weather", "weather in Paris and Rome"))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    whole = outputs(run)
    first, second = (o["tool_call_id"] for o in whole["tool_outputs"])
    part = {"tool_outputs": whole["tool_outputs"][:1]}
    error = wire.refused(path, part)
    assert error["message"] == (
        f"Expected tool outputs for call_ids ['{first}', '{second}'], got ['{first}']"
    )
    twice = {"tool_outputs": whole["tool_outputs"] + whole["tool_outputs"][:1]}
    wire.refused(path, twice)
    wire.refused(path, {"tool_outputs": [{"tool_call_id": "call_x", "output": "?"}]})
    wire.refused(path, {"tool_outputs": []})
    wire.refused(path, {"tool_approvals": [{"tool_call_id": first, "approve": True}]})
    assert wire.get(path.rsplit("/", 1)[0])["status"] == "requires_action"
    assert wire.post(path, whole)["status"] == "queued"
    run = wait_for(wire, run, "completed")
    assert wire.refused(path, whole)["message"] == (
        'Runs in status "completed" do not accept tool outputs.'
    )


@pytest.mark.parametrize("approve", [True, False])
def test_approval_then_function_call(wire: Wire, approve: bool) -> None:
    run = last_run(wire.ask("asst_approval", "search docs, and the weather in Paris"))
    action = run["required_action"]
    assert action["type"] == "submit_tool_approval"
    (call,) = action["submit_tool_approval"]["tool_calls"]
    assert (call["type"], call["server_label"], call["name"]) == ("mcp", "docs", "search_docs")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    answer = {"tool_approvals": [{"tool_call_id": call["id"], "approve": approve}]}
    run = last_run(wire.stream(path, answer))
    assert run["required_action"]["type"] == "submit_tool_outputs"
    text = said(wire.stream(path, outputs(run, get_weather="rain")))
    assert "rain" in text
    assert ("not allowed" in text) == (not approve)
