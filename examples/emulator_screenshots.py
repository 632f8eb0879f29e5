"""Make the README's pictures of the emulator's page: `python examples/emulator_screenshots.py`.

Needs Chromium and its driver (Debian: `apt-get install chromium chromium-driver`) and a checkout:
the browser is driven by the tests' own client.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from litellm_azure_agents.emulator import Emulator  # noqa: E402
from tests.emulator.browser import Browser  # noqa: E402

SHOTS = Path(__file__).parent / "screenshots"
GUIDE = """The harbour opens at nine and closes at sunset.

Boats longer than ten metres need a permit. The harbour office gives permits on weekdays.
"""
VERSION = {"api-version": "v1"}


class Client:
    """A client of the classic protocol, and of conversations."""

    def __init__(self, emulator: Emulator) -> None:
        headers = {"Authorization": f"Bearer {emulator.token}"}
        self.http = httpx.Client(base_url=emulator.endpoint, headers=headers, timeout=30)

    def post(self, path: str, **kwargs: Any) -> Any:
        params = None if path.startswith("/openai") else VERSION
        answer = self.http.post(path, params=params, **kwargs).raise_for_status()
        return answer.json()

    def ask(self, agent: str, text: str) -> Any:
        thread = {"messages": [{"role": "user", "content": text}]}
        run = self.post("/threads/runs", json={"assistant_id": agent, "thread": thread})
        while run["status"] in ("queued", "in_progress"):
            time.sleep(0.05)
            path = f"/threads/{run['thread_id']}/runs/{run['id']}"
            run = self.http.get(path, params=VERSION).json()
        return run

    def respond(self, agent: str, text: str) -> None:
        conversation = self.post("/openai/v1/conversations", json={})["id"]
        reference = {"type": "agent_reference", "name": agent}
        body = {"agent_reference": reference, "conversation": conversation, "input": text}
        self.post("/openai/v1/responses", json=body)


def harbour_guide(client: Client) -> str:
    """An agent that answers from a file."""
    upload = {"file": ("harbour-guide.md", GUIDE.encode())}
    file = client.post("/files", files=upload, data={"purpose": "assistants"})
    store = client.post("/vector_stores", json={"name": "harbour", "file_ids": [file["id"]]})
    time.sleep(0.3)
    agent = {
        "model": "gpt-4o-mini",
        "name": "Harbour guide",
        "instructions": "Answer from the harbour's files.",
        "tools": [{"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": [store["id"]]}},
    }
    return str(client.post("/assistants", json=agent)["id"])


def main() -> None:
    """Fill an emulator, look at it, keep the pictures."""
    SHOTS.mkdir(exist_ok=True)
    with Emulator() as emulator, Browser(1200, 720) as browser:
        client = Client(emulator)
        guide = harbour_guide(client)
        client.ask("asst_fail", "fail with rate_limit_exceeded: Try again in 20 seconds.")
        client.ask("asst_bing", "Who won the regatta?")
        client.respond("reasoning", "Is the tide coming in?")
        client.ask("asst_weather", "Weather in Paris and Rome")
        client.respond("weather", "What is the weather in Oslo?")
        client.ask("asst_code", "Plot 3, 1, 4, 1, 5, 9 and make a csv")
        client.ask(guide, "Who needs a permit for a boat?")

        def keep(name: str) -> None:
            time.sleep(0.5)
            (SHOTS / f"{name}.png").write_bytes(browser.shot())
            print(f"{name}.png")

        browser.scheme("light")
        browser.go(f"{emulator.url}/#token={emulator.token}")
        browser.click("#list .row", "permit")
        browser.see("harbour-guide.md")
        keep("thread")
        browser.scheme("dark")
        browser.keys("g", "r")
        browser.click("#list .row", "asst_code")
        browser.click("[role=tab]", "Events")
        browser.click(".events .row", "step.in_progress")
        keep("events")
        browser.js("location.hash = '#/chat/classic/asst_weather'")
        browser.wait("return document.querySelector('.chat select').value.includes('weather')")
        browser.click(".composer textarea")
        browser.keys("Weather in Lisbon, please", "Enter")
        browser.see("The agent waits for you")
        keep("chat")


if __name__ == "__main__":
    main()
