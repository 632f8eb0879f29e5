"""Faults of the new protocol."""

from __future__ import annotations

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from .client import Raw, events_of, said, steps, wait_for_end


def test_error_events_are_flat_and_numbered(raw: Raw) -> None:
    headers = {"x-emulator-fault": "error-after-events=2;code=server_error;message=Broken."}
    body = raw.body("echo", "hi", stream=True)
    answer = raw.http.post("/openai/v1/responses", json=body, headers=headers)
    events = events_of(answer.text)
    assert steps(events) == ["created", "in_progress", "error"]
    assert events[-1] == {
        "type": "error", "sequence_number": 2, "code": "server_error", "message": "Broken.",
        "param": None,
    }  # fmt: skip


def test_refusals_by_fault_have_the_protocols_shape(emulator: Emulator, raw: Raw) -> None:
    emulator.faults.add(path_regex="/responses$", status=503, times=1)
    error = raw.refused(raw.body("echo", "hi"), 503)
    assert error["code"] == "server_error"
    assert raw.ask("echo", "hi")["status"] == "completed"


@pytest.mark.parametrize(("fault", "status"), [("", "cancelled"), (";unnoticed", "completed")])
def test_a_cut_response_stops_unless_the_cut_goes_unnoticed(
    emulator: Emulator, raw: Raw, fault: str, status: str
) -> None:
    headers = {"x-emulator-fault": f"cut-after-events=5{fault}"}
    body = raw.body("slow", "a b", stream=True)
    with pytest.raises(httpx.RemoteProtocolError):
        raw.http.post("/openai/v1/responses", json=body, headers=headers)
    (live,) = emulator.project.responses.recent.values()
    response = wait_for_end(raw, live.response["id"])
    assert response["status"] == status
    assert said(response) == ("You said: a b" if status == "completed" else "")
