"""Runs on the wire: order and shapes of events, tools, states, cancellation, expiry."""

from __future__ import annotations

import json
import time

import pytest

from litellm_azure_agents.emulator import Emulator, Strictness

from .wire import PATIENCE, Wire, last_run, names, said

PLAIN = [
    "thread.created", "thread.run.created", "thread.run.queued", "thread.run.in_progress",
    "thread.run.step.created", "thread.run.step.in_progress", "thread.message.created",
    "thread.message.in_progress", "thread.message.delta", "thread.message.completed",
    "thread.run.step.completed", "thread.run.completed", "done",
]  # fmt: skip


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


def test_plain_answer_streams_in_the_services_order(wire: Wire) -> None:
    events = wire.ask("asst_echo", "hello big world")
    assert names(events) == PLAIN
    assert said(events) == "You said: hello big world"
    run = last_run(events)
    assert run["usage"]["total_tokens"] == (
        run["usage"]["prompt_tokens"] + run["usage"]["completion_tokens"]
    )
    assert run["usage"]["completion_tokens"] > 3
    assert run["expires_at"] is None
    assert run["instructions"] == "Say back what the user says."


def test_polling_sees_what_streaming_saw(wire: Wire) -> None:
    streamed = wire.ask("asst_multi", "hey")
    thread = wire.post("/threads", {"messages": [{"role": "user", "content": "hey"}]})
    run = wire.post(f"/threads/{thread['id']}/runs", {"assistant_id": "asst_multi"})
    assert run["status"] == "queued"
    run = wait_for(wire, run, "completed")
    assert run["usage"] == last_run(streamed)["usage"]
    listed = wire.get(f"/threads/{thread['id']}/messages", run_id=run["id"], order="asc")["data"]
    shown = [data for name, data in streamed if name == "thread.message.completed"]
    assert [m["content"] for m in listed] == [m["content"] for m in shown]
    assert [len(m["content"]) for m in listed] == [2, 3]


def test_history_is_remembered_and_instructions_are_shown(wire: Wire) -> None:
    first = wire.ask("asst_echo", "my cat is Tom")
    thread = last_run(first)["thread_id"]
    more = {
        "assistant_id": "asst_echo",
        "additional_messages": [{"role": "user", "content": "What did I say before?"}],
    }
    assert "my cat is Tom" in said(wire.stream(f"/threads/{thread}/runs", more))
    more["additional_messages"][0]["content"] = "What are your instructions?"
    more["additional_instructions"] = "Be brief."
    answer = said(wire.stream(f"/threads/{thread}/runs", more))
    assert answer == "My instructions: Say back what the user says.\nBe brief."
    more["instructions"] = "Sing."
    answer = said(wire.stream(f"/threads/{thread}/runs", more))
    assert answer == "My instructions: Sing.\nBe brief."


def test_parallel_calls_one_a_place(wire: Wire) -> None:
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


def test_failures_keep_their_code_and_the_text_so_far(wire: Wire) -> None:
    plain = wire.ask("asst_fail", "please")
    assert names(plain)[-2:] == ["thread.run.failed", "done"]
    assert "thread.message.created" not in names(plain)
    assert last_run(plain)["last_error"]["code"] == "server_error"
    late = wire.ask(
        "asst_fail", "fail with rate_limit_exceeded: Try again in 7 seconds. after text"
    )
    error = {"code": "rate_limit_exceeded", "message": "Try again in 7 seconds."}
    assert last_run(late)["last_error"] == error
    assert said(late)
    assert names(late)[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
        "done",
    ]


def test_incomplete_by_the_agent_and_by_max_completion_tokens(wire: Wire) -> None:
    filtered = last_run(wire.ask("asst_incomplete", "content_filter please"))
    assert filtered["incomplete_details"] == {"reason": "content_filter"}
    events = wire.ask("asst_long", "go", max_completion_tokens=256)
    run = last_run(events)
    assert (run["status"], run["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_completion_tokens"},
    )
    assert run["usage"]["completion_tokens"] == 256
    assert len(said(events).split()) == 256


