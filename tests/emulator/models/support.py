"""An emulator whose model is a server that plays recorded chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator

from ..chat_server import Answer, ChatServer, chat_server
from ..wire import PATIENCE, Wire

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@contextmanager
def model(*answers: Answer, **options: Any) -> Iterator[tuple[ChatServer, Wire, Emulator]]:
    """An emulator with a model behind it that gives these answers."""
    with chat_server(*answers) as server:
        calling = {"api_base": server.url, "api_key": "k", "max_retries": 0}
        with Emulator(model="openai/test", model_options=calling, **options) as emulator:
            wire = Wire(emulator)
            yield server, wire, emulator
            wire.http.close()


def agent(wire: Wire, **fields: Any) -> str:
    id: str = wire.post("/assistants", {"model": "gpt-4o", **fields})["id"]
    return id


def messages(wire: Wire, run: Any) -> Any:
    return wire.get(f"/threads/{run['thread_id']}/messages", order="asc")["data"]


def new(emulator: Emulator, body: dict[str, Any]) -> Any:
    """A response of a new agent."""
    answer = httpx.post(
        f"{emulator.endpoint}/openai/v1/responses",
        json=body,
        headers={"authorization": f"Bearer {emulator.token}"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_for_store(wire: Wire, store: str) -> None:
    while wire.get(f"/vector_stores/{store}")["status"] == "in_progress":
        pass
