"""`runs list | show | cancel | tail`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from .conftest import Run

Ask = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_a_run_is_found_by_its_id_and_by_the_id_of_the_call(run: Run, ask: Ask, agent: str) -> None:
    ids = ask(agent, litellm_call_id="call-of-mine")
    id = ids.get("run_id") or ids["response_id"]
    for reference in (id, "call-of-mine"):
        assert run("runs", "show", reference, "--json").data["id"] == id
        assert id in run("runs", "show", reference).out
    for reference in (id, "call-of-mine"):
        told = run("runs", "tail", reference, "--json").lines
        assert [(event["kind"], event["text"]) for event in told] == [
            ("text", "You said: hello"), ("status", "completed"),
        ]  # fmt: skip
    assert "You said: hello" in run("runs", "tail", id).out


def test_a_run_of_a_known_thread(run: Run, ask: Ask) -> None:
    ids = ask("asst_weather", "What is the weather in Paris?")
    listed = run("runs", "list", ids["thread_id"], "--json").data
    assert [found["id"] for found in listed] == [ids["run_id"]]
    assert ids["run_id"] in run("runs", "list", ids["thread_id"]).out
    told = run("runs", "tail", ids["run_id"], "-t", ids["thread_id"], "--json").lines
    assert told[-1]["text"] == "requires_action"
    assert told[0]["kind"] == "step"
    assert told[0]["text"].startswith("get_weather(")
    cancelled = run("runs", "cancel", ids["run_id"], "-t", ids["thread_id"], "--json").data
    assert cancelled["status"] in ("cancelling", "cancelled")
    shown = run("runs", "show", ids["run_id"]).out
    assert "cancelled" in shown
    assert "get_weather" in shown


def test_a_run_is_followed_while_it_runs(run: Run, emulator: Emulator) -> None:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    body = {
        "assistant_id": "asst_slow",
        "thread": {"messages": [{"role": "user", "content": "a b"}]},
    }
    url = f"{emulator.endpoint}/threads/runs?api-version=v1"
    started = httpx.post(url, headers=headers, json=body).json()
    told = run("runs", "tail", started["id"], "--json").lines
    statuses = [event["text"] for event in told if event["kind"] == "status"]
    assert statuses[-1] == "completed"
    assert statuses[0] in ("queued", "in_progress")
    text = "".join(event["text"] for event in told if event["kind"] == "text")
    assert text == "You said: a b"


def test_a_background_response_is_cancelled(run: Run, emulator: Emulator) -> None:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    agent = {"type": "agent_reference", "name": "slow"}
    body = {"agent_reference": agent, "input": "a b c d", "background": True}
    url = f"{emulator.endpoint}/openai/v1/responses"
    started = httpx.post(url, headers=headers, json=body).json()
    assert run("runs", "cancel", started["id"], "--json").data["status"] == "cancelled"


def test_a_run_that_is_not_there(run: Run, ask: Ask) -> None:
    thread = ask("asst_echo")["thread_id"]
    for reference in ("run_absent", "no-such-call"):
        for more in ((), ("-t", thread)):
            error = run("runs", "show", reference, *more, "--json", code=1).error
            assert (error["type"], error["status"]) == ("NotFoundError", 404)
            assert reference in error["message"]
