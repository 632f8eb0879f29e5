"""Calls of a new agent of the emulator's project, and what the project was sent."""

from __future__ import annotations

from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator
from tests.support.ways import Result, Way


def arguments_of(emulator: Emulator, agent: str, messages: Any, more: dict[str, Any]) -> Any:
    if isinstance(messages, str):
        messages = [user(messages)]
    return {
        "model": f"azure_ai/agents/{agent}",
        "api_base": emulator.endpoint,
        "api_key": emulator.token,
        "messages": messages,
        **more,
    }


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def sent(emulator: Emulator, method: str = "POST") -> list[Any]:
    return [r for r in emulator.requests if r.method == method]


def add_version(emulator: Emulator, name: str, **definition: Any) -> None:
    httpx.post(
        f"{emulator.endpoint}/agents/{name}/versions?api-version=v1",
        json={"definition": {"kind": "prompt", "model": "gpt-4o-mini", **definition}},
        headers={"Authorization": f"Bearer {emulator.token}"},
    ).raise_for_status()


def asking(way: Way, emulator: Emulator) -> Any:
    """A function that asks an agent of the project in one way."""

    def ask(agent: str, messages: Any, **arguments: Any) -> Result:
        return way.ask(**arguments_of(emulator, agent, messages, arguments))

    return ask
