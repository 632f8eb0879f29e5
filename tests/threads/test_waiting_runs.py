"""Runs in requires_action: calls for the client, for the service, and for nobody here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import litellm
import pytest

from tests.support.classic_agent import RUNS
from tests.support.either_protocol import EitherService, serving, stream
from tests.support.thread_streams import RUN, ending, message, opening, run, tools_step, written
from tests.support.ways import Way

STRANGE = {"id": "call_9", "type": "computer_use_preview", "action": {"type": "click"}}
AZURE = {"id": "call_1", "type": "azure_function", "azure_function": {"name": "f"}}
ASKED = {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}}


@pytest.fixture
def service() -> Iterator[EitherService]:
    yield from serving("threads")


def waiting(*calls: Any, kind: str = "submit_tool_outputs") -> dict[str, Any]:
    return run("requires_action", required_action={"type": kind, kind: {"tool_calls": [*calls]}})


def stopped(*calls: Any, kind: str = "submit_tool_outputs") -> httpx.Response:
    events = [*opening(), ("thread.run.step.created", tools_step("step_1", "in_progress")),
              ("thread.run.requires_action", waiting(*calls, kind=kind)),
              ("done", "[DONE]")]  # fmt: skip
    return stream(events)


@pytest.mark.parametrize("mode", ["stream", "poll"])
@pytest.mark.parametrize(
    ("calls", "kind", "says"),
    [
        ([STRANGE], "submit_tool_outputs", r"'computer_use_preview' \(call_9\)"),
        ([ASKED, STRANGE], "submit_tool_outputs", r"'computer_use_preview' \(call_9\)"),
        ([STRANGE], "submit_novelty", r"'computer_use_preview' \(call_9\)"),
        ([], "submit_novelty", "'submit_novelty' without calls"),
    ],
)
def test_what_nobody_here_can_answer_is_said_at_once(
    service: EitherService, way: Way, mode: str, calls: list[Any], kind: str, says: str
) -> None:
    service.answers(
        stopped(*calls, kind=kind) if mode == "stream" else httpx.Response(200, json=run("queued"))
    )
    service.router.get(f"{RUNS}/{RUN}").mock(
        return_value=httpx.Response(200, json=waiting(*calls, kind=kind))
    )
    empty = httpx.Response(200, json={"data": [], "has_more": False})
    service.router.get(url__regex=".*/(messages|steps)").mock(return_value=empty)
    with pytest.raises(litellm.BadRequestError, match=f"{RUN}.*requires_action.*{says}"):
        service.ask(way, run_mode=mode, timeout=600)


def test_a_function_of_azure_is_waited_for_and_traced(service: EitherService, way: Way) -> None:
    done = {**AZURE, "azure_function": {"name": "f", "arguments": "{}", "output": "42"}}
    service.answers(stopped(AZURE))
    states = [waiting(AZURE), run("completed", usage=None)]
    service.router.get(f"{RUNS}/{RUN}").mock(
        side_effect=[httpx.Response(200, json=state) for state in states]
    )
    messages = {"data": [message("msg_1", "completed", "It is 42.")], "has_more": False}
    steps = {"data": [tools_step("step_1", "completed", done)], "has_more": False}
    service.router.get(f"{RUNS}/{RUN}/steps").mock(return_value=httpx.Response(200, json=steps))
    service.router.get(url__regex=".*/messages").mock(
        return_value=httpx.Response(200, json=messages)
    )
    result = service.ask(way, include_run_steps=True, poll_interval=0.001)
    assert (result.text, result.finish_reason) == ("It is 42.", "stop")
    [step] = result.fields["run_steps"]
    assert (step["type"], step["azure_function"]["output"]) == ("azure_function", "42")


def test_a_thread_held_by_such_a_run_is_freed(service: EitherService, way: Way) -> None:
    held = {"error": {"message": f"Thread t already has an active run {RUN}."}}
    service.route = service.router.post(RUNS)
    answer = stream([*opening()[1:], *written("msg_2", ["Hi"]), *ending()])
    service.answers(httpx.Response(400, json=held), answer)
    states = [waiting(STRANGE), run("cancelled")]
    service.router.get(f"{RUNS}/{RUN}").mock(
        side_effect=[httpx.Response(200, json=state) for state in states]
    )
    assert service.ask(way, thread_id=run("x")["thread_id"]).text == "Hi"
