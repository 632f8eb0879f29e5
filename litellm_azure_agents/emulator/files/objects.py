"""Files as the service shows them, and keeping them."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.errors import not_found
from ..core.ids import new_id, now
from ..core.store import Doc, Store

_IMAGES = ("png", "jpg", "jpeg", "gif", "webp")


def keep_file(store: Store, filename: str, data: bytes, purpose: str) -> Doc:
    """Store a file; returns its object."""
    doc: Doc = {
        "id": new_id("assistant-"),
        "object": "file",
        "bytes": len(data),
        "created_at": now(),
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    with store.transaction():
        store.put_blob(doc["id"], data)
        store.put("file", doc)
    return doc


def check_files(ids: Iterable[str], store: Store) -> None:
    """Raise the 404 for the first id that names no file."""
    for id in ids:
        if store.get("file", id) is None:
            raise not_found("file", id)


def is_image(filename: str) -> bool:
    """Whether code interpreter shows such a file as an image instead of linking it."""
    return filename.lower().rpartition(".")[2] in _IMAGES
