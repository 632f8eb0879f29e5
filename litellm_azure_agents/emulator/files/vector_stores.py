"""Vector stores: files and batches, indexing in the background, and what a run can search."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.ids import new_id, now
from ..core.store import Doc, Store, public
from .extract import Unreadable, text_of
from .search import Index

DAY = 86_400
THREAD_STORE_DAYS = 7  # a store for a message's attachments expires a week after its last use
DEFAULT_SIZES = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}


class VectorStores:
    """All vector stores of a project. Fields whose names begin with `_` are not for clients."""

    def __init__(self, store: Store, index: Index, delay: float) -> None:
        self._store = store
        self._index = index
        self._delay = delay
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- stores

    def create(self, body: Mapping[str, Any]) -> Doc:
        """A new store; its first files are indexed in the background."""
        created = now()
        doc: Doc = {
            "id": new_id("vs_"),
            "object": "vector_store",
            "created_at": created,
            "name": body.get("name"),
            "usage_bytes": 0,
            "file_counts": _counts([]),
            "status": "completed",
            "expires_after": body.get("expires_after"),
            "expires_at": None,
            "last_active_at": created,
            "metadata": body.get("metadata") or {},
        }
        sources = (body.get("configuration") or {}).get("data_sources") or []
        with self._store.transaction():
            self._store.put("vector_store", doc)
            self.add(doc["id"], body.get("file_ids") or [], sources, body.get("chunking_strategy"))
        return self.shown(doc)

    def shown(self, doc: Doc) -> Doc:
        """A store with its counts, status and expiry as they are now."""
        files = self._store.all("vector_store_file", doc["id"])
        counts = _counts(files)
        expires = doc["expires_after"]
        expires_at = doc["last_active_at"] + expires["days"] * DAY if expires else None
        status = "in_progress" if counts["in_progress"] else "completed"
        if expires_at is not None and expires_at <= now():
            status = "expired"
        return {
            **doc,
            "usage_bytes": sum(file["usage_bytes"] for file in files),
            "file_counts": counts,
            "status": status,
            "expires_at": expires_at,
        }

    def update(self, doc: Doc, body: Mapping[str, Any]) -> Doc:
        """Replace the fields that the body has; returns the store as it is shown."""
        doc.update(body)
        doc["metadata"] = doc["metadata"] or {}
        self._store.put("vector_store", doc)
        return self.shown(doc)

    def delete(self, id: str) -> None:
        """Drop a store with its index; the files themselves stay."""
        with self._store.transaction():
            self._index.remove(id)
            for kind in ("vector_store_file", "batch"):
                self._store.delete_children(kind, id)
            self._store.delete("vector_store", id)

    # ---- files

    def add(
        self,
        store_id: str,
        file_ids: Sequence[str],
        sources: Sequence[Mapping[str, Any]],
        chunking: Mapping[str, Any] | None,
        batch: str | None = None,
    ) -> list[Doc]:
        """Put files into a store, in progress; they are indexed in the background."""
        added = [self._file_doc(store_id, id, chunking, batch) for id in file_ids]
        for source in sources:
            known = self.asset(source)
            doc = self._file_doc(store_id, known or new_id("assistant-"), chunking, batch)
            added.append(doc if known else {**doc, "_source": source["uri"]})
        if not added:
            return []
        with self._store.transaction():
            for doc in added:
                self._store.put("vector_store_file", doc, store_id)
            self._touch(store_id)
        task = asyncio.get_running_loop().create_task(self._index_later(added))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return added

    def asset(self, source: Mapping[str, Any] | None) -> str | None:
        """The id of the file that a data source means: its id or its name is the end of the URI."""
        name = str((source or {}).get("uri", "")).rstrip("/").rpartition("/")[2]
        if self._store.get("file", name) is not None:
            return name
        files = [f for f in self._store.all("file") if f["filename"] == name]
        return str(files[-1]["id"]) if files else None

    def settle(self, resources: Mapping[str, Any] | None) -> Doc:
        """tool_resources with their inline vector stores created and replaced by their ids."""
        settled = dict(resources or {})
        search = settled.get("file_search") or {}
        inline = search.get("vector_stores")
        if inline:
            made = [self.create(store)["id"] for store in inline]
            ids = [*(search.get("vector_store_ids") or []), *made]
            settled["file_search"] = {"vector_store_ids": ids}
        return settled

    def _file_doc(
        self, store_id: str, file_id: str, chunking: Mapping[str, Any] | None, batch: str | None
    ) -> Doc:
        sizes = (chunking or {}).get("static") or DEFAULT_SIZES
        return {
            "id": file_id,
            "object": "vector_store.file",
            "usage_bytes": 0,
            "created_at": now(),
            "vector_store_id": store_id,
            "status": "in_progress",
            "last_error": None,
            "chunking_strategy": {"type": "static", "static": dict(sizes)},
            "_batch": batch,
        }

    async def _index_later(self, files: Sequence[Doc]) -> None:
        await asyncio.sleep(self._delay)
        for file in files:
            self._index_file(file["vector_store_id"], file["id"])
            await asyncio.sleep(0)

    def _index_file(self, store_id: str, file_id: str) -> None:
        """Index a file that is in progress; a failure is stored as its last_error."""
        doc = self._store.get("vector_store_file", file_id, store_id)
        if doc is None or doc["status"] != "in_progress":
            return
        sizes = doc["chunking_strategy"]["static"]
        try:
            text = self._text(doc)
        except Unreadable as error:
            doc.update(status="failed", last_error={"code": error.code, "message": str(error)})
            self._store.put("vector_store_file", doc, store_id)
            return
        with self._store.transaction():
            self._index.add(
                store_id,
                file_id,
                text,
                chunk_tokens=sizes["max_chunk_size_tokens"],
                overlap=sizes["chunk_overlap_tokens"],
            )
            doc.update(status="completed", usage_bytes=len(text.encode()))
            self._store.put("vector_store_file", doc, store_id)

    def _text(self, doc: Doc) -> str:
        if "_source" in doc:
            raise Unreadable("invalid_file", f"No local asset store holds {doc['_source']}.")
        file, data = self._store.get("file", doc["id"]), self._store.blob(doc["id"])
        if file is None or data is None:
            raise Unreadable("invalid_file", "The file was deleted.")
        return text_of(file["filename"], data)

    def remove_file(self, store_id: str, file_id: str) -> None:
        """Take a file out of a store."""
        with self._store.transaction():
            self._index.remove(store_id, file_id)
            self._store.delete("vector_store_file", file_id, store_id)
            self._touch(store_id)

    def delete_file(self, file_id: str) -> None:
        """Delete a file of the project, and take it out of every store."""
        with self._store.transaction():
            for doc in self._store.all("vector_store_file"):
                if doc["id"] == file_id:
                    self.remove_file(doc["vector_store_id"], file_id)
            self._store.delete_blob(file_id)
            self._store.delete("file", file_id)

    # ---- batches

    def create_batch(self, store_id: str, body: Mapping[str, Any]) -> Doc:
        """Add files as a batch."""
        batch: Doc = {
            "id": new_id("vsfb_"),
            "object": "vector_store.files_batch",
            "created_at": now(),
            "vector_store_id": store_id,
            "_cancelled": False,
        }
        with self._store.transaction():
            files = self.add(
                store_id,
                body.get("file_ids") or [],
                body.get("data_sources") or [],
                body.get("chunking_strategy"),
                batch["id"],
            )
            batch["_files"] = [file["id"] for file in files]
            self._store.put("batch", batch, store_id)
        return self.shown_batch(batch)

    def shown_batch(self, batch: Doc) -> Doc:
        """A batch with its counts and status as they are now."""
        store_id = batch["vector_store_id"]
        found = (self._store.get("vector_store_file", id, store_id) for id in batch["_files"])
        counts = _counts([file for file in found if file is not None])
        status = "cancelled" if batch["_cancelled"] else "completed"
        if counts["in_progress"]:
            status = "in_progress"
        return {**public(batch), "status": status, "file_counts": counts}

    def cancel_batch(self, batch: Doc) -> Doc:
        """Cancel the files that are not indexed yet."""
        store_id, stopped = batch["vector_store_id"], False
        with self._store.transaction():
            for id in batch["_files"]:
                file = self._store.get("vector_store_file", id, store_id)
                if file is not None and file["status"] == "in_progress":
                    file["status"], stopped = "cancelled", True
                    self._store.put("vector_store_file", file, store_id)
            batch["_cancelled"] = batch["_cancelled"] or stopped
            self._store.put("batch", batch, store_id)
        return self.shown_batch(batch)

    # ---- threads and runs

    def attach_to_thread(self, thread: Doc, file_id: str) -> None:
        """Make a file searchable in a thread at once, before any run can need it."""
        resources = thread["tool_resources"] = dict(thread["tool_resources"] or {})
        ids = store_ids(resources)
        if ids:
            store_id = ids[0]
        else:
            expiry = {"anchor": "last_active_at", "days": THREAD_STORE_DAYS}
            store_id = self.create({"expires_after": expiry})["id"]
            resources["file_search"] = {"vector_store_ids": [store_id]}
            self._store.put("thread", thread)
        if self._store.get("vector_store_file", file_id, store_id) is None:
            doc = self._file_doc(store_id, file_id, None, None)
            self._store.put("vector_store_file", doc, store_id)
        self._index_file(store_id, file_id)
        self._touch(store_id)

    def searchable(self, run: Doc) -> list[str]:
        """Stores that a run searches: its own (or its agent's), then its thread's."""
        thread = self._store.get("thread", run["thread_id"]) or {}
        own = store_ids(run["tool_resources"])
        return self.usable(own + store_ids(thread.get("tool_resources")))

    def usable(self, ids: Sequence[str]) -> list[str]:
        """Those of these stores that exist and are not expired. They count as used now."""
        found = []
        for id in dict.fromkeys(ids):
            doc = self._store.get("vector_store", id)
            if doc is not None and self.shown(doc)["status"] != "expired":
                self._touch(id)
                found.append(id)
        return found

    def _touch(self, store_id: str) -> None:
        doc = self._store.get("vector_store", store_id)
        if doc is not None:
            self._store.put("vector_store", {**doc, "last_active_at": now()})

    # ---- life

    def resume(self) -> None:
        """At start: index what a crash interrupted."""
        for doc in self._store.all("vector_store_file"):
            self._index_file(doc["vector_store_id"], doc["id"])

    async def shutdown(self) -> None:
        """Stop indexing; `resume` continues it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def store_ids(resources: Mapping[str, Any] | None) -> list[str]:
    """Vector stores named in tool_resources."""
    return list(((resources or {}).get("file_search") or {}).get("vector_store_ids") or [])


def _counts(files: Sequence[Doc]) -> dict[str, int]:
    counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    for file in files:
        counts[file["status"]] += 1
    return {**counts, "total": len(files)}
