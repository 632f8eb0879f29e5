"""`doctor`."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_azure_agents.emulator import Emulator

from .conftest import Ran, Run


def checks(ran: Ran) -> dict[str, dict[str, str]]:
    return {check["check"]: check for check in ran.data["checks"]}


def jwt(**claims: Any) -> str:
    """An unsigned token with these claims."""
    parts = ({"alg": "none"}, {"aud": "https://ai.azure.com", **claims})
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("agent", "says"),
    [("asst_echo", "classic agent (threads and runs)"), ("echo", "new agent (Responses protocol)")],
)
def test_all_is_well(run: Run, agent: str, says: str) -> None:
    ran = run("doctor", agent, "--json")
    found = checks(ran)
    assert ran.data["ok"] is True
    assert {check["status"] for check in found.values()} == {"ok"}
    assert [*found] == [
        "LiteLLM", "plugin", "endpoint", "credential", "token", "reachable", "role", "api version",
        "agent", "turn",
    ]  # fmt: skip
    assert says in found["agent"]["message"]
    assert "tokens, $0.0" in found["turn"]["message"]
    assert "ok       turn: stop in" in run("doctor", agent).out
    # It left nothing behind.
    assert run("threads", "list", "--json").data == []
    assert run("responses", "list", "--json").data == []


def test_without_a_turn_or_an_agent(run: Run, emulator: Emulator) -> None:
    assert "turn" not in checks(run("doctor", "asst_echo", "--no-turn", "--json"))
    found = checks(run("doctor", "--json"))
    assert found["agent"]["status"] == "warning"
    assert run("doctor", "--strict", code=1).out.count("warning") == 1


def test_no_project(anywhere: Run) -> None:
    found = checks(anywhere("doctor", "--json", code=1))
    assert [*found] == ["LiteLLM", "plugin", "endpoint"]
    assert "AZURE_AI_PROJECT_ENDPOINT" in found["endpoint"]["message"]
    text = anywhere("doctor", code=1).out
    assert "failed   endpoint" in text
    assert "copy it from the project's overview" in text


def test_nobody_at_home(anywhere: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AI_API_KEY", "key-of-mine")
    address = "http://127.0.0.1:9/api/projects/p"
    ran = anywhere("doctor", "--api-base", address, "--timeout", "2", "--json", code=1)
    assert checks(ran)["reachable"]["status"] == "failed"


def test_an_odd_endpoint_is_a_warning(anywhere: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AI_API_KEY", "key-of-mine")
    ran = anywhere(
        "doctor", "--api-base", "https://x.invalid/projects", "--timeout", "1", "--json", code=1
    )
    assert checks(ran)["endpoint"]["status"] == "warning"


@pytest.mark.parametrize(
    ("claims", "lives", "status", "says"),
    [
        ({}, 7200, "ok", "for https://ai.azure.com, until 20"),
        ({}, 240, "warning", "left"),
        ({}, -60, "failed", "it expired at"),
        ({"aud": "https://management.azure.com"}, 7200, "failed", "the audience is https://man"),
        ({"aud": "18a66f5f-dbdf-4c17-9dd7-1634712a9cbe"}, 7200, "ok", "for 18a66f5f"),
        (None, 0, "ok", "a key or an opaque token"),
    ],
    ids=["good", "ends soon", "expired", "another audience", "an id as audience", "a key"],
)
def test_the_token(
    run: Run, monkeypatch: pytest.MonkeyPatch, claims: Any, lives: int, status: str, says: str
) -> None:
    token = "some-key" if claims is None else jwt(exp=time.time() + lives, **claims)
    monkeypatch.setenv("AZURE_AI_API_KEY", token)
    ran = run("doctor", "--no-turn", "--json", code=None)
    found = checks(ran)["token"]
    assert found["status"] == status
    assert says in found["message"]
    assert token not in ran.out
    assert ran.code == (1 if status == "failed" else 0)


@pytest.mark.parametrize(
    ("status", "says", "advice"),
    [
        (401, "the token is refused", "audience"),
        (403, "no right to read agents", "Azure AI User"),
        (404, "no such project", "project's name"),
    ],
)
def test_the_role(run: Run, emulator: Emulator, status: int, says: str, advice: str) -> None:
    emulator.faults.add(status=status, message="because of policy")
    found = checks(run("doctor", "asst_echo", "--json", code=1))
    assert "turn" not in found
    assert found["role"]["status"] == "failed"
    assert says in found["role"]["message"]
    assert "because of policy" in found["role"]["message"]
    assert advice in found["role"]["advice"]


def test_the_api_version(run: Run) -> None:
    found = checks(run("doctor", "--api-version", "2020-01-01", "--json"))
    assert found["api version"]["status"] == "warning"
    assert "2020-01-01" in found["api version"]["message"]


def test_the_agent(run: Run, emulator: Emulator) -> None:
    for name in ("asst_absent", "absent", "echo:99"):
        found = checks(run("doctor", name, "--json", code=1))
        assert found["agent"]["message"] == f"there is no agent {name!r}"
    found = checks(run("doctor", "not an agent", "--json", code=1))
    assert "does not name an agent" in found["agent"]["message"]


def test_a_turn_that_fails(run: Run, emulator: Emulator) -> None:
    emulator.faults.add(path_regex="/runs$", status=400, message="no quota left")
    found = checks(run("doctor", "asst_echo", "--json", code=1))
    assert found["turn"]["status"] == "failed"
    assert "no quota left" in found["turn"]["message"]


# -- a proxy's configuration -------------------------------------------------------------------


def write(path: Path, *entries: dict[str, Any], **more: Any) -> Path:
    handler = {"provider": "azure_agents", "custom_handler": "litellm_azure_agents.proxy.handler"}
    models = [
        {"model_name": f"m{number}", "litellm_params": {"model": "azure_ai/agents/asst_echo", **e}}
        for number, e in enumerate(entries)
    ]
    config = {
        "model_list": models,
        "litellm_settings": {"custom_provider_map": [handler]},
        **more,
    }
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_good_configuration_and_its_project(
    anywhere: Run, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOUNDRY_KEY", emulator.token)
    entry = {
        "api_base": emulator.endpoint,
        "api_key": "os.environ/FOUNDRY_KEY",
        "citations": "strip",
        "rpm": 60,
    }
    path = write(tmp_path / "config.yaml", entry)
    ran = anywhere("doctor", "--config", path, "--model", "m0", "--json")
    found = checks(ran)
    assert found["provider line"]["status"] == "ok"
    assert found["model m0"]["message"] == "agent asst_echo, with citations"
    assert found["secrets"]["status"] == "ok"
    assert found["turn"]["status"] == "ok"
    assert emulator.token not in ran.out
    # Without a model, the file alone.
    assert "turn" not in checks(anywhere("doctor", "--config", path, "--json"))


@pytest.mark.parametrize(
    ("entry", "more", "check", "status", "says"),
    [
        ({}, {"litellm_settings": {}}, "provider line", "failed", "LiteLLM's own handler"),
        ({"citation": "strip"}, {}, "model m0", "failed", "Did you mean 'citations'?"),
        ({"citations": "nonsense"}, {}, "model m0", "failed", "'citations' can't be used"),
        ({"api_base": "nonsense"}, {}, "model m0", "failed", "not an http(s) URL"),
        ({"api_key": "os.environ/ABSENT"}, {}, "model m0", "warning", "ABSENT is not set"),
        ({"model": "azure_ai/agents/a b"}, {}, "model m0", "failed", "does not name an agent"),
        ({"model": "azure_ai/gpt-5"}, {}, "config", "failed", "no agent in its model_list"),
        ({"litellm_credential_name": "x"}, {}, "model m0", "failed", "no credential 'x'"),
    ],
    ids=["no provider line", "unknown option", "wrong value", "wrong endpoint", "unset variable",
         "no agent's name", "no agent", "unknown credential"],
)  # fmt: skip
def test_a_configuration_with_a_mistake(
    anywhere: Run, tmp_path: Path, entry: Any, more: Any, check: str, status: str, says: str
) -> None:
    path = write(
        tmp_path / "config.yaml", {"api_base": "https://a/api/projects/p", **entry}, **more
    )
    found = checks(anywhere("doctor", "--config", path, "--json", code=None))
    assert found[check]["status"] == status
    assert says in found[check]["message"]


def test_secrets_in_clear_are_named_and_not_shown(anywhere: Run, tmp_path: Path) -> None:
    entry = {"api_base": "https://a/api/projects/p", "api_key": "hunter2-hunter2"}
    path = write(tmp_path / "config.yaml", entry, general_settings={"master_key": "sk-hunter2"})
    ran = anywhere("doctor", "--config", path, "--json")
    messages = [c["message"] for c in ran.data["checks"] if c["check"] == "secrets"]
    assert {message.split()[0] for message in messages} == {
        "model_list[0].litellm_params.api_key", "general_settings.master_key",
    }  # fmt: skip
    assert "hunter2" not in ran.out + ran.err
    anywhere("doctor", "--config", path, "--strict", code=1)


def test_a_file_that_is_no_configuration(anywhere: Run, tmp_path: Path) -> None:
    for text in ("api_key: [hunter2", "just text", "- a\n"):
        (tmp_path / "c.yaml").write_text(text)
        ran = anywhere("doctor", "--config", "c.yaml", "--json", code=1)
        assert checks(ran)["config"]["status"] == "failed"
        assert "hunter2" not in ran.out


def test_included_files_and_credentials(anywhere: Run, emulator: Emulator, tmp_path: Path) -> None:
    write(tmp_path / "models.yaml", {"litellm_credential_name": "foundry"})
    values = {"api_base": emulator.endpoint, "api_key": "some-key"}
    main = {
        "include": ["models.yaml"],
        "credential_list": [{"credential_name": "foundry", "credential_values": values}],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(main))
    found = anywhere("agents", "show", "--config", "config.yaml", "--model", "m0", "--json").data
    assert found["id"] == "asst_echo"
    (tmp_path / "loop.yaml").write_text("include: [loop.yaml]")
    assert "includes itself" in anywhere("agents", "list", "--config", "loop.yaml", code=2).err
