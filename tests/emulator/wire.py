"""A raw HTTP client of the emulator, and helpers to read streams."""

from __future__ import annotations

import json
from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator

Event = tuple[str, Any]
PATIENCE = 60.0
"""Seconds to wait for what takes one, on a machine that does ten other things."""


def events_of(text: str) -> list[Event]:
    """The events of a whole SSE body."""
    events: list[Event] = []
    for block in text.split("\n\n"):
        if not block:
            continue
        name, data = block.split("\n", 1)
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        payload = data[6:]
        events.append((name[7:], payload if payload == "[DONE]" else json.loads(payload)))
    return events


class Wire:
    """The project's routes, without any SDK."""

    def __init__(self, emulator: Emulator) -> None:
        self.http = httpx.Client(
            base_url=emulator.endpoint,
            params={"api-version": "v1"},
            headers={"Authorization": f"Bearer {emulator.token}"},
            timeout=PATIENCE,
        )

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        answer = self.http.post(path, json=body, **kwargs)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(path, params={"api-version": "v1", **params})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, body: Any, status: int = 400, **kwargs: Any) -> Any:
        """The `error` of a refused POST."""
        answer = self.http.post(path, json=body, **kwargs)
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error

    def stream(self, path: str, body: Any, **kwargs: Any) -> list[Event]:
        answer = self.http.post(path, json={**body, "stream": True}, **kwargs)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        return events_of(answer.text)

    def ask(self, agent: str, text: str, **run: Any) -> list[Event]:
        """A streamed turn on a new thread."""
        thread = {"messages": [{"role": "user", "content": text}]}
        return self.stream("/threads/runs", {"assistant_id": agent, "thread": thread, **run})


def said(events: list[Event]) -> str:
    """All text in the deltas of a stream."""
    return "".join(
        part["text"]["value"]
        for name, data in events
        if name == "thread.message.delta"
        for part in data["delta"]["content"]
        if part["type"] == "text"
    )


def names(events: list[Event]) -> list[str]:
    """The events' names; repeated deltas once."""
    found: list[str] = []
    for name, _ in events:
        if not (name.endswith(".delta") and found and found[-1] == name):
            found.append(name)
    return found


def last_run(events: list[Event]) -> Any:
    """The newest run object of a stream."""
    return [data for name, data in events if name.startswith("thread.run.") and "step" not in name][
        -1
    ]
