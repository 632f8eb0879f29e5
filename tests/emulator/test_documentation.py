"""The README's tables against the application: routes, options, agents, switches, differences."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from litellm_azure_agents import emulator as package
from litellm_azure_agents.emulator import Emulator, Strictness
from litellm_azure_agents.emulator.__main__ import LENIENT, parse
from litellm_azure_agents.emulator.app import GROUPS
from litellm_azure_agents.emulator.middleware.faults import Fault, Faults
from litellm_azure_agents.emulator.models import scripts
from litellm_azure_agents.emulator.models.base import Turn
from litellm_azure_agents.emulator.responses.checks import UNCONFIRMED_WITH_AGENT
from litellm_azure_agents.emulator.seeds import SEEDED_CLASSIC, SEEDED_NEW

from .wire import Wire, last_run

TEXT = (Path(package.__file__).parent / "README.md").read_text(encoding="utf-8")
BASES = {
    "P": "/openai/v1",
    "A": "/agents/{agent}/endpoint/protocols/openai",
    "S": "/applications/{application}/protocols/openai",
}
VERSIONS = {"P": {}, "A": {"api-version": "v1"}, "S": {"api-version": "2025-11-15-preview"}}


def tables() -> list[list[list[str]]]:
    """Every table of the README: rows of cells, the head first."""
    found: list[list[list[str]]] = [[]]
    for line in TEXT.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not set(cells[0]) <= set("-: "):
                found[-1].append(cells)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def table(*head: str) -> list[list[str]]:
    """The rows below all heads that read so."""
    rows = [row for found in tables() if found[0] == list(head) for row in found[1:]]
    assert rows, head
    return rows


def documented() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Method, path and query of every route in the tables."""
    for path, methods in table("path", "methods"):
        for method in methods.split():
            yield method, path.strip("`"), {"api-version": "v1"}
    for path, methods, places in table("path", "methods", "at"):
        for method in methods.split():
            for place in places.split():
                yield method, BASES[place] + path.strip("`"), VERSIONS[place]


def test_the_tables_are_the_routes() -> None:
    served = [
        (method, route.path)
        for group in GROUPS
        for route in group()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    ]
    written = [(method, path) for method, path, _ in documented()]
    assert sorted(written) == sorted(served)
    assert len(written) > 100


def test_every_route_answers(wire: Wire) -> None:
    for method, path, query in documented():
        if path == "/emulator/reset":
            continue
        filled = re.sub(r"\{agent\}", "echo", path)
        filled = re.sub(r"\{\w+\}", "missing", filled)
        answer = wire.http.request(method, filled, params={**query, "api-version": ""} | query)
        unknown = answer.status_code == 404 and "Invalid URL" in answer.text
        assert not unknown, (method, path)
        assert answer.status_code not in (405, 500), (method, path, answer.text)


def test_what_is_not_emulated_is_not_there(wire: Wire) -> None:
    for path, _ in table("path", "at the service"):
        filled = re.sub(r"\{\w+\}", "missing", path.strip("`"))
        for method in ("GET", "POST"):
            answer = wire.http.request(method, filled)
            assert answer.status_code == 404, (method, path)
            assert "Invalid URL" in answer.text, (method, path)


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    written = {
        name for cell, _ in table("option", "meaning") for name in re.findall(r"--[\w-]+", cell)
    }
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    known = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", shown)) - {"--help"}
    assert written == known


def test_agents() -> None:
    written = {name for row in table("id", "does") for name in re.findall(r"`(asst_\w+)`", row[0])}
    assert written == {agent["id"] for agent in SEEDED_CLASSIC}
    own = {name for row in table("name", "does") for name in re.findall(r"`(\w+)`", row[0])}
    assert own | {id.removeprefix("asst_") for id in written} == {name for name, _ in SEEDED_NEW}


def test_switches() -> None:
    rows = {row[0].strip("`"): row[2:] for row in table(
        "switch", "what it is about", "default", "`--lenient`")}  # fmt: skip
    assert set(rows) == {field.name for field in dataclasses.fields(Strictness)}
    shown = {frozenset(): "none", frozenset(UNCONFIRMED_WITH_AGENT): "all unconfirmed ones"}
    for name, cells in rows.items():
        for cell, setting in zip(cells, (Strictness(), LENIENT), strict=True):
            value = getattr(setting, name)
            text = shown[value] if isinstance(value, frozenset) else str(value)
            assert cell == text, name


def test_documented_differences(wire: Wire, emulator: Emulator) -> None:
    rows = {row[0]: row[2] for row in table("what", "at the service", "here")}
    assert "every name is the same" in rows["`/api/projects/{project}`"]
    other = emulator.endpoint.rpartition("/")[0] + "/another/assistants/asst_echo"
    assert wire.http.get(other).json()["id"] == "asst_echo"
    assert "words, digits and marks are one each" in rows["tokens counted"]
    assert last_run(wire.ask("asst_echo", "x"))["usage"]["completion_tokens"] == 4  # You said : x
    assert "any" in rows["tokens in `Authorization`"]
    headers = {"authorization": "Bearer whatever"}
    assert wire.http.get("/assistants/asst_echo", headers=headers).status_code == 200


def test_every_fault_is_documented_and_accepted() -> None:
    given = [
        pair.split("=") for row in table("fault", "does") for pair in re.findall(r"`(.*?)`", row[0])
    ]
    names = {name for name, *_ in given}
    fields = {field.name.replace("_", "-") for field in dataclasses.fields(Fault)}
    assert names == fields - {"path", "method"}
    for name, *value in given:
        Faults().add(**{name.replace("-", "_"): value[0] if value else True})


def test_every_action_of_a_script_is_documented_and_played() -> None:
    actions = [
        json.loads(action)
        for row in table("action", "does")
        for action in re.findall(r"`(.*?)`", row[0])
    ]
    known = set(re.findall(r'"(\w+)" in entry\b', inspect.getsource(scripts._play)))
    assert {next(iter(action)) for action in actions} == known - {"logs"}
    turn = Turn(agent_id="asst_x", model="m", instructions="", items=())
    for action in actions:
        list(scripts.play_script([action], turn))
