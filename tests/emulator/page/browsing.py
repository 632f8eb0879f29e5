"""What the tests of the page in a browser share."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from ..browser import CHROMIUM, DRIVER, Browser

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="needs Chromium: apt-get install chromium chromium-driver",
)


def new(emulator: Emulator, path: str, body: Any) -> Any:
    url = f"{emulator.endpoint}/openai/v1{path}"
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {emulator.token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def open_row(browser: Browser, section: str, text: str, search: str = "") -> None:
    """Open the entry with this text; `search` finds one that is not in view."""
    browser.js("location.hash = '#/' + arguments[0]", section)
    browser.wait("return document.body.dataset.section === arguments[0]", section)
    if search:
        browser.js("document.activeElement.blur()")
        browser.keys("/", *search)
    browser.click("#list .row", text)
