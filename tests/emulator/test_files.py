"""Files, vector stores, batches, file search, code interpreter and citations on the wire."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator

from .wire import PATIENCE, Wire, last_run, said

INCLUDE = "step_details.tool_calls[*].file_search.results[*].content"
CAFE = "Opening hours.\nThe café opens at nine in the morning. It closes at six.\nNo dogs."
ZOO = "The zoo has elephants and lions. Feeding time for lions is noon."


def upload(wire: Wire, name: str, data: bytes, purpose: str = "assistants") -> Any:
    answer = wire.http.post("/files", data={"purpose": purpose}, files={"file": (name, data)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def settled(wire: Wire, path: str) -> Any:
    until = time.monotonic() + PATIENCE
    while (doc := wire.get(path))["status"] == "in_progress":
        assert time.monotonic() < until
        time.sleep(0.01)
    return doc


def annotations_of(events: list[Any]) -> tuple[list[Any], list[Any]]:
    """Annotations in deltas, and in completed messages."""
    deltas = [
        note
        for name, data in events
        if name == "thread.message.delta"
        for part in data["delta"]["content"]
        for note in part.get("text", {}).get("annotations", [])
    ]
    whole = [
        note
        for name, data in events
        if name == "thread.message.completed"
        for part in data["content"]
        if part["type"] == "text"
        for note in part["text"]["annotations"]
    ]
    return deltas, whole


def test_upload_and_content(wire: Wire) -> None:
    data = bytes(range(256)) * 300
    file = upload(wire, "ünï code.bin", data, "vision")
    assert (file["bytes"], file["purpose"]) == (len(data), "vision")
    assert file["filename"] == "ünï code.bin"
    assert wire.http.get(f"/files/{file['id']}/content").content == data
    other = upload(wire, "b.txt", b"b")
    assert [f["id"] for f in wire.get("/files")["data"]] == [other["id"], file["id"]]
    assert [f["id"] for f in wire.get("/files", purpose="vision")["data"]] == [file["id"]]
    assert wire.http.delete(f"/files/{file['id']}").json() == {
        "id": file["id"],
        "object": "file",
        "deleted": True,
    }
    assert wire.http.get(f"/files/{file['id']}/content").status_code == 404


def test_bad_uploads(wire: Wire) -> None:
    part = {"file": ("a.txt", b"a")}
    for data, files in (
        ({}, part),
        ({"purpose": "assistants_output"}, part),
        ({"purpose": "assistants", "color": "red"}, part),
        ({"purpose": "assistants"}, {"other": ("a.txt", b"a")}),
    ):
        assert wire.http.post("/files", data=data, files=files).status_code == 400
    assert wire.http.post("/files", json={"purpose": "assistants"}).status_code == 400


def office(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", f"<w:p><w:t>{text}</w:t></w:p>")
    return buffer.getvalue()


def pdf(text: str) -> bytes:
    stream = zlib.compress(f"BT ({text}) Tj ET".encode())
    return b"%PDF-1.4\n1 0 obj\n<<>>\nstream\n" + stream + b"\nendstream\nendobj\n%%EOF"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.txt", b"text", None),
        ("a.md", "größe".encode("utf-16"), None),
        ("a.docx", office("text"), None),
        ("a.pdf", pdf("text"), None),
        ("a.txt", b"", "invalid_file"),
        ("a.txt", b"\xff\x00\x80", "invalid_file"),
        ("a.docx", b"not a zip", "invalid_file"),
        ("a.exe", b"MZ", "unsupported_file"),
        ("my server_error.txt", b"text", "server_error"),
    ],
)
def test_file_states(wire: Wire, name: str, data: bytes, code: str | None) -> None:
    file = upload(wire, name, data)
    store = wire.post("/vector_stores", {"name": "s", "file_ids": [file["id"]]})
    assert store["status"] == "in_progress"
    assert store["file_counts"]["in_progress"] == 1
    path = f"/vector_stores/{store['id']}/files/{file['id']}"
    doc = settled(wire, path)
    assert doc["status"] == ("failed" if code else "completed")
    assert (doc["last_error"] or {}).get("code") == code
    counts = wire.get(f"/vector_stores/{store['id']}")["file_counts"]
    assert (counts["completed"], counts["failed"], counts["total"]) == (
        0 if code else 1,
        1 if code else 0,
        1,
    )


def test_batch_with_a_failed_file_is_completed(wire: Wire) -> None:
    ids = [upload(wire, n, b"some text")["id"] for n in ("a.txt", "b.exe", "c.md")]
    store = wire.post("/vector_stores")["id"]
    batch = wire.post(f"/vector_stores/{store}/file_batches", {"file_ids": ids})
    path = f"/vector_stores/{store}/file_batches/{batch['id']}"
    assert batch["status"] == "in_progress"
    assert not [name for name in batch if name.startswith("_")]
    batch = settled(wire, path)
    assert batch["status"] == "completed"
    assert batch["file_counts"] == {
        "in_progress": 0, "completed": 2, "failed": 1, "cancelled": 0, "total": 3,
    }  # fmt: skip
    failed = wire.get(f"{path}/files", filter="failed")["data"]
    assert [f["id"] for f in failed] == [ids[1]]
    assert failed[0]["last_error"]["code"] == "unsupported_file"
    page = wire.get(f"{path}/files", limit=2, order="asc")
    assert [f["id"] for f in page["data"]] == ids[:2]
    assert page["has_more"]


def test_cancel_a_batch() -> None:
    with Emulator(indexing_delay=30) as emulator:
        wire = Wire(emulator)
        ids = [upload(wire, n, b"some text")["id"] for n in ("a.txt", "b.txt")]
        store = wire.post("/vector_stores")["id"]
        batch = wire.post(f"/vector_stores/{store}/file_batches", {"file_ids": ids})
        path = f"/vector_stores/{store}/file_batches/{batch['id']}"
        batch = wire.post(f"{path}/cancel")
        assert (batch["status"], batch["file_counts"]["cancelled"]) == ("cancelled", 2)
        wire.http.close()


def test_vector_store_settings(wire: Wire) -> None:
    expiry = {"anchor": "last_active_at", "days": 2}
    store = wire.post("/vector_stores", {"name": "a", "expires_after": expiry})
    assert store["expires_at"] == store["last_active_at"] + 2 * 86_400
    path = f"/vector_stores/{store['id']}"
    assert wire.post(path, {"name": "b", "metadata": {"k": "v"}})["name"] == "b"
    file = upload(wire, "a.txt", b"text")["id"]
    static = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}
    body = {"file_id": file, "chunking_strategy": {"type": "static", "static": static}}
    assert wire.post(f"{path}/files", body)["chunking_strategy"]["static"] == static
    static["chunk_overlap_tokens"] = 101
    assert wire.refused(f"{path}/files", body)["code"] == "invalid_value"
    wire.refused(f"{path}/files", {"file_id": "assistant-none"}, 404)
    assert wire.http.delete(f"{path}/files/{file}").json()["object"] == "vector_store.file.deleted"
    assert wire.http.delete(path).json()["object"] == "vector_store.deleted"
    wire.refused("/assistants", {"model": "m", "tool_resources": {"file_search": {
        "vector_store_ids": [store["id"]]}}}, 404)  # fmt: skip


def test_file_search_cites_the_right_file(wire: Wire) -> None:
    cafe, zoo = upload(wire, "café.txt", CAFE.encode()), upload(wire, "zoo.txt", ZOO.encode())
    store = wire.post("/vector_stores", {"file_ids": [cafe["id"], zoo["id"]]})
    settled(wire, f"/vector_stores/{store['id']}")
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    events = wire.ask("asst_search", "When does the café open?", tool_resources=resources)
    text = said(events)
    assert text.startswith("The café opens at nine in the morning.")
    deltas, whole = annotations_of(events)
    (note,) = whole
    assert note["type"] == "file_citation"
    assert note["file_citation"]["file_id"] == cafe["id"]
    assert note["file_citation"]["quote"] in CAFE
    assert text[note["start_index"] : note["end_index"]] == note["text"] == "【4:0†café.txt】"
    assert [{"index": 0, **note}] == deltas
    texts = [d["delta"]["content"][0]["text"]["value"] for n, d in events if n.endswith("ge.delta")]
    assert not any(note["text"] in piece for piece in texts)  # the marker is split

    run = last_run(events)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
    bare, full = wire.get(path)["data"][1], wire.get(path, **{"include[]": INCLUDE})["data"][1]
    result = full["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    assert result["content"][0]["text"] == CAFE
    assert 0 < result["score"] <= 1
    assert result["file_name"] == "café.txt"
    assert "content" not in bare["step_details"]["tool_calls"][0]["file_search"]["results"][0]
    answer = wire.http.get(path, params={"include[]": "everything"})
    assert answer.status_code == 400


def test_a_messages_attachment_is_searched_in_its_thread_only(wire: Wire) -> None:
    file = upload(wire, "zoo.txt", ZOO.encode())["id"]
    message = {
        "role": "user",
        "content": "When is feeding time for lions?",
        "attachments": [{"file_id": file, "tools": [{"type": "file_search"}]}],
    }
    body = {"assistant_id": "asst_search", "thread": {"messages": [message]}}
    events = wire.stream("/threads/runs", body)
    assert said(events).startswith("Feeding time for lions is noon.")
    assert events[0][1]["tool_resources"]["file_search"]["vector_store_ids"]
    assert said(wire.ask("asst_search", message["content"])).startswith("I found nothing")
    wire.http.delete(f"/files/{file}")
    again = {"assistant_id": "asst_search", "additional_messages": [{"role": "user",
             "content": "lions?"}]}  # fmt: skip
    thread = events[0][1]["id"]
    assert said(wire.stream(f"/threads/{thread}/runs", again)).startswith("I found nothing")


def test_a_file_taken_out_of_a_store_is_not_found_there(wire: Wire) -> None:
    file = upload(wire, "zoo.txt", ZOO.encode())["id"]
    store = wire.post("/vector_stores", {"file_ids": [file]})["id"]
    settled(wire, f"/vector_stores/{store}")
    resources = {"file_search": {"vector_store_ids": [store]}}
    assert "noon" in said(
        wire.ask("asst_search", "feeding time of lions?", tool_resources=resources)
    )
    wire.http.delete(f"/vector_stores/{store}/files/{file}")
    answer = said(wire.ask("asst_search", "feeding time of lions?", tool_resources=resources))
    assert answer.startswith("I found nothing")
    assert wire.get(f"/files/{file}")["id"] == file


def test_long_files_are_searched_in_chunks(wire: Wire) -> None:
    filler = "Nothing of interest happens here today. " * 400
    data = (filler + "The password of the vault is Kestrel. " + filler).encode()
    file = upload(wire, "long.txt", data)
    store = wire.post("/vector_stores", {"file_ids": [file["id"]]})
    settled(wire, f"/vector_stores/{store['id']}")
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    events = wire.ask("asst_search", "vault password?", tool_resources=resources)
    assert said(events).startswith("The password of the vault is Kestrel.")
    run = last_run(events)
    steps = wire.get(
        f"/threads/{run['thread_id']}/runs/{run['id']}/steps", order="asc", **{"include[]": INCLUDE}
    )["data"]
    results = steps[0]["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert max(len(r["content"][0]["text"]) for r in results) <= 800 * 4


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, pixels = 8, b""
    width = height = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            pixels += body
        at += 12 + length
    assert len(zlib.decompress(pixels)) == height * (1 + 3 * width)
    return width, height


def test_code_interpreter_gives_logs_plot_and_file(wire: Wire) -> None:
    events = wire.ask("asst_code", "Plot 3, 4 and 5 and give me a CSV file")
    typed = [
        d["delta"]["step_details"]["tool_calls"][0] for n, d in events if n.endswith("p.delta")
    ]
    code = "".join(c["code_interpreter"].get("input", "") for c in typed)
    assert code.startswith("values = [3.0, 4.0, 5.0]")
    assert len(typed) > 4
    (step,) = [
        d for n, d in events if n == "thread.run.step.completed" and d["type"] == "tool_calls"
    ]
    call = step["step_details"]["tool_calls"][0]["code_interpreter"]
    assert call["input"] == code
    logs, image = call["outputs"]
    assert logs == {"type": "logs", "logs": "12\n"}
    (message,) = [d for n, d in events if n == "thread.message.completed"]
    assert message["content"][0] == {"type": "image_file", "image_file": image["image"]}
    assert png_size(wire.http.get(f"/files/{image['image']['file_id']}/content").content) == (
        320,
        200,
    )
    _, whole = annotations_of(events)
    (note,) = whole
    assert note["type"] == "file_path"
    text = message["content"][1]["text"]["value"]
    assert text[note["start_index"] : note["end_index"]] == "sandbox:/mnt/data/values.csv"
    made = wire.http.get(f"/files/{note['file_path']['file_id']}/content").text
    assert made == "index,value\n0,3\n1,4\n2,5\n"
    outputs = wire.get("/files", purpose="assistants_output")["data"]
    assert {f["filename"] for f in outputs} == {"plot.png", "values.csv"}
    assert said(wire.ask("asst_code", "Compute the sum of 2 and 40")) == "The sum is 42."


def test_web_citations(wire: Wire) -> None:
    events = wire.ask("asst_bing", "news about 😀 cats")
    deltas, whole = annotations_of(events)
    (note,) = whole
    assert note["url_citation"]["url"].startswith("https://")
    assert said(events)[note["start_index"] : note["end_index"]] == note["text"]
    assert "text" not in deltas[0]
    assert deltas[0]["url_citation"] == note["url_citation"]
    steps = [d for n, d in events if n == "thread.run.step.completed"]
    call = steps[0]["step_details"]["tool_calls"][0]
    assert "requesturl" in call["bing_grounding"]


def test_any_agent_follows_the_same_rules(wire: Wire) -> None:
    file = upload(wire, "zoo.txt", ZOO.encode())["id"]
    store = wire.post("/vector_stores", {"file_ids": [file]})["id"]
    settled(wire, f"/vector_stores/{store}")
    agent = wire.post(
        "/assistants",
        {
            "model": "m",
            "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
            "tool_resources": {"file_search": {"vector_store_ids": [store]}},
        },
    )["id"]
    assert "elephants" in said(wire.ask(agent, "Which animals has the zoo?"))
    assert said(wire.ask(agent, "Calculate the average of 1 and 2")).startswith("The sum is 3")
