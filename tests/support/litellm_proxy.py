"""A real LiteLLM proxy in a process of its own, with the emulator behind it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

KEY = "sk-loopback-tests-9f2c71d0b4"


@contextlib.contextmanager
def running_proxy(folder: Path, config: dict[str, Any], *, workers: int = 1) -> Iterator[str]:
    """The proxy's URL; `config` is its whole configuration but for the master key."""
    settings = {**config.get("general_settings", {}), "master_key": KEY}
    config = {**config, "general_settings": settings}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "proxy.log").open("wb")
    command = [
        str(Path(sys.executable).with_name("litellm")), "--config", str(path),
        "--host", "127.0.0.1", "--port", str(port), "--num_workers", str(workers),
    ]  # fmt: skip
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    # uvicorn ends a worker that isn't ready within 5 s: on a busy machine, every one.
    environment["TIMEOUT_WORKER_HEALTHCHECK"] = "200"
    # This project, behind the release of LiteLLM that the tests may have put there.
    paths = [os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process, folder / "proxy.log")
        yield url
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        log.close()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 600  # a busy machine
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health/liveliness", timeout=2).status_code == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError("the proxy did not start:\n" + log.read_text()[-3000:])
