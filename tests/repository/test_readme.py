"""What the README and the pages of docs/ say is true: tables, snippets, commands, links."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

import litellm_azure_agents
from litellm_azure_agents.emulator import Emulator
from tests.support.options_table import PAGE, filled

ROOT = PAGE.parents[1]
README = ROOT / "README.md"
TEXT = README.read_text()
DOCS = sorted((ROOT / "docs").glob("*.md"))
PYTHON = [
    snippet
    for page in (README, ROOT / "docs" / "tools.md")
    for snippet in re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
]


def test_the_table_of_options_is_that_of_the_code() -> None:
    table = PAGE.read_text()
    assert filled(table) == table, "run `python -m tests.support.options_table`"


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


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        other = (page.parent / target) if target else page
        assert other.exists(), target
        assert not heading or heading in _anchors(other), f"{target}#{heading}"


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_page_is_reached_from_the_readme() -> None:
    assert {page.name for page in DOCS} <= set(re.findall(r"\(docs/([^)#]+)", TEXT))


def test_texts_of_errors_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "errors.md").read_text().split("## What to do", 1)[1]
    quoted = re.findall(r"^\| `([^`]+)`", page, re.M)
    assert len(quoted) > 15
    sources = [f.read_text() for f in (ROOT / "litellm_azure_agents").rglob("*.py")]
    # A long message stands in the code in pieces: a text may run over the end of one.
    joined = "\n".join(re.sub(r'"\s*f?"', "", source) for source in sources)
    for text in quoted:
        assert text in joined, text


def test_whatever_is_public_is_documented() -> None:
    words = TEXT + "".join(page.read_text() for page in DOCS)
    missing = [n for n in litellm_azure_agents.__all__ if n.strip("_") and n not in words]
    assert missing == []
