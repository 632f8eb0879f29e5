"""What the page receives while the project changes: events of runs, changes."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator

from ..wire import Wire
from .api import Page, new, respond


def logged(text: str) -> list[dict[str, Any]]:
    found = re.findall(r"event: logged\ndata: (.*)\n", text)
    return [json.loads(data) for data in found]


def test_events_of_a_run_continue_after_a_submission(wire: Wire, page: Page) -> None:
    first = wire.ask("asst_weather", "weather in Paris")
    run = next(data for name, data in first if name == "thread.run.requires_action")
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]

    def submit() -> None:
        time.sleep(0.3)
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        wire.post(path, {"tool_outputs": [{"tool_call_id": call["id"], "output": "sunny"}]})

    thread = threading.Thread(target=submit)
    thread.start()
    text = page.http.get(f"/page/api/runs/{run['id']}/events").text
    thread.join()
    names = [event["name"] for event in logged(text)]
    assert names[: len(first) - 1] == [name for name, _ in first[1:]]  # no thread.created
    assert names.count("done") == 2
    assert names[-2:] == ["thread.run.completed", "done"]
    assert [event["n"] for event in logged(text)] == list(range(len(names)))
    assert text.endswith("event: end\ndata: {}\n\n")
    later = page.http.get(f"/page/api/runs/{run['id']}/events", params={"from": len(names) - 1})
    assert [event["name"] for event in logged(later.text)] == ["done"]


def test_events_of_a_response(emulator: Emulator, page: Page) -> None:
    with new(emulator) as client:
        response = respond(client, "echo", "hi")
    names = [
        e["name"] for e in logged(page.http.get(f"/page/api/runs/{response['id']}/events").text)
    ]
    assert names[0] == "response.created"
    assert names[-1] == "response.completed"


def test_live_reports_every_change(wire: Wire, page: Page) -> None:
    with page.http.stream("GET", "/page/api/live") as live:
        assert live.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in live.iter_lines() if line.startswith("data: "))
        before = json.loads(next(lines)[6:])
        wire.post("/threads", {})
        after = json.loads(next(lines)[6:])
    assert after["threads"] == before["threads"] + 1
    assert after["changes"] != before["changes"]


def test_an_emulator_with_an_open_page_stops() -> None:
    with Emulator() as emulator:
        headers = {"Authorization": "Bearer x"}
        client = httpx.Client(base_url=emulator.url, headers=headers)
        with client.stream("GET", "/page/api/live") as live:
            next(live.iter_lines())
            (server,) = (t for t in threading.enumerate() if t.name == f"emulator-{emulator.port}")
            emulator.stop()
            assert not server.is_alive(), "the open stream kept the server from stopping"
