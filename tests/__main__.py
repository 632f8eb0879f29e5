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
import threading
import time
from pathlib import Path

from tests import environments

ROOT = environments.ROOT
HEART = [
    "host",
    "end_to_end/test_chat.py", "end_to_end/test_parity.py", "end_to_end/test_proxy_threads.py",
    "end_to_end/test_tools.py",
]  # fmt: skip
"""What touches LiteLLM most."""
SEAMS = [
    "host/test_registration.py", "end_to_end/test_chat.py", "end_to_end/test_hosted_agent.py",
    "end_to_end/test_proxy_threads.py", "end_to_end/test_proxy_responses.py",
]  # fmt: skip
"""What a new release of LiteLLM breaks first: registration, proxy, Router, fallbacks, cooldowns."""
FAULTS = ["faults"]
"""The tests under network faults: a sample of every kind, see ``faults/size.py``; `--torture` runs
all of them, and longer. The security tests are part of the suite."""
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadgroup", "--durations", "25"]
"""Two workers, whatever the machine has. What starts a server is a group and stays in one worker,
see ``conftest.py``; every other test goes to the worker that is free."""


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
        self._took = 0.0
        self._waiting = threading.Thread(target=self._wait, daemon=True)
        self._waiting.start()

    def _wait(self) -> None:
        self._process.wait()
        self._took = time.monotonic() - self._started

    def end(self) -> bool:
        """Wait for the command, and tell whether it succeeded."""
        self._waiting.join()
        code = self._process.returncode
        if self._output is not None:
            print(f"\n== {self.title}", flush=True)
            self._output.seek(0)
            sys.stdout.buffer.write(self._output.read())
        how = "ok" if code == 0 else "FAILED"
        print(f"== {self.title}: {how}, {self._took:.0f} s", flush=True)
        return code == 0


def create(name: str) -> Path:
    """The interpreter of an environment beside this one, see ``environments.py``."""
    print(f"\n== install the {name} LiteLLM", flush=True)
    started = time.monotonic()
    python = environments.create(name)
    print(f"== install the {name} LiteLLM: ok, {time.monotonic() - started:.0f} s", flush=True)
    return python


def under_tests(names: list[str]) -> list[Path]:
    """Paths of files and folders below ``tests``."""
    return [Path("tests", name) for name in names]


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
    """Everything, also after a failure; the last lines of pytest say how many tests passed."""
    parser = argparse.ArgumentParser(prog="python -m tests")
    parser.add_argument("--browser", action="store_true", help="install Chromium if missing")
    parser.add_argument("--refresh", action="store_true", help="pin the newest releases")
    parser.add_argument("--torture", action="store_true", help="the long run under faults")
    arguments = parser.parse_args()
    if arguments.torture:
        os.environ["TESTS_TORTURE"] = "1"
        torture = Step("torture", sys.executable, *PYTEST, "tests/faults", "tests/security")
        sys.exit(0 if torture.end() else 1)
    if arguments.refresh:
        environments.refresh()
        return
    if arguments.browser:
        install_browser()
    python = sys.executable
    oldest, newest = create("oldest"), create("newest")
    beside = [
        Step("ruff check", python, "-m", "ruff", "check", ".", background=True),
        Step("ruff format", python, "-m", "ruff", "format", "--check", ".", background=True),
        Step("mypy", python, "-m", "mypy", background=True),
    ]
    passed = [Step("tests with the oldest LiteLLM", oldest, *PYTEST, *under_tests(HEART)).end()]
    passed += [step.end() for step in beside]
    passed += [
        Step("tests with the newest LiteLLM", newest, *PYTEST, *under_tests(SEAMS)).end(),
        Step("tests under network faults", python, *PYTEST, *under_tests(FAULTS)).end(),
        Step("tests", python, *PYTEST, "--ignore", "tests/faults").end(),
    ]
    if not all(passed):
        sys.exit("== some steps FAILED, see above")


if __name__ == "__main__":
    main()
