"""Files and vector stores on the page."""

from __future__ import annotations

import time
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator

from ..browser import Browser
from ..wire import PATIENCE, Wire
from .browsing import needs_chromium, new, open_row

pytestmark = needs_chromium


TEXT = "The harbour opens at nine. " * 300


def upload(wire: Wire, name: str, data: bytes, purpose: str = "assistants") -> str:
    sent = wire.http.post("/files", files={"file": (name, data)}, data={"purpose": purpose})
    return str(sent.json()["id"])


def store_of(wire: Wire, name: str, *files: str) -> str:
    made = wire.post("/vector_stores", {"name": name, "file_ids": files})
    until = time.monotonic() + PATIENCE
    while wire.get(f"/vector_stores/{made['id']}")["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.02)
    return str(made["id"])


def test_a_file_with_its_text_and_what_is_indexed(browser: Browser, wire: Wire) -> None:
    file = upload(wire, "harbour.txt", TEXT.encode())
    store = store_of(wire, "guides", file)
    open_row(browser, "files", "harbour.txt")
    browser.see("8.1 kB", "#detail .facts")
    browser.see("assistants", "#detail .facts")
    browser.see("The harbour opens at nine.", "#detail .tab-body")
    browser.click("[role=tab]", "Vector stores (1)")
    browser.see("guides", "#detail .tab-body")
    browser.see("completed", "#detail .tab-body")
    browser.click("[role=tab]", "Passages")
    browser.see("3 of " + file, "#detail .tab-body")
    browser.click("#detail .tab-body a", store)
    browser.see("guides", "#detail h1")
    browser.see("harbour.txt", "#detail .tab-body")


def test_a_file_that_could_not_be_indexed_says_why(browser: Browser, wire: Wire) -> None:
    good, bad = upload(wire, "a.txt", b"Text."), upload(wire, "b.exe", b"MZ\0\0\xff")
    store_of(wire, "mixed", good, bad)
    open_row(browser, "files", "mixed")
    browser.see("1 failed", "#list")
    browser.see("2, 1 failed", "#detail .facts")
    browser.see("unsupported_file", "#detail .tab-body .error")
    open_row(browser, "files", "b.exe")
    browser.see("No text and no image", "#detail .tab-body")


@pytest.mark.parametrize("agent", ["asst_code", "code"])
def test_what_agents_make_can_be_opened(
    browser: Browser, wire: Wire, emulator: Emulator, agent: str
) -> None:
    if agent == "code":
        body: Any = {"type": "agent_reference", "name": agent}
        new(emulator, "/responses", {"agent_reference": body, "input": "Plot 1, 2, 3"})
    else:
        wire.ask(agent, "Plot 1, 2, 3")
    upload(wire, "mine.txt", b"mine")
    browser.js("location.hash = '#/files'")
    browser.see("mine.txt", "#list")
    browser.click("#list .choices button", "Made")
    browser.wait("return !document.querySelector('#list').innerText.includes('mine.txt')")
    browser.click("#list .row", ".png")
    browser.wait("return document.querySelector('#detail img')?.naturalWidth > 10")
    browser.click("#list .choices button", "Uploaded")
    browser.wait("return document.querySelectorAll('#list .row').length === 1")
    browser.see("mine.txt", "#list")


def test_keyboard_search_and_deleted_files(browser: Browser, wire: Wire) -> None:
    browser.js("document.activeElement.blur()")
    browser.keys("g", "f")
    browser.see("No files", "#list")
    first, _ = upload(wire, "first.txt", b"1"), upload(wire, "second.txt", b"2")
    browser.see("second.txt", "#list")
    browser.see("Files\n2", "nav")
    browser.keys("/", *"first")
    browser.wait("return document.querySelectorAll('#list .row').length === 1")
    browser.keys("Escape", "j", "Enter")
    browser.see("first.txt", "#detail h1")
    wire.http.delete(f"/files/{first}")
    browser.see("This file can't be shown", "#detail")
    assert "404" in "".join(browser.console())  # it was asked for in vain


def test_over_tls() -> None:
    with Browser(insecure=True) as window, Emulator(tls=True, token="secret") as emulator:
        window.go(emulator.url + "/#token=secret")
        window.see("live", "#live")
        window.js("location.hash = '#/chat/classic/asst_echo'")
        window.wait("return document.activeElement.matches('textarea')")
        window.keys(*"Hello over TLS", "Enter")
        window.see("Hello over TLS", "#detail .assistant")
        window.see("Threads\n1", "nav")
        assert window.console() == []
