"""Exit codes, errors, the entry point, and the emulator's command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import litellm_azure_agents
from litellm_azure_agents.cli.output import size, when
from litellm_azure_agents.emulator import Emulator

from .conftest import Run

COMMAND = Path(sys.executable).parent / "litellm-azure-agents"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["agents", "list"], "no project"),
        (["agents", "list", "--model", "m"], "give --config"),
        (["agents", "list", "--config", "absent.yaml"], "can't be read"),
        (["agents", "list", "--emulator", "--api-base", "http://x"], "give one of"),
        (["agents", "list", "--emulator", "--kind", "old"], "classic or new"),
        (["agents", "list", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["threads", "list", "--emulator", "--older-than", "soon"], "30d"),
        (["threads", "list", "--emulator", "--tag", "x"], "NAME=VALUE"),
        (["agents", "show", "--emulator"], "name an agent"),
        (["emulator", "--port", "nonsense"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_exit_with_2(anywhere: Run, arguments: list[str], says: str) -> None:
    ran = anywhere(*arguments, code=2)
    assert ran.out == ""
    assert says in " ".join(ran.err.replace("│", " ").split())


def test_an_unknown_model_of_a_configuration(anywhere: Run, tmp_path: Path) -> None:
    entry = {"model": "azure_ai/agents/asst_1", "api_key": "os.environ/ABSENT"}
    config = {"model_list": [{"model_name": n, "litellm_params": entry} for n in ("a", "b")]}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    run = ("agents", "list", "--config", "c.yaml")
    assert "its agents: a, b" in anywhere(*run, "--model", "c", code=2).err
    assert "a, b" in anywhere(*run, code=2).err
    assert "ABSENT is not set" in anywhere(*run, "--model", "a", code=2).err


def test_a_refusal_of_the_service_exits_with_1(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_AI_API_KEY", "secret-of-mine-1234")
    emulator.faults.add(status=401, message="bad token secret-of-mine-1234")
    ran = run("agents", "list", "--json", code=1)
    assert ran.out == ""
    assert ran.error["type"] == "AuthenticationError"
    assert ran.error["status"] == 401
    assert "secret-of-mine" not in ran.err
    assert run("agents", "list", code=1).err.startswith("Error: ")


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, env={**os.environ, **environ}
    )


def test_the_installed_command(emulator: Emulator) -> None:
    assert command("--version").stdout.strip() == litellm_azure_agents.__version__
    assert "doctor" in command("--help").stdout
    listed = command("agents", "list", "--api-base", emulator.endpoint, "--json",
                     AZURE_AI_API_KEY=emulator.token)  # fmt: skip
    assert "asst_echo" in [agent["id"] for agent in json.loads(listed.stdout)]
    assert command("agents", "list").returncode == 2


def test_help_loads_no_litellm() -> None:
    code = (
        "import sys; sys.argv[1:] = ['threads', 'prune', '--help']\n"
        "from litellm_azure_agents.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "--dry-run" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_without_the_extra() -> None:
    code = (
        "import sys; sys.modules['typer'] = None\nfrom litellm_azure_agents.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "litellm-azure-agents needs typer: pip install 'litellm-azure-agents[cli]'\n"
    )


def test_shell_completion() -> None:
    done = command(
        _LITELLM_AZURE_AGENTS_COMPLETE="complete_bash",
        COMP_WORDS="litellm-azure-agents thr",
        COMP_CWORD="1",
    )
    assert done.stdout.split() == ["threads"]


def test_the_emulator_and_its_page(tmp_path: Path) -> None:
    """The browser is a script that notes what it is to open."""
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n')
    browser.chmod(0o700)
    arguments = [COMMAND, "emulator", "--port", "0", "--json", "--open"]
    environ = {**os.environ, "BROWSER": str(browser)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            ready: dict[str, Any] = json.loads(process.stdout.readline())
            assert httpx.get(ready["page"]).status_code == 200
            listed = httpx.get(
                f"{ready['endpoint']}/assistants?api-version=v1",
                headers={"Authorization": "Bearer any"},
            )
            assert listed.status_code == 200
            for _ in range(300):
                if opened.exists() and opened.read_text():
                    break
                time.sleep(0.1)
            assert opened.read_text().strip() == ready["page"]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 B"), (1023, "1023 B"), (2048, "2.0 KiB"), (None, ""), ("x", "")]
)
def test_sizes(number: object, shown: str) -> None:
    assert size(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "1970-01-01 00:00"), (None, ""), (True, ""), (1e300, "")]
)
def test_times(seconds: object, shown: str) -> None:
    assert when(seconds) == shown
