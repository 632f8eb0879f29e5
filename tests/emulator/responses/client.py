"""Helpers of the tests of the new agents' protocol: a raw client, and what streams are made of."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator

from ..wire import PATIENCE

TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def reference(name: str, version: str | None = None) -> dict[str, Any]:
    found = {"type": "agent_reference", "name": name}
    return {**found, "version": version} if version else found


class Raw:
    """The new protocol's routes, without any SDK."""

    def __init__(self, emulator: Emulator) -> None:
        self.http = httpx.Client(
            base_url=emulator.endpoint,
            headers={"Authorization": f"Bearer {emulator.token}"},
            timeout=PATIENCE,
        )

    def body(self, agent: str, text: Any, /, **fields: Any) -> dict[str, Any]:
        return {"agent_reference": reference(agent), "input": text, **fields}

    def ask(self, agent: str, text: Any, /, **fields: Any) -> Any:
        return self.post("/openai/v1/responses", self.body(agent, text, **fields))

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        answer = self.http.post(path, json=body, **kwargs)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, body: Any, status: int = 400, path: str = "/openai/v1/responses") -> Any:
        """The `error` of a refused POST, in Foundry's own shape."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "param", "type", "details", "additionalInfo"}
        assert error["additionalInfo"]["request_id"] == answer.headers["x-request-id"]
        return error

    def stream(self, agent: str, text: Any, /, **fields: Any) -> list[dict[str, Any]]:
        body = self.body(agent, text, stream=True, **fields)
        answer = self.http.post("/openai/v1/responses", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        return events_of(answer.text)


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of a whole SSE body, once their frames are what they should be."""
    events = []
    for block in text.removesuffix("\n\n").split("\n\n") if text else ():
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def steps(events: list[dict[str, Any]]) -> list[str]:
    """The events' types without prefix; repeated deltas once."""
    found: list[str] = []
    for event in events:
        name = event["type"].removeprefix("response.")
        if not (name.endswith(".delta") and found and found[-1] == name):
            found.append(name)
    return found


def said(response: dict[str, Any]) -> str:
    """All text of a response."""
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )


def check_stream(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The final response of a stream whose deltas add up to exactly what it says at its end."""
    assert [e["sequence_number"] for e in events] == list(range(len(events)))
    assert events[-1]["type"] in TERMINAL
    assert not [e for e in events[:-1] if e["type"] in TERMINAL]
    final: dict[str, Any] = events[-1]["response"]
    output = final["output"]
    added = [e for e in events if e["type"] == "response.output_item.added"]
    assert [e["output_index"] for e in added] == list(range(len(output)))
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    if final["status"] != "failed":
        assert done == output
    built: dict[tuple[str, int], str] = {}
    for event in events:
        if event["type"] == "response.output_text.delta":
            key = (event["item_id"], event["content_index"])
            built[key] = built.get(key, "") + event["delta"]
    for item in output:
        if item["type"] == "message":
            for index, part in enumerate(item["content"]):
                if part["type"] == "output_text":
                    assert built[item["id"], index] == part["text"]
        if item["type"] == "function_call":
            deltas = [
                e["delta"]
                for e in events
                if e["type"] == "response.function_call_arguments.delta"
                and e["item_id"] == item["id"]
            ]
            assert len(deltas) > 1
            assert "".join(deltas) == item["arguments"]
    return final


def wait_for_end(raw: Raw, id: str) -> Any:
    """A stored response once it has ended, five seconds at most."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        response = raw.get(f"/openai/v1/responses/{id}")
        if response["status"] not in ("queued", "in_progress"):
            return response
        time.sleep(0.02)
    raise AssertionError(f"still {response['status']}")
