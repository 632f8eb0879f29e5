"""All checks, in order: style, types, and the suite on three releases of LiteLLM.

    python -m tests              needs no more than Python; tests the page if Chromium is there
    python -m tests --browser    first installs Debian's Chromium if it is missing (as root)

The whole suite runs on the LiteLLM that is installed, its heart also on the oldest of the range in
pyproject.toml, which lives in an environment of its own beside this one, and on the newest that is
known to work, should the installed one be older (pip takes an older release where it can't have all
that the newest asks for): that lies in a folder of its own, ahead of the installed one.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from importlib import metadata
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[1]
OLDEST = ROOT / ".venv-oldest"
NEWEST = "1.109.1"
HEART = ["test_parity", "test_wire", "test_chat", "test_tools", "test_registration", "test_proxy",
         "responses"]  # fmt: skip
"""What touches LiteLLM most."""
SEAMS = ["test_registration", "test_chat", "test_proxy", "test_responses_live",
         "test_responses_proxy"]  # fmt: skip
"""What a new release of LiteLLM breaks first."""
NEEDED = ["pytest", "pytest-asyncio", "pytest-xdist", "respx", "httpx-sse", "starlette", "uvicorn",
          "python-multipart", "hypothesis"]  # fmt: skip


PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadfile"]
"""Two processes, whatever the machine has: files share servers, so each stays in one."""


def run(title: str, *command: str | Path, path: Path = ROOT) -> None:
    """Run and show a command from the project's root; a failure ends it all."""
    print(f"\n== {title}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(path)}
    code = subprocess.run(list(map(str, command)), cwd=ROOT, env=environment).returncode
    print(f"== {title}: {'ok' if code == 0 else 'FAILED'}, {time.monotonic() - started:.0f} s")
    if code:
        sys.exit(code)


def files(names: list[str]) -> list[Path]:
    """The test files, or folders, of these names."""
    return [path if (path := Path("tests", name)).is_dir() else path.with_suffix(".py")
            for name in names]  # fmt: skip


def oldest_python() -> Path:
    """The interpreter of the environment with the oldest LiteLLM."""
    wanted = re.search(r'"litellm\[mcp\]>=([\d.]+),', (ROOT / "pyproject.toml").read_text())
    assert wanted is not None
    python = OLDEST / "bin" / "python"
    if not python.exists():
        venv.create(OLDEST, with_pip=True, upgrade_deps=True)
    run(
        f"install LiteLLM {wanted[1]}",
        *(python, "-m", "pip", "install", "-q", "-e", ".", f"litellm[proxy]=={wanted[1]}"),
        *NEEDED,
    )
    return python


def newest_folder() -> Path | None:
    """Where the newest LiteLLM lies; None if the installed one is as new."""
    installed = metadata.version("litellm")
    if Version(installed) >= Version(NEWEST):
        return None
    folder = ROOT / f".litellm-{NEWEST}"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
        run(f"fetch LiteLLM {NEWEST}", *pip, f"litellm=={NEWEST}")
    return folder


def install_browser() -> None:
    """What the emulator's page is tested with; where it can't be had, its tests are skipped."""
    if shutil.which("chromedriver"):
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print("\n== no Chromium: install chromium and chromium-driver to test the page too")
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("update", "install -y --no-install-recommends chromium chromium-driver"):
        print(f"\n== apt-get {command}", flush=True)
        subprocess.run(["apt-get", "-qq", *command.split()], env=quiet, stdout=subprocess.DEVNULL)


def main() -> None:
    """Everything; the last lines of pytest say how many tests passed."""
    arguments = argparse.ArgumentParser(prog="python -m tests")
    arguments.add_argument("--browser", action="store_true", help="install Chromium if missing")
    if arguments.parse_args().browser:
        install_browser()
    python = sys.executable
    run("ruff check", python, "-m", "ruff", "check", ".")
    run("ruff format", python, "-m", "ruff", "format", "--check", ".")
    run("mypy", python, "-m", "mypy")
    run("tests with the oldest LiteLLM", oldest_python(), *PYTEST, *files(HEART))
    newest = newest_folder()
    if newest is not None:
        run(f"tests with LiteLLM {NEWEST}", python, *PYTEST, *files(SEAMS), path=newest)
    run("tests", python, *PYTEST)


if __name__ == "__main__":
    main()
