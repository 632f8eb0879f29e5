"""A client of the page's API."""

from __future__ import annotations

from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator

from ..wire import PATIENCE


class Page:
    def __init__(self, emulator: Emulator) -> None:
        headers = {"Authorization": f"Bearer {emulator.token}"}
        self.http = httpx.Client(base_url=emulator.url, headers=headers, timeout=PATIENCE)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(f"/page/api/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, path: str, **params: Any) -> list[str]:
        return [row["id"] for row in self.get(path, **params)["rows"]]


def new(emulator: Emulator) -> httpx.Client:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    return httpx.Client(
        base_url=emulator.endpoint + "/openai/v1", headers=headers, timeout=PATIENCE
    )


def respond(client: httpx.Client, agent: str, text: str, **body: Any) -> Any:
    reference = {"type": "agent_reference", "name": agent}
    body = {"agent_reference": reference, "input": text, **body}
    answer = client.post("/responses", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()
