"""Starts and stops what the tests talk to: the agent of `agent.py`, and a LiteLLM proxy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

AGENT = Path(__file__).with_name("hosted_agent.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(
    command: list[str], url: str, *, log: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, from its first good answer at ``url`` until the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environ}
        )
        try:
            deadline = time.monotonic() + 240  # a busy machine
            while True:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-3000:]}")
                try:
                    if httpx.get(url, timeout=2).is_success:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.1)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@contextmanager
def agent(folder: Path) -> Iterator[str]:
    """A hosted agent's container; its base URL."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with running(
        [sys.executable, str(AGENT)],
        f"{base}/readiness",
        log=folder / f"agent-{port}.log",
        # Its conversations must not outlive the test: by default they lie in the user's home.
        environ={"PORT": str(port), "AGENTSERVER_STATE_ROOT": str(folder / "state")},
    ):
        yield base
