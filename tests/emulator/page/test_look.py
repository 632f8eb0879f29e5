"""How the page looks: themes, contrast, narrow windows, keyboard."""

from __future__ import annotations

import pytest

from ..browser import Browser
from ..wire import Wire
from .browsing import needs_chromium, open_row

pytestmark = needs_chromium


def test_keyboard(browser: Browser, wire: Wire) -> None:
    for text in ("first", "second", "third"):
        wire.ask("asst_echo", text)
    browser.see("first", "#list")
    for keys, section in (("gr", "runs"), ("ga", "agents"), ("gq", "requests"), ("gt", "threads")):
        browser.keys(*keys)
        browser.wait("return document.body.dataset.section === arguments[0]", section)
    browser.see("first", "#list")
    browser.keys("j", "j", "j", "k")
    assert "second" in browser.js("return document.querySelector('[aria-selected=true]').innerText")
    browser.keys("Enter")
    browser.see("You said: second", "#detail")
    browser.keys("/")
    browser.keys("third")
    browser.wait("return document.querySelectorAll('#list .row').length === 1")
    browser.keys("Escape")
    assert browser.js("return document.activeElement.type") != "search"
    browser.keys("Escape")
    browser.see("Nothing is open", "#detail")
    browser.keys("?")
    browser.see("search the list", "#help")
    browser.keys("Escape")
    browser.keys("g", "c")
    browser.wait("return document.activeElement.matches('.composer textarea')")


def test_dark_and_light(browser: Browser) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    browser.scheme("light")
    light = browser.js(background)
    browser.scheme("dark")
    dark = browser.js(background)
    assert light != dark
    browser.click("#theme")
    assert browser.js(background) == light
    browser.js("location.reload()")
    browser.see("live", "#live")
    assert browser.js(background) == light
    browser.scheme("light")
    browser.js("localStorage.clear()")


CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => v / 255)
    .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * x + .7152 * y + .0722 * z;
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const color = rgb(getComputedStyle(e).backgroundColor);
    if (color.length === 3) return color;
  }
};
const poor = new Set();
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const e = texts.currentNode.parentElement;
  const text = texts.currentNode.data.trim();
  if (!text || !e.checkVisibility() || e.closest("script, noscript")) continue;
  const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) poor.add(`${e.className || e.tagName} ${ratio.toFixed(2)}: ${text}`);
}
return [...poor];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_names(browser: Browser, wire: Wire, scheme: str) -> None:
    browser.scheme(scheme)
    wire.ask("asst_weather", "weather in Paris")
    wire.ask("asst_fail", "fail with server_error: broke")
    wire.ask("asst_bing", "Tides?")
    wire.refused("/threads", {"nonsense": 1})
    for section, text in (("runs", "asst_weather"), ("runs", "asst_fail"), ("threads", "Tides"),
                          ("agents", "asst_code"), ("requests", "400")):  # fmt: skip
        open_row(browser, section, text, "asst_code" if section == "agents" else "")
        browser.wait("return document.querySelector('#detail .tab-body')?.innerText.length > 5")
        assert browser.js(CONTRAST) == [], section
        nameless = """return [...document.querySelectorAll('button, input, textarea, select, a')]
            .filter(e => e.checkVisibility() && !e.ariaLabel && !e.innerText.trim()
                && !e.labels?.length).map(e => e.outerHTML)"""
        assert browser.js(nameless) == []
    browser.scheme("light")


def test_a_narrow_window_shows_one_thing_at_a_time(browser: Browser, wire: Wire) -> None:
    wire.ask("asst_echo", "narrow")
    browser.size(400, 700)
    assert browser.js("return document.documentElement.scrollWidth") <= 400
    browser.click("#list .row", "narrow")
    browser.see("You said: narrow", "#detail")
    assert not browser.js("return document.querySelector('#list').checkVisibility()")
    browser.click(".back")
    browser.wait("return document.querySelector('#list').checkVisibility()")