def test_cancel_a_slow_run_keeps_its_text(wire: Wire) -> None:
    body = {"assistant_id": "asst_slow", "stream": True}
    body["thread"] = {"messages": [{"role": "user", "content": "a long story please"}]}
    seen: list[str] = []
    with wire.http.stream("POST", "/threads/runs", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                seen.append(line[7:])
            if line.startswith("data: ") and seen[-1] == "thread.run.created":
                run = json.loads(line[6:])
            if seen and seen[-1] == "thread.message.delta" and "cancelled" not in run:
                run["cancelled"] = wire.post(
                    f"/threads/{run['thread_id']}/runs/{run['id']}/cancel"
                )["status"]
    assert run["cancelled"] == "cancelling"
    assert seen[-5:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    message = wire.get(f"/threads/{run['thread_id']}/messages")["data"][0]
    assert message["incomplete_details"] == {"reason": "run_cancelled"}
    assert message["content"][0]["text"]["value"]


def test_active_run_locks_the_thread(wire: Wire) -> None:
    run = last_run(wire.ask("asst_weather", "weather in Paris"))
    thread = run["thread_id"]
    message = {"role": "user", "content": "hello?"}
    assert wire.refused(f"/threads/{thread}/messages", message)["message"] == (
        f"Can't add messages to {thread} while a run {run['id']} is active."
    )
    body = {"assistant_id": "asst_echo", "additional_messages": [message]}
    assert wire.refused(f"/threads/{thread}/runs", body)["message"] == (
        f"Thread {thread} already has an active run {run['id']}."
    )
    assert len(wire.get(f"/threads/{thread}/messages")["data"]) == 1
    wire.post(f"/threads/{thread}/runs/{run['id']}/cancel")
    wait_for(wire, run, "cancelled")
    assert last_run(wire.stream(f"/threads/{thread}/runs", body))["status"] == "completed"


def test_expiry(wire: Wire, emulator: Emulator) -> None:
    run = last_run(wire.ask("asst_weather", "weather in Paris"))
    assert run["expires_at"] == run["created_at"] + 600
    emulator.expire_run(run["id"])
    run = wait_for(wire, run, "expired")
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    error = wire.refused(f"{path}/submit_tool_outputs", {"tool_outputs": []})
    assert error["message"] == 'Runs in status "expired" do not accept tool outputs.'
    assert wire.get(f"{path}/steps")["data"][0]["status"] == "expired"
    wire.http.headers["x-emulator-fault"] = "run-expiry=0.05"
    events = wire.ask("asst_slow", "hello")
    assert names(events)[-2:] == ["thread.run.expired", "done"]


def test_json_fits_the_schema(wire: Wire) -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "mood": {"enum": ["good", "bad"]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1},
        },
        "required": ["city", "count", "mood", "tags"],
        "$defs": {"tag": {"type": "object", "properties": {"k": {"type": "string"}},
                          "required": ["k"]}},
    }  # fmt: skip
    format = {"type": "json_schema", "json_schema": {"name": "report", "schema": schema}}
    text = said(wire.ask("asst_json", "A bad day in Lyon, 3 times", response_format=format))
    report = json.loads(text)
    assert (report["city"], report["count"], report["mood"]) == ("Lyon", 3, "bad")
    assert isinstance(report["tags"][0]["k"], str)
    assert isinstance(json.loads(said(wire.ask("asst_json", "x"))), dict)


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


def test_unicode_survives(wire: Wire) -> None:
    events = wire.ask("asst_unicode", "naïve 𝔘 😀")
    text = said(events)
    assert "\u2028" in text
    assert "e\u0301" in text
    assert text.endswith("naïve 𝔘 😀")
    run = last_run(events)
    stored = wire.get(f"/threads/{run['thread_id']}/messages")["data"][0]
    assert stored["content"][0]["text"]["value"] == text


def test_unconfirmed_rules_are_switches() -> None:
    loose = Strictness(min_max_tokens=1, allow_tool_choice_required=True, preview_on_v1=False)
    with Emulator(strictness=loose) as emulator:
        wire = Wire(emulator)
        run = last_run(wire.ask("asst_weather", "hello", tool_choice="required"))
        assert run["status"] == "requires_action"
        assert (
            last_run(wire.ask("asst_long", "x", max_completion_tokens=3))["usage"][
                "completion_tokens"
            ]
            == 3
        )
        tool = {"type": "mcp", "server_label": "a", "server_url": "https://example.com"}
        assert wire.refused("/assistants", {"model": "m", "tools": [tool]})["param"] == (
            "tools[0].type"
        )
        wire.http.close()
