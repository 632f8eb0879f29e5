"""Data sources and inline vector stores."""

from __future__ import annotations

from typing import Any

import pytest

from ..wire import Wire, last_run, said

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
