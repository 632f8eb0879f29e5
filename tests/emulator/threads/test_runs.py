"""Runs on the wire: order and shapes of events, tools, states, cancellation, expiry."""

from __future__ import annotations

import json

from litellm_azure_agents.emulator import Emulator, Strictness

from ..wire import Wire, last_run, names, said
from .support import wait_for

PLAIN = [
    "thread.created", "thread.run.created", "thread.run.queued", "thread.run.in_progress",
    "thread.run.step.created", "thread.run.step.in_progress", "thread.message.created",
    "thread.message.in_progress", "thread.message.delta", "thread.message.completed",
    "thread.run.step.completed", "thread.run.completed", "done",
]  # fmt: skip


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
