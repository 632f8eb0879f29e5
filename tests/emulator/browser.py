"""A headless Chromium: what the page's tests and screenshots need of Selenium."""

from __future__ import annotations

import shutil
import tempfile
import time
from types import TracebackType
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
KEYS = {"Enter": Keys.ENTER, "Escape": Keys.ESCAPE}
TIMEOUT = 30.0
"""Seconds for what takes one, on a machine that does ten other things."""


class Browser:
    """One window. `insecure`: certificates of unknown authorities are accepted."""

    def __init__(self, width: int = 1280, height: int = 800, *, insecure: bool = False) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = ChromeOptions()
        options.binary_location = str(CHROMIUM)
        options.accept_insecure_certs = insecure
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS, f"--user-data-dir={self._profile.name}"):
            options.add_argument(flag)
        self._driver = Chrome(options, Service(DRIVER))
        self.size(width, height)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._driver.quit()
        self._profile.cleanup()

    # ---- what a user does

    def go(self, url: str) -> None:
        self._driver.get(url)

    def keys(self, *keys: str) -> None:
        """Press keys: names of `KEYS` or text."""
        strokes = [KEYS.get(key, key) for key in keys]
        ActionChains(self._driver, duration=0).send_keys(*strokes).perform()

    def click(self, selector: str, text: str = "") -> None:
        """Click the first visible element of a selector (with this text), once there is one."""
        self.wait(
            "return [...document.querySelectorAll(arguments[0])].find(e =>"
            " e.checkVisibility() && e.textContent.includes(arguments[1]))",
            selector,
            text,
        ).click()

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        """What the system prefers: light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    # ---- what a user sees

    def js(self, script: str, *args: Any) -> Any:
        return self._driver.execute_script(script, *args)  # type: ignore[no-untyped-call]

    def wait(self, script: str, *args: Any, timeout: float = TIMEOUT) -> Any:
        """The script's value once it is true."""
        until = time.monotonic() + timeout
        while not (value := self.js(script, *args)):
            if time.monotonic() > until:
                body = self.js("return document.body.innerText")
                raise AssertionError(f"never true: {script} {args}\n{body}\n{self.console()}")
            time.sleep(0.05)
        return value

    def see(self, text: str, within: str = "body", timeout: float = TIMEOUT) -> None:
        """Wait for visible text."""
        script = (
            "const box = document.querySelector(arguments[1]);"
            "return box !== null && box.innerText.includes(arguments[0])"
        )
        self.wait(script, text, within, timeout=timeout)

    def console(self) -> list[str]:
        """Warnings and errors since the last look, refused loads among them."""
        entries = self._driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [e["message"] for e in entries if e["level"] in ("WARNING", "SEVERE")]

    def shot(self) -> bytes:
        """A PNG of the window."""
        return self._driver.get_screenshot_as_png()
