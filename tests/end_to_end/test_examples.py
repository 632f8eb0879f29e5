"""The examples run as a reader would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from litellm_azure_agents.emulator import Emulator

ROOT = Path(__file__).parents[2]


def chat(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "examples/chat.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_main_job() -> None:
    output = chat()
    for agent in ("── asst_weather", "── weather"):
        part = output.split(agent, 1)[1]
        assert "You said: My name is Ada." in part
        assert "[get_weather" in part
        assert "a light breeze in Paris" in part
        assert "1. My name is Ada." in part
        assert "tokens, $0." in part
    assert "\nthread thread_" in output


@pytest.mark.parametrize("agent", ["asst_weather", "weather:1"])
def test_the_same_script_on_a_project_of_ones_own(emulator: Emulator, agent: str) -> None:
    output = chat(
        AZURE_AI_PROJECT_ENDPOINT=emulator.endpoint,
        AZURE_AI_API_KEY=emulator.token,
        AZURE_AI_AGENT=agent,
    )
    assert "emulator" not in output
    assert "a light breeze in Paris" in output
