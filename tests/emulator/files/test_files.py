"""Uploading, reading and deleting files."""

from __future__ import annotations

from ..wire import Wire
from .support import upload


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
