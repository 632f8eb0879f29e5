"""Vector stores: states of files, batches, settings."""

from __future__ import annotations

import io
import itertools
import zipfile
import zlib

import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.files.extract import text_of

from ..wire import Wire
from .support import settled, upload


def office(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", f"<w:p><w:t>{text}</w:t></w:p>")
    return buffer.getvalue()


def pdf(text: str) -> bytes:
    """A PDF of one page with one line, its stream compressed."""
    stream = zlib.compress(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())
    objects = [
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources <</Font <</F1 5 0 R>>>>>>",
        b"<</Length %d /Filter /FlateDecode>>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(b"%010d 00000 n \n" % len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(places)
    return data + table + b"trailer\n<</Size 6 /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(data)


def test_the_text_of_a_pdf_is_extracted() -> None:
    assert text_of("a.pdf", pdf("The zoo opens at nine.")).strip() == "The zoo opens at nine."


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.txt", b"text", None),
        ("a.md", "größe".encode("utf-16"), None),
        ("a.docx", office("text"), None),
        ("a.pdf", pdf("text"), None),
        ("a.pdf", b"%PDF-1.4 and no pages", "invalid_file"),
        ("a.txt", b"", "invalid_file"),
        ("a.txt", b"\xff\x00\x80", "invalid_file"),
        ("a.docx", b"not a zip", "invalid_file"),
        ("a.exe", b"MZ", "unsupported_file"),
        ("my server_error.txt", b"text", "server_error"),
    ],
    ids=itertools.count(),  # the data of a document has the time in it
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
