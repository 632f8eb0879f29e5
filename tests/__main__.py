"""All checks: style, types, and the suite on three releases of LiteLLM.

    python -m tests              needs no more than Python; tests the page if Chromium is there
    python -m tests --browser    first installs Debian's Chromium if it is missing (as root)
    python -m tests --torture    only the faults and the security tests, at length: an hour or more
    python -m tests --refresh    writes tests/constraints from the newest releases, and runs nothing

The whole suite runs on the LiteLLM that is installed. What touches LiteLLM most runs again on the
oldest release of the range and on the newest there is, see ``environments.py``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import environments

ROOT = environments.ROOT
HEART = ["test_parity", "test_wire", "test_chat", "test_tools", "test_registration", "test_proxy",
         "responses"]  # fmt: skip
"""What touches LiteLLM most."""
SEAMS = ["test_registration", "test_chat", "test_proxy", "test_responses_live",
         "test_responses_proxy"]  # fmt: skip
"""What a new release of LiteLLM breaks first: registration, proxy, Router, fallbacks, cooldowns."""
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadfile", "--durations", "25"]
"""Two processes, whatever the machine has: files share servers, so each stays in one."""


class Step:
    """A command that is shown with its title, its time and whether it succeeded."""

    def __init__(self, title: str, *command: str | Path, background: bool = False) -> None:
        self.title = title
        self._started = time.monotonic()
        self._output = tempfile.TemporaryFile() if background else None  # noqa: SIM115
        if not background:
            print(f"\n== {title}", flush=True)
        self._process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, stdout=self._output, stderr=self._output
        )

    def end(self) -> None:
        """Wait for the command; a failure ends the run."""
        code = self._process.wait()
        if self._output is not None:
            print(f"\n== {self.title}", flush=True)
            self._output.seek(0)
            sys.stdout.buffer.write(self._output.read())
        took = time.monotonic() - self._started
        print(f"== {self.title}: {'ok' if code == 0 else 'FAILED'}, {took:.0f} s", flush=True)
        if code:
            sys.exit(code)


def create(name: str) -> Path:
    """The interpreter of an environment beside this one, see ``environments.py``."""
    print(f"\n== install the {name} LiteLLM", flush=True)
    started = time.monotonic()
    python = environments.create(name)
    print(f"== install the {name} LiteLLM: ok, {time.monotonic() - started:.0f} s", flush=True)
    return python


def files(names: list[str]) -> list[Path]:
    """The test files, or folders, of these names."""
    return [path if (path := Path("tests", name)).is_dir() else path.with_suffix(".py")
            for name in names]  # fmt: skip


def install_browser() -> None:
    """What the emulator's page is tested with; where it can't be had, its tests are skipped."""
    if shutil.which("chromedriver"):
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print("\n== no Chromium: install chromium and chromium-driver to test the page too")
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    started = time.monotonic()
    for command in ("update", "install -y --no-install-recommends chromium chromium-driver"):
        print(f"\n== apt-get {command}", flush=True)
        subprocess.run(["apt-get", "-qq", *command.split()], env=quiet, stdout=subprocess.DEVNULL)
    print(f"== Chromium: {time.monotonic() - started:.0f} s", flush=True)


def main() -> None:
    """Everything; the last lines of pytest say how many tests passed."""
    parser = argparse.ArgumentParser(prog="python -m tests")
    parser.add_argument("--browser", action="store_true", help="install Chromium if missing")
    parser.add_argument("--refresh", action="store_true", help="pin the newest releases")
    parser.add_argument("--torture", action="store_true", help="the long run under faults")
    arguments = parser.parse_args()
    if arguments.torture:
        os.environ["TESTS_TORTURE"] = "1"
        Step("torture", sys.executable, *PYTEST, "tests/faults", "tests/security").end()
        return
    if arguments.refresh:
        environments.refresh()
        return
    if arguments.browser:
        install_browser()
    python = sys.executable
    oldest, newest = create("oldest"), create("newest")
    Step("ruff check", python, "-m", "ruff", "check", ".").end()
    Step("ruff format", python, "-m", "ruff", "format", "--check", ".").end()
    types = Step("mypy", python, "-m", "mypy", background=True)
    Step("tests with the oldest LiteLLM", oldest, *PYTEST, *files(HEART)).end()
    types.end()
    Step("tests with the newest LiteLLM", newest, *PYTEST, *files(SEAMS)).end()
    Step("tests", python, *PYTEST).end()


if __name__ == "__main__":
    main()
