"""What `docs/cli.md` says is true: its examples are commands, and it leaves no command out."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from litellm_azure_agents.cli.app import app
from litellm_azure_agents.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
TEXT = PAGE.read_text()
COMMAND: Any = typer.main.get_command(app)
EXAMPLES = [
    line.partition("  #")[0].removeprefix("litellm-azure-agents ").strip()
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S)
    for line in block.splitlines()
    if line.startswith("litellm-azure-agents ")
]


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def find(words: list[str]) -> tuple[Any, tuple[str, ...], list[str]]:
    """The command that words name, its path, and its arguments."""
    command, path = COMMAND, []
    while words and words[0] in getattr(command, "commands", {}):
        path.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    return command, tuple(path), words


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command(example: str) -> None:
    command, path, arguments = find(shlex.split(example))
    if example == "--install-completion":
        arguments = []
    elif path == ("emulator",):
        from litellm_azure_agents.emulator.__main__ import parse

        parse(arguments)
        return
    else:
        assert not hasattr(command, "commands"), f"{example} names no command"
        command.make_context("litellm-azure-agents", arguments)  # raises for what is wrong


def test_every_command_has_an_example() -> None:
    shown = {find(shlex.split(example))[1] for example in EXAMPLES}
    assert set(commands(COMMAND)) <= shown


def test_the_modules_have_what_the_table_says() -> None:
    rows = re.findall(r"^\| `(litellm_azure_agents\.\w+)` \| (.*) \|$", TEXT, re.M)
    assert len(rows) == 7
    for module, cell in rows:
        names = re.findall(r"`(\w+)`", cell)
        assert names
        for name in names:
            assert name in importlib.import_module(module).__all__


def test_the_snippet_runs(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    monkeypatch.setenv("AZURE_AI_API_KEY", emulator.token)
    address = "https://<account>.services.ai.azure.com/api/projects/<project>"
    assert address in code
    names: dict[str, Any] = {}
    exec(compile(code.replace(address, emulator.endpoint), PAGE.name, "exec"), names)
    assert names["pruned"].deleted == []


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
