"""What the README says is true: its tables, its snippets, its commands."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest
import yaml

from litellm_azure_agents.emulator import Emulator
from tests.support.readme_table import README, filled

TEXT = README.read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def test_the_table_of_options_is_that_of_the_code() -> None:
    assert filled(TEXT) == TEXT, "run `python -m tests.support.readme_table`"


def test_snippets_run(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, but for the address and the ids of agents."""
    assert len(PYTHON) >= 2
    monkeypatch.setenv("AZURE_AI_API_KEY", emulator.token)
    monkeypatch.setenv("AZURE_AI_API_BASE", emulator.endpoint)
    shared: dict[str, Any] = {}
    for snippet in PYTHON:
        code = re.sub(r'\n    api_base="[^"]*",', "", textwrap.dedent(snippet))
        code = code.replace("agents/asst_…", "agents/asst_weather").replace("…", "x")
        exec(compile(code, "README.md", "exec"), shared)
        if "response" in shared:
            assert shared["response"].choices[0].finish_reason in ("stop", "tool_calls")


def test_the_proxy_configuration_is_one() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
    config = yaml.safe_load(text)
    (entry,) = config["litellm_settings"]["custom_provider_map"]
    assert entry["custom_handler"] == "litellm_azure_agents.proxy.handler"


def test_ci_runs_the_command_of_the_readme() -> None:
    """In its parts, to print the time of each."""
    command = next(line for line in TEXT.splitlines() if "-m tests" in line)
    script = (README.parent / ".ci" / "run").read_text().splitlines()
    parts = [line for line in script if line.startswith(("python3 ", ".venv/"))]
    assert " && ".join(parts) == command


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)\)", TEXT):
        assert (README.parent / target).exists(), target
