"""What the page shows of files and vector stores: rows, and details. Reads only; no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.store import Doc, Entry, Store, public
from .data import FILES, PAGE, listed
from .search import found

if TYPE_CHECKING:
    from ..project import Project

BEGINNING = 20_000  # bytes of a text that are shown
PASSAGES = 50


def files(project: Project, before: int | None, words: Sequence[str], which: str) -> Doc:
    """Files and vector stores; `which` is "", uploaded, made (by agents) or stores."""
    kinds = {"uploaded": ["file"], "made": ["file", "container_file"], "stores": ["vector_store"]}

    def look(entry: Entry) -> Doc | None:
        row = _row(project, entry.kind, entry.doc)
        wanted = which not in ("uploaded", "made") or row["made"] == (which == "made")
        return row if wanted and (not words or found(row, words) is not None) else None

    return listed(project.store, kinds.get(which, FILES), before, (), look)


def _row(project: Project, kind: str, doc: Doc) -> Doc:
    if kind == "vector_store":
        shown = project.vectors.shown(doc)
        counts = shown["file_counts"]
        return {
            "id": doc["id"],
            "kind": "store",
            "name": doc["name"] or doc["id"],
            "made": False,
            "status": shown["status"],
            "bytes": shown["usage_bytes"],
            "files": counts["total"],
            "failed": counts["failed"],
            "created_at": doc["created_at"],
        }
    made = kind == "container_file" or doc["purpose"] == "assistants_output"
    return {
        "id": doc["id"],
        "kind": "file",
        "name": _name(doc),
        "made": made,
        "purpose": doc.get("purpose") or "container",
        "bytes": doc["bytes"],
        "created_at": doc["created_at"],
    }


def _name(doc: Doc) -> str:
    return str(doc.get("filename") or doc["path"].rpartition("/")[2])


def file(project: Project, id: str) -> Doc | None:
    """A file that was uploaded or made, with its name."""
    store = project.store
    doc = store.get("file", id)
    if doc is None:
        near = store.newest(["container_file"], containing=[id], limit=1)
        doc = near[0].doc if near and near[0].doc["id"] == id else None
    return {**doc, "filename": _name(doc)} if doc else None


def details(project: Project, id: str) -> Doc | None:
    """A file, how it begins and where it is indexed; or a vector store and its files."""
    store = project.store
    doc = store.get("vector_store", id)
    if doc is not None:
        inside = [_indexed(store, entry) for entry in store.all("vector_store_file", id)]
        shown = project.vectors.shown(doc)
        return {"kind": "store", "doc": shown, "files": inside[-PAGE:], "all": len(inside)}
    doc = file(project, id)
    if doc is None:
        return None
    stores = store.newest(["vector_store_file"], containing=[id], limit=PAGE)
    data = store.blob(id) or b""
    return {
        "kind": "file",
        "doc": doc,
        "stores": [_indexed(store, e.doc) for e in stores if e.doc["id"] == id],
        "beginning": _beginning(data),
    }


def _indexed(store: Store, doc: Doc) -> Doc:
    """A file in a store, with the names of both."""
    of = store.get("vector_store", doc["vector_store_id"]) or {}
    known = store.get("file", doc["id"])
    names = {"filename": known and _name(known), "store_name": of.get("name")}
    return {**public(doc), **names}


def _beginning(data: bytes) -> str | None:
    """How a text begins; None for what is no text."""
    cut = data[:BEGINNING]
    text = cut.decode("utf-8", "ignore" if len(data) > len(cut) else "replace")
    return None if "\0" in text or "\ufffd" in text else text


def passages(project: Project, id: str) -> Doc:
    """The pieces that searches find of a file, or of the files of a vector store."""
    found = project.index.passages(id, PASSAGES)
    return {"passages": [
        {"text": text, "file_id": file, "store_id": store, "number": number}
        for text, file, store, number in found
    ], "most": PASSAGES}  # fmt: skip
