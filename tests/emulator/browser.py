"""A headless Chromium by WebDriver over plain HTTP: what the page's tests and screenshots need."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any

import httpx

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
KEYS = {"Enter": "\ue007", "Escape": "\ue00c"}
TIMEOUT = 30.0
"""Seconds for what takes one, on a machine that does ten other things."""


class Browser:
    """One window. `insecure`: certificates that nobody vouches for are taken."""

    def __init__(self, width: int = 1280, height: int = 800, *, insecure: bool = False) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        try:
            self._await_driver()
            flags = [
                *FLAGS,
                f"--user-data-dir={self._profile.name}",
                f"--window-size={width},{height}",
                *(["--ignore-certificate-errors"] if insecure else []),
            ]
            capabilities = {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            made = self._call("/session", {"capabilities": {"alwaysMatch": capabilities}})
        except BaseException:
            self._driver.kill()
            raise
        self._session = f"/session/{made['sessionId']}"
        self.size(width, height)

    def _await_driver(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                self._http.get("/status").raise_for_status()
                return
            except httpx.HTTPError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _call(self, path: str, body: Any) -> Any:
        answer = self._http.post(path, json=body).json()["value"]
        if isinstance(answer, dict) and "error" in answer and "stacktrace" in answer:
            raise AssertionError(answer["message"])
        return answer

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.delete(self._session)
        self._driver.terminate()
        self._driver.wait(10)
        self._profile.cleanup()

    # ---- what a user does

    def go(self, url: str) -> None:
        self._call(self._session + "/url", {"url": url})

    def keys(self, *keys: str) -> None:
        """Press keys: names of `KEYS` or text."""
        strokes = []
        for key in keys:
            for char in [KEYS[key]] if key in KEYS else key:
                strokes += [{"type": "keyDown", "value": char}, {"type": "keyUp", "value": char}]
        actions = [{"type": "key", "id": "keyboard", "actions": strokes}]
        self._call(self._session + "/actions", {"actions": actions})

    def click(self, selector: str, text: str = "") -> None:
        """Click the first visible element of a selector (with this text), once there is one."""
        found = self.wait(
            "return [...document.querySelectorAll(arguments[0])].find(e =>"
            " e.checkVisibility() && e.textContent.includes(arguments[1]))",
            selector,
            text,
        )
        element = next(iter(found.values()))
        self._call(f"{self._session}/element/{element}/click", {})

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._cdp("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        """What the system prefers: light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._cdp("Emulation.setEmulatedMedia", {"features": features})

    def _cdp(self, command: str, parameters: Any) -> Any:
        body = {"cmd": command, "params": parameters}
        return self._call(self._session + "/goog/cdp/execute", body)

    # ---- what a user sees

    def js(self, script: str, *args: Any) -> Any:
        return self._call(self._session + "/execute/sync", {"script": script, "args": list(args)})

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
        entries = self._call(self._session + "/se/log", {"type": "browser"})
        return [e["message"] for e in entries if e["level"] in ("WARNING", "SEVERE")]

    def shot(self) -> bytes:
        """A PNG of the window."""
        return base64.b64decode(self._http.get(self._session + "/screenshot").json()["value"])
