"""Files in the sessions of hosted agents."""

from __future__ import annotations

import posixpath

from ..core.errors import missing
from ..core.ids import new_id, now
from ..core.store import Doc, Store


def write_file(store: Store, session: str, path: str, data: bytes) -> None:
    """Create or replace a file."""
    known = store.get("session_file", path, session)
    blob = known["_blob"] if known else new_id("sfile_")
    with store.transaction():
        store.put_blob(blob, data)
        doc = {"id": path, "size": len(data), "modified_time": now(), "_blob": blob}
        store.put("session_file", doc, session)


def read_file(store: Store, session: str, path: str) -> bytes:
    """The bytes of a file. Raises the 404."""
    doc = store.get("session_file", path, session)
    if doc is None:
        raise missing("Session file", path)
    return store.blob(doc["_blob"]) or b""


def list_files(store: Store, session: str, folder: str) -> list[Doc]:
    """Files and folders directly in a folder; "" is the session's home."""
    entries: dict[str, Doc] = {}
    for file in store.all("session_file", session):
        relative = posixpath.relpath(file["id"], folder or ".")
        if relative.startswith(".."):
            continue
        name, _, rest = relative.partition("/")
        entries[name] = {
            "name": name,
            "size": 0 if rest else file["size"],
            "is_directory": bool(rest),
            "modified_time": file["modified_time"],
        }
    return list(entries.values())


def delete_files(store: Store, session: str, path: str, *, recursive: bool) -> None:
    """Delete a file, or with `recursive` all files of a folder. Raises the 404."""
    found = [
        file
        for file in store.all("session_file", session)
        if file["id"] == path or (recursive and file["id"].startswith(path + "/"))
    ]
    if not found:
        raise missing("Session file", path)
    with store.transaction():
        _delete(store, session, found)


def delete_session(store: Store, agent: str, session: str) -> None:
    """Delete a session with its files."""
    with store.transaction():
        _delete(store, session, store.all("session_file", session))
        store.delete("session", session, agent)


def _delete(store: Store, session: str, files: list[Doc]) -> None:
    for file in files:
        store.delete_blob(file["_blob"])
        store.delete("session_file", file["id"], session)
