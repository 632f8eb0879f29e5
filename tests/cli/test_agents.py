"""`agents list | show | config`."""

from __future__ import annotations

from pathlib import Path

import yaml

from litellm_azure_agents import proxy_config
from litellm_azure_agents.emulator import Emulator

from .conftest import Run


def test_list_has_both_kinds(run: Run) -> None:
    text = run("agents", "list").out
    assert "asst_weather" in text
    assert "get_weather, get_time" in text
    agents = {agent["id"]: agent for agent in run("agents", "list", "--json").data}
    assert agents["asst_echo"]["kind"] == "classic"
    assert agents["echo"] == {
        "id": "echo", "kind": "new", "name": "echo", "version": "2", "model": "gpt-4o-mini",
        "description": "Repeats what the user says; remembers the conversation.", "tools": [],
        "model_string": "azure_ai/agents/echo",
    }  # fmt: skip
    only = run("agents", "list", "--kind", "new", "--json").data
    assert {agent["kind"] for agent in only} == {"new"}
    assert {agent["id"] for agent in only} == {i for i, a in agents.items() if a["kind"] == "new"}


def test_show(run: Run) -> None:
    text = run("agents", "show", "asst_echo").out
    assert "Say back what the user says." in text
    assert run("agents", "show", "echo:1", "--json").data["version"] == "1"
    assert run("agents", "show", "azure_ai/agents/echo", "--json").data["id"] == "echo"
    missing = run("agents", "show", "asst_absent", "--json", code=1)
    assert missing.out == ""
    assert (missing.error["type"], missing.error["status"]) == ("NotFoundError", 404)
    assert "asst_absent" in run("agents", "show", "asst_absent", code=1).err


def test_config_is_one_that_a_proxy_can_use(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    text = run("agents", "config", "asst_echo", "echo", "--api-base", emulator.endpoint).out
    assert yaml.safe_load(text) == {
        "model_list": [
            {"model_name": "asst_echo", "litellm_params":
                {"model": "azure_ai/agents/asst_echo", "api_base": emulator.endpoint}},
            {"model_name": "echo", "litellm_params":
                {"model": "azure_ai/agents/echo", "api_base": emulator.endpoint}},
        ],
        "litellm_settings": {"custom_provider_map": [
            {"provider": "azure_agents", "custom_handler": "litellm_azure_agents.proxy.handler"}]},
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    assert run("agents", "config", "-o", path, "--json").data["models"] > 20
    names = [model["model_name"] for model in proxy_config.read(path)["model_list"]]
    assert len(set(names)) == len(names)
    assert {finding.status for finding in proxy_config.check(path)} == {"ok"}


def test_names_that_two_agents_share_stay_apart(run: Run, emulator: Emulator) -> None:
    emulator.seed(agents=[{"id": f"asst_{n}", "name": "Contract Helper"} for n in range(3)])
    config = run("agents", "config", "asst_0", "asst_1", "asst_2", "--json").data
    names = [model["model_name"] for model in config["model_list"]]
    assert names == ["contract-helper", "contract-helper-classic", "contract-helper-3"]


def test_the_project_of_a_proxys_entry(anywhere: Run, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    entry = {"model": "azure_ai/agents/asst_echo", "api_base": emulator.endpoint, "api_key": "k"}
    path.write_text(yaml.safe_dump({"model_list": [
        {"model_name": "contracts", "litellm_params": entry}]}))  # fmt: skip
    found = anywhere("agents", "show", "--config", path, "--model", "contracts", "--json").data
    assert found["id"] == "asst_echo"
    # The only agent of the file needs no name.
    assert anywhere("agents", "show", "--config", path, "--json").data["id"] == "asst_echo"


def test_an_emulator_for_one_command(anywhere: Run) -> None:
    found = anywhere("agents", "list", "--emulator", "--json").data
    assert "asst_echo" in {agent["id"] for agent in found}


def test_an_agents_own_endpoint_names_its_project(run: Run, emulator: Emulator) -> None:
    base = f"{emulator.endpoint}/agents/echo/endpoint/protocols/openai"
    assert (
        run("agents", "show", "asst_echo", "--api-base", base, "--json").data["id"] == "asst_echo"
    )
    ran = run("doctor", "echo", "--api-base", base, "--json")
    assert {check["status"] for check in ran.data["checks"]} == {"ok"}
    told = run("chat", "echo", "-m", "hello", "--api-base", base)
    assert told.out == "You said: hello\n"
