"""Runs the command in this process, against the session's emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import litellm
import pytest
from typer.testing import CliRunner

from litellm_azure_agents.cli.app import app
from litellm_azure_agents.emulator import Emulator


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The JSON error on stderr."""
        return json.loads(self.err)["error"]


Run = Callable[..., Ran]


@pytest.fixture
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command with no project in the environment."""
    monkeypatch.setenv("LITELLM_AZURE_AGENTS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, input: str = "", code: int | None = 0) -> Ran:
        done = CliRunner().invoke(app, [str(a) for a in arguments], input=input)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        ran = Ran(done.exit_code, done.stdout, done.stderr)
        assert code is None or ran.code == code, (ran.code, ran.out, ran.err)
        return ran

    return run


@pytest.fixture
def run(anywhere: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command whose project is the emulator."""
    monkeypatch.setenv("AZURE_AI_PROJECT_ENDPOINT", emulator.endpoint)
    monkeypatch.setenv("AZURE_AI_API_KEY", emulator.token)
    return anywhere


@pytest.fixture
def at(emulator: Emulator) -> dict[str, Any]:
    """The arguments by which functions reach the emulator."""
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


@pytest.fixture
def ask(at: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Has an agent answer; returns the ids of the answer."""

    def ask(agent: str, text: str = "hello", **options: Any) -> dict[str, Any]:
        response = litellm.completion(
            model=f"azure_ai/agents/{agent}",
            messages=[{"role": "user", "content": text}],
            **at,
            **options,
        )
        fields: dict[str, Any] = response.choices[0].message.provider_specific_fields
        return fields

    return ask
