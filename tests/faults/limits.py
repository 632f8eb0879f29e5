"""Runs `tests.faults.child`, and counts the work of a call."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litellm_azure_agents

ROOT = Path(__file__).parents[2]
PACKAGE = str(Path(litellm_azure_agents.__file__).parent)
EMULATOR = str(Path(PACKAGE, "emulator"))


def run_child(name: str, endpoint: str, argument: str = "") -> dict[str, Any]:
    """What the child found; AssertionError if it was killed or failed."""
    command = [sys.executable, "-m", "tests.faults.child", name, endpoint, argument]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stderr[-1500:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def steps(function: Callable[[], Any]) -> int:
    """How many function calls the package makes and receives while ``function`` runs."""
    count = 0

    def profile(frame: Any, event: str, _: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            file = frame.f_code.co_filename
            count += file.startswith(PACKAGE) and not file.startswith(EMULATOR)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
