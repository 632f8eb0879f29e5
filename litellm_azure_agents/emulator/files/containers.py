"""Containers of code interpreter, and the files that code made in them."""

from __future__ import annotations

from ..core.ids import new_id, now
from ..core.store import Doc, Store
from ..models.base import OutputFile


class Containers:
    """All containers of a project."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def container_for(self, owner: str | None) -> str:
        """The id of the container of a conversation or earlier response; a new id without one."""
        if owner is not None:
            for doc in self._store.all("container"):
                if owner in doc["_owners"]:
                    return str(doc["id"])
        return new_id("cntr_")

    def own(self, id: str, owner: str) -> None:
        """Let a conversation or response use the container again."""
        doc = self._store.get("container", id)
        if doc is not None and owner not in doc["_owners"]:
            doc["_owners"].append(owner)
            self._store.put("container", doc)

    def keep(self, id: str, owner: str, file: OutputFile) -> Doc:
        """Store a file that code made; returns its citation without a place in the text."""
        file_id = new_id("cfile_")
        with self._store.transaction():
            if self._store.get("container", id) is None:
                self._store.put("container", _container(id, owner))
            self._store.put_blob(file_id, file.data)
            doc = {
                "id": file_id,
                "object": "container.file",
                "created_at": now(),
                "bytes": len(file.data),
                "container_id": id,
                "path": f"/mnt/data/{file.filename}",
                "source": "assistant",
            }
            self._store.put("container_file", doc, id)
        return _citation(doc)

    def citation(self, file_id: str) -> Doc | None:
        """The same for a stored file; None if there is no such file."""
        for doc in self._store.all("container_file"):
            if doc["id"] == file_id:
                return _citation(doc)
        return None


def _container(id: str, owner: str) -> Doc:
    return {
        "id": id,
        "object": "container",
        "created_at": now(),
        "status": "running",
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "last_active_at": now(),
        "name": "auto",
        "_owners": [owner],
    }


def _citation(doc: Doc) -> Doc:
    return {
        "type": "container_file_citation",
        "container_id": doc["container_id"],
        "file_id": doc["id"],
        "filename": doc["path"].rpartition("/")[2],
    }
