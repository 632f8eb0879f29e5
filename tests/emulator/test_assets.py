"""Inline vector stores and data sources; reset over HTTP; the command line's other options."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.__main__ import parse

from .test_process import process
from .wire import Wire, events_of, last_run, said

ASSET = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/"


def inline(uri: str) -> dict[str, Any]:
    sources = {"data_sources": [{"type": "uri_asset", "uri": uri}]}
    return {"file_search": {"vector_stores": [{"name": "mine", "configuration": sources}]}}


def upload(wire: Wire, name: str = "zoo.txt") -> str:
    files = {"file": (name, b"Feeding time for lions is noon.")}
    id: str = wire.http.post("/files", data={"purpose": "assistants"}, files=files).json()["id"]
    return id


def made_store(wire: Wire, resources: dict[str, Any]) -> Any:
    """The store that an inline definition has become, with all files looked at."""
    assert list(resources["file_search"]) == ["vector_store_ids"]
    (id,) = resources["file_search"]["vector_store_ids"]
    while (store := wire.get(f"/vector_stores/{id}"))["status"] == "in_progress":
        pass
    return store


@pytest.mark.parametrize("place", ["agent", "update", "thread", "run"])
def test_an_inline_vector_store_is_made_and_searched(wire: Wire, place: str) -> None:
    upload(wire)
    resources = inline(ASSET + "zoo.txt")
    body: dict[str, Any] = {"model": "m", "tools": [{"type": "file_search"}]}
    if place == "agent":
        body["tool_resources"] = resources
    agent = wire.post("/assistants", body)
    if place == "update":
        agent = wire.post(f"/assistants/{agent['id']}", {"tool_resources": resources})
    thread: dict[str, Any] = {"messages": [{"role": "user", "content": "lions?"}]}
    if place == "thread":
        thread["tool_resources"] = resources
    thread = wire.post("/threads", thread)
    run = {"assistant_id": agent["id"]}
    if place == "run":
        run["tool_resources"] = resources
        found = last_run(wire.stream(f"/threads/{thread['id']}/runs", run))["tool_resources"]
    else:
        found = (thread if place == "thread" else agent)["tool_resources"]
    store = made_store(wire, found)
    assert store["name"] == "mine"
    assert store["file_counts"]["completed"] == 1
    if place != "run":
        events = wire.stream(f"/threads/{thread['id']}/runs", run)
        assert said(events).startswith("Feeding time for lions is noon.")


def test_a_source_that_nobody_uploaded_fails_with_its_name(wire: Wire) -> None:
    agent = wire.post("/assistants", {"model": "m", "tool_resources": inline(ASSET + "gone.txt")})
    store = made_store(wire, agent["tool_resources"])
    assert store["file_counts"]["failed"] == 1
    (file,) = wire.get(f"/vector_stores/{store['id']}/files")["data"]
    assert file["last_error"]["code"] == "invalid_file"
    assert "gone.txt" in file["last_error"]["message"]


def test_attached_data_sources(wire: Wire) -> None:
    source = {"type": "id_asset", "uri": ASSET + upload(wire)}
    attachment = {"data_source": source, "tools": [{"type": "file_search"}]}
    message = {"role": "user", "content": "lions?", "attachments": [attachment]}
    body = {"assistant_id": "asst_search", "thread": {"messages": [message]}}
    assert said(wire.stream("/threads/runs", body)).startswith("Feeding time for lions")


def test_reset_and_seed_by_one_call(emulator: Emulator, wire: Wire) -> None:
    old = wire.post("/assistants", {"model": "m"})["id"]
    bad = {"agents": [{"id": "asst_x", "model": 3}]}
    assert "not reset" in wire.refused("/emulator/reset", bad)["message"]
    wire.refused("/emulator/reset", {"agnets": []})
    wire.refused("/emulator/reset", {"faults": [{"explode": 1}]})
    assert wire.get(f"/assistants/{old}")["id"] == old
    agents = [
        {"id": "asst_mine", "instructions": "Mine."},
        {"name": "fresh", "definition": {"kind": "prompt", "model": "m"}},
    ]
    faults = [{"path_regex": "asst_mine", "times": 1, "status": 503}]
    told = wire.post("/emulator/reset", {"agents": agents, "faults": faults})
    assert (told["agents"], told["faults"]) == (2, 1)
    assert wire.http.get(f"/assistants/{old}").status_code == 404
    assert wire.http.get("/assistants/asst_mine").status_code == 503
    assert wire.get("/assistants/asst_mine")["instructions"] == "Mine."
    assert wire.get("/agents/fresh")["name"] == "fresh"
    unknown = {"authorization": ""}
    assert wire.http.post("/emulator/reset", headers=unknown).status_code == 401
    emulator.reset(agents=agents[:1])
    assert wire.http.get("/agents/fresh").status_code == 404
    assert wire.get("/assistants/asst_mine")["id"] == "asst_mine"


def test_a_model_and_code_from_the_command_line() -> None:
    options = ("--model", "gpt-4o-mini", "--model-option", "mock_response=From a mock.")
    with process(*options, "--code-interpreter", "subprocess") as (running, client):
        thread = {"messages": [{"role": "user", "content": "hi"}]}
        body = {"assistant_id": "asst_echo", "thread": thread, "stream": True}
        text = client.post("/threads/runs", json=body).text
        assert said(events_of(text)) == "From a mock."
        running.terminate()
        assert running.stdout is not None
        assert "answers    by gpt-4o-mini" in running.stdout.read()
        assert running.stderr is not None
        assert "NO sandbox" in running.stderr.read()


def test_command_lines_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["--inject-search"], ["--model", "m", "--model-option", "x"], ["--tls=a", "b"]):
        with pytest.raises(SystemExit):
            parse(line)
    assert "NAME=VALUE" in capsys.readouterr().err
    found = parse(["--model", "m", "--model-option", "a=1", "--model-option", "b=x y"])
    assert found.model_option == [("a", 1), ("b", "x y")]
    assert parse([]).tls is False
    assert parse(["--tls"]).tls is True
    assert parse(["--tls", "d"]).tls == "d"
