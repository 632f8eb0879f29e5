"""Helpers of the tests of files."""

from __future__ import annotations

import time
from typing import Any

from ..wire import PATIENCE, Wire

INCLUDE = "step_details.tool_calls[*].file_search.results[*].content"


CAFE = "Opening hours.\nThe café opens at nine in the morning. It closes at six.\nNo dogs."


ZOO = "The zoo has elephants and lions. Feeding time for lions is noon."


def upload(wire: Wire, name: str, data: bytes, purpose: str = "assistants") -> Any:
    answer = wire.http.post("/files", data={"purpose": purpose}, files={"file": (name, data)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def settled(wire: Wire, path: str) -> Any:
    until = time.monotonic() + PATIENCE
    while (doc := wire.get(path))["status"] == "in_progress":
        assert time.monotonic() < until
        time.sleep(0.01)
    return doc


def annotations_of(events: list[Any]) -> tuple[list[Any], list[Any]]:
    """Annotations in deltas, and in completed messages."""
    deltas = [
        note
        for name, data in events
        if name == "thread.message.delta"
        for part in data["delta"]["content"]
        for note in part.get("text", {}).get("annotations", [])
    ]
    whole = [
        note
        for name, data in events
        if name == "thread.message.completed"
        for part in data["content"]
        if part["type"] == "text"
        for note in part["text"]["annotations"]
    ]
    return deltas, whole
