"""Asks new agents of the emulator's project in all ways and modes, and compares the answers."""

from __future__ import annotations

import time
from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator
from tests.support.ways import WAYS, Result, Way

WAYS_AND_MODES = [(way, mode) for way in WAYS for mode in ("stream", "poll")]


def add_version(post: Any, name: str, **definition: Any) -> None:
    body = {"definition": {"kind": "prompt", "model": "gpt-4o-mini", **definition}}
    post(f"/agents/{name}/versions?api-version=v1", json=body)


def wait_for_index(emulator: Emulator, store_id: str) -> None:
    url = f"{emulator.endpoint}/openai/v1/vector_stores/{store_id}"
    headers = {"Authorization": f"Bearer {emulator.token}"}
    while httpx.get(url, headers=headers).json()["status"] != "completed":
        time.sleep(0.01)


def ask(at: Any, way: str, agent: str, content: Any, **options: Any) -> Result:
    messages = [{"role": "user", "content": content}]
    return Way(way).ask(model=f"azure_ai/agents/{agent}", messages=messages, **{**at, **options})


def everywhere(at: Any, agent: str, content: Any, **options: Any) -> Result:
    """The answer of all ways and modes, which must be one but for the ids."""
    results = [
        ask(at, way, agent, content, run_mode=mode, **options) for way, mode in WAYS_AND_MODES
    ]
    for (way, mode), result in zip(WAYS_AND_MODES, results, strict=True):
        assert bare(result) == bare(results[0]), (way, mode)
    return results[0]


def bare(result: Result) -> Any:
    fields = {n: v for n, v in result.fields.items() if n in ("files", "image_files", "run_steps")}
    told = [result.text, result.finish_reason, result.annotations, result.images, fields]
    return without_ids(told)


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_ids(inner)
            for name, inner in value.items()
            if not (
                name == "id" or name.endswith("_id") or (name in ("url",) and "cfile_" in inner)
            )
        }
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def asked(emulator: Emulator, end: str) -> list[str]:
    return [r.path for r in emulator.requests if r.path.endswith(end)]


def posted(emulator: Emulator) -> Any:
    """The body of the last response asked for."""
    return [r.body for r in emulator.requests if r.path.endswith("/responses")][-1]
