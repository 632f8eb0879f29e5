"""An emulator in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from .wire import PATIENCE

COMMAND = [sys.executable, "-m", "litellm_azure_agents.emulator", "--port", "0"]


@contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A running emulator and a client of it; killed hard at the end."""
    running = subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    try:
        line = running.stdout.readline()
        assert line.startswith("READY http://127.0.0.1:"), line
        with httpx.Client(
            base_url=line.split()[1],
            params={"api-version": "v1"},
            headers={"Authorization": "Bearer secret"},
            timeout=PATIENCE,
        ) as client:
            yield running, client
    finally:
        running.kill()
        running.communicate()
