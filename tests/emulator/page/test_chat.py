"""The page's chat in a real headless Chromium."""

from __future__ import annotations

import pytest

from litellm_azure_agents.emulator import Emulator

from ..browser import Browser
from ..wire import Wire
from .browsing import needs_chromium, new, open_row

pytestmark = needs_chromium

LONG = "one " + "two three four " * 30  # takes asst_slow longer than any click


def say(browser: Browser, agent: str, text: str) -> None:
    browser.js("location.hash = '#/chat/' + arguments[0]", agent)
    browser.wait("return document.querySelector('.chat select')?.value === arguments[0]", agent)
    browser.click(".composer textarea")
    browser.keys(text, "Enter")


@pytest.mark.parametrize("agent", ["classic/asst_echo", "new/echo"])
def test_chat_remembers(browser: Browser, emulator: Emulator, agent: str) -> None:
    say(browser, agent, "the sea is calm")
    browser.see("You said: the sea is calm", ".transcript")
    browser.wait("return !document.querySelector('.composer .primary').hidden")
    browser.click(".composer textarea")
    browser.keys("What did I say before?", "Enter")
    browser.wait("return document.querySelectorAll('.transcript .assistant').length === 2")
    browser.see("the sea is calm", ".transcript .timeline:last-child .assistant")
    posts = [r.path for r in emulator.requests if r.method == "POST"]
    assert len(posts) == (2 if agent.startswith("classic") else 3)
    browser.keys("g")  # typed: the field has the focus
    assert browser.js("return document.querySelector('.composer textarea').value") == "g"


@pytest.mark.parametrize("agent", ["classic/asst_weather", "new/weather"])
def test_chat_calls_are_answered_in_a_form(browser: Browser, agent: str) -> None:
    say(browser, agent, "weather in Paris and Rome")
    browser.wait("return document.querySelectorAll('.answer textarea').length === 2")
    browser.keys("rainy")  # the first field has the focus
    browser.js("document.querySelectorAll('.answer textarea')[1].focus()")
    browser.keys("windy")
    browser.click(".answer button", "Submit")
    browser.see("rainy", ".transcript .assistant")
    browser.see("windy", ".transcript .assistant")
    assert browser.js("return document.querySelector('.answer')") is None


@pytest.mark.parametrize("agent", ["classic/asst_approval", "new/approval"])
@pytest.mark.parametrize("approve", [True, False])
def test_chat_approvals(browser: Browser, emulator: Emulator, agent: str, approve: bool) -> None:
    say(browser, agent, "search docs for tides")
    browser.see("docs · search_docs", ".answer")
    if not approve:
        browser.click(".answer input[value=no]")
    browser.click(".answer button", "Submit")
    browser.wait("return document.querySelector('.transcript .assistant') !== null")
    sent = str(emulator.requests[-1].body)
    assert f"'approve': {approve}" in sent


def test_chat_can_be_stopped(browser: Browser) -> None:
    say(browser, "classic/asst_slow", LONG)
    browser.see("one", ".transcript .assistant")
    browser.click(".composer button", "Stop")
    browser.see("The run is cancelled", ".below")
    say(browser, "new/slow", LONG)
    browser.see("one", ".transcript .assistant")
    browser.click(".composer button", "Stop")
    browser.see("Stopped", ".below")
    browser.js("location.hash = '#/runs'")
    browser.wait("return document.querySelectorAll('#list .badge.off').length === 2")


def test_chat_shows_errors(browser: Browser, emulator: Emulator) -> None:
    say(browser, "classic/asst_fail", "fail with rate_limit_exceeded: Try again in 7 seconds")
    browser.see("Try again in 7 seconds", ".below .error")
    emulator.faults.add(path_regex="threads/runs", cut_after_events=6, times=1, mode="end")
    say(browser, "classic/asst_echo", "cut me off")
    browser.see("The stream broke off", ".below")
    emulator.faults.add(path_regex="responses", status=429, message="Too fast.", times=1)
    say(browser, "new/echo", "hello")
    browser.see("Too fast.", ".below")
    browser.console()  # Chromium notes the 429


@pytest.mark.parametrize("kind", ["classic", "new"])
def test_a_clients_thread_is_continued(
    browser: Browser, wire: Wire, emulator: Emulator, kind: str
) -> None:
    if kind == "classic":
        wire.ask("asst_weather", "weather in Paris")
    else:
        conversation = new(emulator, "/conversations", {})["id"]
        reference = {"type": "agent_reference", "name": "weather"}
        new(emulator, "/responses", {"agent_reference": reference, "conversation": conversation,
                                     "input": "weather in Paris"})  # fmt: skip
    open_row(browser, "threads", "weather in Paris")
    browser.click("button", "in chat")
    browser.click(".answer textarea")
    browser.keys("sunny", "Enter")
    browser.click(".answer button", "Submit")
    browser.see("sunny", ".transcript .assistant")
