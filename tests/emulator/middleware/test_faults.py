"""Faults by header and by rule; the run behind a cut stream goes on."""

from __future__ import annotations

import time

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from ..wire import PATIENCE, Wire, events_of, last_run

BODY = {
    "assistant_id": "asst_echo",
    "stream": True,
    "thread": {"messages": [{"role": "user", "content": "one two three"}]},
}


def faulty(wire: Wire, fault: str) -> httpx.Response:
    return wire.http.post("/threads/runs", json=BODY, headers={"x-emulator-fault": fault})


def test_status_a_number_of_times(wire: Wire) -> None:
    fault = "status=429;retry-after=3;times=2;message=Slow down"
    for _ in range(2):
        answer = faulty(wire, fault)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "3"
        error = answer.json()["error"]
        assert (error["code"], error["message"]) == ("rate_limit_exceeded", "Slow down")
    assert faulty(wire, fault).status_code == 200


def cut_stream(wire: Wire, fault: str) -> tuple[bytes, Exception | None]:
    got = b""
    headers = {"x-emulator-fault": fault}
    try:
        with wire.http.stream("POST", "/threads/runs", json=BODY, headers=headers) as answer:
            for chunk in answer.iter_raw():
                got += chunk
    except httpx.TransportError as error:
        return got, error
    return got, None


@pytest.mark.parametrize(
    ("mode", "broken"), [("cut", True), ("end", False), ("reset", True)], ids=str
)
def test_cut_after_events(wire: Wire, mode: str, broken: bool) -> None:
    got, error = cut_stream(wire, f"cut-after-events=5;mode={mode}")
    assert (error is not None) == broken
    if mode != "reset":  # a reset may overtake what was sent
        events = events_of(got.decode())
        assert len(events) == 5
        run = last_run(events)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            run = wire.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
            if run["status"] == "completed":
                break
        assert run["status"] == "completed"
        messages = wire.get(f"/threads/{run['thread_id']}/messages", run_id=run["id"])["data"]
        assert messages[0]["content"][0]["text"]["value"] == "You said: one two three"


def test_an_error_event_ends_the_stream(wire: Wire) -> None:
    got, error = cut_stream(wire, "error-after-events=6;code=server_error;message=gone")
    events = events_of(got.decode())
    assert error is None
    assert len(events) == 7
    assert events[-1][0] == "error"
    assert (events[-1][1]["error"]["code"], events[-1][1]["error"]["message"]) == (
        "server_error",
        "gone",
    )


def test_cut_after_bytes_and_lost_answer(wire: Wire) -> None:
    got, error = cut_stream(wire, "cut-after-bytes=1000")
    assert error is not None
    assert len(got) == 1000
    before = len(wire.get("/threads", limit=100)["data"])
    got, error = cut_stream(wire, "cut-after-bytes=0")
    assert isinstance(error, httpx.RemoteProtocolError)
    assert got == b""
    assert len(wire.get("/threads", limit=100)["data"]) == before + 1


def test_drop_has_no_effect_on_the_project(wire: Wire) -> None:
    _, error = cut_stream(wire, "drop")
    assert isinstance(error, httpx.TransportError)
    assert wire.get("/threads")["data"] == []


def test_stall_and_delay(wire: Wire) -> None:
    start = time.monotonic()
    got, error = cut_stream(wire, "stall-after-events=3;stall=0.2")
    assert error is None
    assert events_of(got.decode())[-1][0] == "done"
    assert time.monotonic() - start >= 0.2
    start = time.monotonic()
    assert faulty(wire, "delay=0.2").status_code == 200
    assert time.monotonic() - start >= 0.2


def test_a_stall_without_end(wire: Wire) -> None:
    with wire.http.stream(
        "POST",
        "/threads/runs",
        json=BODY,
        headers={"x-emulator-fault": "stall-after-events=3"},
        timeout=2,
    ) as answer:
        chunks = answer.iter_raw()
        seen = b""
        while seen.count(b"\n\n") < 3:
            seen += next(chunks)
        with pytest.raises(httpx.ReadTimeout):
            next(chunks)
    assert len(events_of(seen.decode())) == 3


def test_rules(wire: Wire, emulator: Emulator) -> None:
    emulator.faults.add(path_regex=r"/assistants/asst_echo$", method="get", times=1, status=503)
    path = "/assistants/asst_echo"
    assert wire.http.get("/assistants/asst_bing").status_code == 200
    assert wire.http.get(path).status_code == 503
    assert wire.http.get(path).status_code == 200
    with pytest.raises(ValueError, match="'statis' is none of"):
        emulator.faults.add(statis=1)


def test_invalid_faults_are_refused(wire: Wire) -> None:
    for fault in ("status=abc", "explode", "mode=loud"):
        answer = faulty(wire, fault)
        assert answer.status_code == 400
        assert "x-emulator-fault" in answer.json()["error"]["message"]
