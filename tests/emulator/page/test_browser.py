"""The page in a real headless Chromium: what is shown, live updates, keyboard, safety."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from ..browser import Browser
from ..wire import Wire
from .browsing import needs_chromium, new, open_row

pytestmark = needs_chromium


XSS = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


SCRIPT_LINK = "javascript:window.hacked=1"


TEXT = "The harbour opens at nine.\n\nBoats need a permit from the harbour office."


def guide(wire: Wire) -> str:
    """An agent that answers from a file."""
    upload = {"file": ("harbour.txt", TEXT.encode())}
    file = wire.http.post("/files", files=upload, data={"purpose": "assistants"}).json()
    store = wire.post("/vector_stores", {"name": "s", "file_ids": [file["id"]]})["id"]
    until = time.monotonic() + 5
    while wire.get(f"/vector_stores/{store}")["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.02)
    resources = {"file_search": {"vector_store_ids": [store]}}
    agent = {"model": "m", "tools": [{"type": "file_search"}], "tool_resources": resources}
    return str(wire.post("/assistants", agent)["id"])


def test_the_token_leaves_the_address_at_once(browser: Browser, emulator: Emulator) -> None:
    assert "token" not in browser.js("return location.href")
    assert browser.js("return sessionStorage.getItem('emulator-token')") == emulator.token
    assert browser.js("return localStorage.length") == 0


def test_the_page_asks_for_the_token_once(window: Browser) -> None:
    with Emulator(token="secret") as emulator:
        window.go(emulator.url)
        window.wait("return document.querySelector('#ask').open")
        window.keys("wrong", "Enter")
        window.see("That token is not accepted", "#ask")
        window.keys("secret", "Enter")
        window.see("No threads yet")
        window.see("live", "#live")
        window.js("location.reload()")
        window.see("live", "#live")
        assert not window.js("return document.querySelector('#ask').open")
        assert all("secret" not in r.path + r.query for r in emulator.requests)
    window.console()


def test_new_objects_appear_without_reloading(browser: Browser, wire: Wire) -> None:
    browser.see("No threads yet", "#list")
    wire.ask("asst_echo", "Hello from a client")
    browser.see("Hello from a client", "#list")
    browser.see("Threads\n1", "nav")


def test_text_of_agents_is_never_markup(browser: Browser, wire: Wire, emulator: Emulator) -> None:
    evil = wire.post("/assistants", {"model": XSS, "name": XSS, "instructions": XSS})
    wire.ask(evil["id"], XSS)
    wire.ask("asst_fail", f"fail with {XSS}: {XSS}")
    wire.refused("/threads", {XSS: XSS})
    item = {"type": "oauth_consent_request", "server_label": XSS, "consent_link": SCRIPT_LINK}
    script = json.dumps([{"item": item}])
    definition = {"kind": "prompt", "model": "m"}
    version = {"definition": definition, "metadata": {"emulator_script": script}}
    url = f"{emulator.endpoint}/agents/evil/versions"
    made = httpx.post(url, json=version, params={"api-version": "v1"},
                      headers={"Authorization": "Bearer x"})  # fmt: skip
    assert made.status_code == 200, made.text
    reference = {"type": "agent_reference", "name": "evil"}
    new(emulator, "/responses", {"agent_reference": reference, "input": XSS})
    for section, text in (("threads", "<img"), ("runs", "<img"), ("runs", "evil"),
                          ("agents", "<img"), ("requests", "Unknown")):  # fmt: skip
        open_row(browser, section, text)
        browser.wait("return document.querySelector('#detail .tab-body')?.innerText.length > 5")
        tabs = "return [...document.querySelectorAll('[role=tab]')].map(t => t.textContent)"
        for tab in browser.js(tabs):
            browser.click("[role=tab]", tab)
        browser.click("[role=tab]")
        if text == "<img" and section == "threads":
            browser.see(XSS, "#detail")
        if text == "evil":
            browser.see(SCRIPT_LINK, "#detail")
    assert browser.js("return window.hacked") is None
    assert browser.js("return document.querySelectorAll('main script, main [onerror]').length") == 0
    assert browser.js("return document.querySelectorAll('a[href^=javascript]').length") == 0


def test_citations_lead_to_file_and_quote(browser: Browser, wire: Wire) -> None:
    wire.ask(guide(wire), "When does the harbour open?")
    open_row(browser, "threads", "harbour")
    browser.see("harbour.txt", "#detail .sources")
    browser.see("The harbour opens at nine.", "#detail .sources q")
    assert "【" not in browser.js("return document.querySelector('#detail .assistant').innerText")
    browser.click(".cite", "1")
    assert browser.js("return document.querySelector('.sources li').className") == "here"


@pytest.mark.parametrize("agent", ["asst_bing", "web"])
def test_url_citations_are_links(
    browser: Browser, wire: Wire, emulator: Emulator, agent: str
) -> None:
    if agent == "web":
        body = {"agent_reference": {"type": "agent_reference", "name": agent}, "input": "Tides?"}
        new(emulator, "/responses", body)
    else:
        wire.ask(agent, "Tides?")
    open_row(browser, "runs", agent)
    browser.see("1", "#detail .cite")
    link = browser.js(
        "const a = document.querySelector('.sources a'); return [a.href, a.rel, a.target]"
    )
    assert link[0].startswith("https://")
    assert link[1:] == ["noopener noreferrer", "_blank"]


@pytest.mark.parametrize("agent", ["asst_code", "code"])
def test_images_are_shown_inline(
    browser: Browser, wire: Wire, emulator: Emulator, agent: str
) -> None:
    if agent == "code":
        body = {"agent_reference": {"type": "agent_reference", "name": agent}, "input": "plot 1, 2"}
        new(emulator, "/responses", body)
    else:
        wire.ask(agent, "plot 1, 2 and make a csv")
    open_row(browser, "runs", agent)
    browser.wait("return [...document.querySelectorAll('#detail .message img')]"
                 ".some(i => i.naturalWidth > 50)")  # fmt: skip
    browser.see("plot", "#detail .call")
    if agent == "asst_code":
        browser.see("values.csv", "#detail .message .chip")


def test_a_run_is_followed_live(browser: Browser, wire: Wire) -> None:
    asked = threading.Thread(target=wire.ask, args=("asst_slow", "one two three four five six"))
    asked.start()
    open_row(browser, "runs", "asst_slow")
    browser.see("You said: one", "#detail")
    assert "six" not in browser.js("return document.querySelector('#detail .timeline').innerText")
    browser.see("in progress", "#detail .head")
    browser.see("six", "#detail .assistant")
    browser.see("completed", "#detail .head")
    asked.join()
    browser.click("[role=tab]", "Events")
    browser.see("thread.run.created", ".events")
    browser.click(".events .row", "thread.message.delta")
    browser.see("thread.message.delta", ".event-data")
    assert browser.js("return document.querySelector('.events [role=option]').ariaSetSize") != "0"


def test_a_waiting_run_can_be_answered_where_it_is_looked_at(browser: Browser, wire: Wire) -> None:
    wire.ask("asst_weather", "weather in Paris")
    browser.see("1", "nav .badge.wait")
    open_row(browser, "runs", "asst_weather")
    browser.click(".answer textarea")
    browser.keys("sunny in Paris")
    browser.click(".answer button", "Submit")
    browser.see("completed", "#detail .head")
    browser.see("sunny in Paris", "#detail .assistant")


def test_agents_with_versions(browser: Browser) -> None:
    open_row(browser, "agents", "2 versions", "remembers")
    browser.see("Say back what the user says.", "#detail")
    browser.click("[role=tab]", "Versions (2)")
    browser.see("v2", "#detail .call")
    browser.click("summary", "v1")
    browser.click("button", "Chat with version 1")
    browser.click(".composer textarea")
    browser.keys("hello", "Enter")
    browser.see("Version 1 heard: hello", ".transcript")


def test_requests_show_bodies_and_errors(browser: Browser, wire: Wire) -> None:
    wire.refused("/threads", {"nonsense": 1})
    wire.post("/threads", {"metadata": {"color": "blue"}})
    browser.js("location.hash = '#/requests'")
    browser.click(".choices button", "Errors")
    browser.wait("return document.querySelectorAll('#list .row').length === 1")
    browser.click("#list .row", "Unknown parameter")
    browser.see('"nonsense": 1', "#detail")
    browser.click("[role=tab]", "Answer")
    browser.see("unknown_parameter", "#detail .tab-body")
    browser.click(".choices button", "All")
    browser.keys("/")
    browser.keys("color blue")
    browser.wait("return document.querySelectorAll('#list .row').length === 1")


def test_thousands_of_requests_stay_light(browser: Browser, emulator: Emulator, wire: Wire) -> None:
    for n in range(1500):
        wire.http.get(f"/threads/thread_{n}")
    browser.js("location.hash = '#/requests'")
    browser.see("thread_1499", "#list")
    assert browser.js("return document.querySelectorAll('#list .row').length") < 60
    script = """
        const rows = document.querySelector('#list .rows');
        rows.scrollTop = rows.scrollHeight;
        return document.querySelector('#list').innerText.includes('/threads/thread_0\\n')"""
    browser.wait(script, timeout=30)
    assert browser.js("return document.querySelectorAll('#list .row').length") < 60
    wire.http.get("/threads/thread_newest")
    browser.wait(
        "document.querySelector('#list .rows').scrollTop = 0;"
        "return document.querySelector('#list').innerText.includes('thread_newest')"
    )
