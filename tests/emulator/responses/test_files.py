"""Files in answers: includes, containers, unknown files."""

from __future__ import annotations

from .client import Raw


def test_includes_are_for_reading_too(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})["id"]
    response = raw.ask("code", "sum of 1 2", conversation=conversation)
    assert response["output"][0]["outputs"] is None
    include = {"include[]": "code_interpreter_call.outputs"}
    read = raw.get(f"/openai/v1/responses/{response['id']}", **include)
    assert read["output"][0]["outputs"] == [{"type": "logs", "logs": "3\n"}]
    path = f"/openai/v1/conversations/{conversation}/items"
    items = raw.get(path, order="asc")["data"]
    assert items[1]["outputs"] is None
    assert raw.get(path, order="asc", **include)["data"][1]["outputs"]


def test_one_container_for_a_conversation(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})["id"]
    ids = set()
    for text in ("plot 1 2", "plot 3 4"):
        response = raw.ask("code", text, conversation=conversation)
        ids.add(response["output"][0]["container_id"])
    (id,) = ids
    assert len(raw.get(f"/openai/v1/containers/{id}/files")["data"]) == 2
    assert raw.ask("code", "plot 5")["output"][0]["container_id"] not in ids


def test_unknown_files_are_refused(raw: Raw) -> None:
    content = [{"type": "input_file", "file_id": "assistant-none"}]
    error = raw.refused(raw.body("echo", [{"role": "user", "content": content}]))
    assert "assistant-none" in error["message"]
