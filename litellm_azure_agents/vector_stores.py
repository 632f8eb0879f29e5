"""Vector stores: made from local files with a report on each file, listed, shown, deleted.

>>> from litellm_azure_agents import vector_stores
>>> store = vector_stores.create(["handbook.pdf"], api_base="https://…")  # doctest: +SKIP
>>> tool_resources = {"file_search": {"vector_store_ids": [store.id]}}  # doctest: +SKIP

For the same files a second call finds the store of the first one, by their content, and uploads
nothing. `create` raises `VectorStoreError` if files failed, although the service calls such a batch
completed. A call that is interrupted cancels the indexing. Each function has an async twin with an
``a`` before its name.

This is one module because it is a public one: half of it is the signatures and docstrings of its
functions and their async twins.
"""

from __future__ import annotations

import builtins
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .content.file_service import FileService
from .core import errors
from .core.actions import Actions, Gather, Job, Request, Send, Steps, Wait
from .core.call import checked_id
from .core.exchange import ask, read, read_all, read_page, succeed
from .core.json_values import Json, JsonObject, as_int, as_object, as_text, sendable, whole
from .core.media import media_type_of
from .core.retry import poll_intervals
from .drivers.connection import Connection, Requests
from .files import Source, read_source
from .host.connection import connect

__all__ = [
    "FileOutcome", "Progress", "VectorStore", "VectorStoreError",
    "acreate", "adelete", "afiles", "alist", "ashow",
    "create", "delete", "files", "list", "show",
]  # fmt: skip

CONTENT_KEY = "content_sha256"
"""The key in a store's metadata by which the next call with the same files finds it."""
BATCH_SIZE = 500
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a call: ``stage`` is ``upload`` or ``index``, ``name`` the file just uploaded."""

    stage: str
    done: int
    total: int
    name: str | None = None


@dataclass(slots=True)
class FileOutcome:
    """The result for one file: ``status`` is completed, failed or cancelled.

    ``code`` is ``server_error``, ``invalid_file`` or ``unsupported_file`` from indexing, or
    ``upload_failed``.
    """

    name: str
    status: str = "in_progress"
    file_id: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(slots=True)
class VectorStore:
    """The store and the result for each file; ``reused`` if an earlier call made it."""

    id: str
    name: str | None
    files: builtins.list[FileOutcome] = field(default_factory=builtins.list)
    reused: bool = False

    @property
    def failed(self) -> builtins.list[FileOutcome]:
        """The files that can't be searched."""
        return [file for file in self.files if file.status != "completed"]

    @property
    def ok(self) -> bool:
        """Whether every file can be searched."""
        return not self.failed


class VectorStoreError(Exception):
    """Files failed; ``store.failed`` says which and why."""

    def __init__(self, store: VectorStore) -> None:
        self.store = store
        shown = [
            f"{file.name}: {file.code or file.status}"
            + (f" ({file.message})" if file.message else "")
            for file in store.failed
        ]
        super().__init__(
            f"{len(shown)} of {len(store.files)} files failed in vector store {store.id}: "
            + "; ".join(shown[:20])
            + (" …" if len(shown) > 20 else "")
        )

    def __reduce__(self) -> Any:  # a pickled exception is made again from its parts
        return type(self), (self.store,)


OnProgress = Callable[[Progress], None]


def create(
    files: Sequence[Source | tuple[str, bytes]],
    *,
    name: str | None = None,
    expires_after_days: int | None = None,
    chunking_strategy: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
    reuse: bool = True,
    strict: bool = True,
    **connection: Any,
) -> VectorStore:
    """A vector store of ``files`` (paths, opened files, or pairs of a name and bytes).

    ``on_progress`` is called after each upload (from other threads) and while files are indexed.
    Raises `VectorStoreError` if files failed, unless ``strict`` is False: then look at ``failed``.
    """
    at = connect(**connection)
    job = _Create(
        at, files, name, expires_after_days, chunking_strategy, metadata, on_progress, reuse
    )
    return _checked(at.perform(job), strict)


async def acreate(
    files: Sequence[Source | tuple[str, bytes]],
    *,
    name: str | None = None,
    expires_after_days: int | None = None,
    chunking_strategy: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
    reuse: bool = True,
    strict: bool = True,
    **connection: Any,
) -> VectorStore:
    """As `create`; ``on_progress`` is called on the event loop."""
    at = connect(**connection)
    job = _Create(
        at, files, name, expires_after_days, chunking_strategy, metadata, on_progress, reuse
    )
    return _checked(await at.aperform(job), strict)


def list(*, limit: int | None = None, **connection: Any) -> Sequence[JsonObject]:
    """The project's vector stores, newest first."""
    at = connect(**connection)
    found: Sequence[JsonObject] = at.perform(_list(at, limit))
    return found


async def alist(*, limit: int | None = None, **connection: Any) -> Sequence[JsonObject]:
    """As `list`."""
    at = connect(**connection)
    found: Sequence[JsonObject] = await at.aperform(_list(at, limit))
    return found


def show(store_id: str, **connection: Any) -> JsonObject:
    """A vector store, as the service describes it."""
    at = connect(**connection)
    return dict(at.perform(_show(at, store_id)))


async def ashow(store_id: str, **connection: Any) -> JsonObject:
    """As `show`."""
    at = connect(**connection)
    return dict(await at.aperform(_show(at, store_id)))


def files(store_id: str, **connection: Any) -> Sequence[FileOutcome]:
    """The files of a vector store, each with its state and, if it failed, why."""
    at = connect(**connection)
    found: Sequence[FileOutcome] = at.perform(_files(at, store_id))
    return found


async def afiles(store_id: str, **connection: Any) -> Sequence[FileOutcome]:
    """As `files`."""
    at = connect(**connection)
    found: Sequence[FileOutcome] = await at.aperform(_files(at, store_id))
    return found


def delete(store_id: str, *, with_files: bool = False, **connection: Any) -> None:
    """Delete a vector store; its files stay in the project, unless ``with_files``."""
    at = connect(**connection)
    at.perform(_delete(at, store_id, with_files))


async def adelete(store_id: str, *, with_files: bool = False, **connection: Any) -> None:
    """As `delete`."""
    at = connect(**connection)
    await at.aperform(_delete(at, store_id, with_files))


def _store_id(at: Connection, store_id: str) -> str:
    return checked_id(at.call.context, store_id, "store_id")


def _list(at: Connection, limit: int | None) -> Job:
    def url(query: Sequence[tuple[str, str]]) -> str:
        return at.call.endpoint.url("vector_stores", query=query)

    return Requests(read_all(at.call, url, doing="list vector stores", limit=limit))


def _show(at: Connection, store_id: str) -> Job:
    url = at.call.endpoint.url("vector_stores", _store_id(at, store_id))
    return Requests(read(at.call, url, doing=f"read the vector store {store_id}"))


def _files(at: Connection, store_id: str) -> Job:
    return Requests(_file_outcomes(at, _store_id(at, store_id)))


def _file_outcomes(at: Connection, store_id: str) -> Actions[Sequence[FileOutcome]]:
    service, endpoint = FileService(at.call), at.call.endpoint
    items = yield from read_all(
        at.call,
        lambda query: endpoint.url("vector_stores", store_id, "files", query=query),
        doing=f"list the files of the vector store {store_id}",
        order="asc",
    )
    ids = [as_text(item.get("id")) for item in items]
    named = yield Gather([service.info(id) for id in ids], AT_ONCE)
    outcomes = []
    for id, item, file in zip(ids, items, named, strict=True):
        name = id if isinstance(file, Exception) else as_text(file.get("filename")) or id
        error = as_object(item.get("last_error"))
        state = as_text(item.get("status"))
        outcomes.append(FileOutcome(name, state, id, error.get("code"), error.get("message")))
    return outcomes


def _delete(at: Connection, store_id: str, with_files: bool) -> Job:
    url = at.call.endpoint.url("vector_stores", _store_id(at, store_id))

    def run() -> Steps:
        files: Sequence[FileOutcome] = ()
        if with_files:
            files = yield from _file_outcomes(at, store_id)
        doing = f"delete the vector store {store_id}"
        yield from succeed(at.call, Send(Request("DELETE", url)), doing=doing, repeatable=True)
        yield from FileService(at.call).delete(file.file_id for file in files if file.file_id)

    return Requests(run())


def _checked(store: VectorStore, strict: bool) -> VectorStore:
    if strict and not store.ok:
        raise VectorStoreError(store)
    return store


class _Create:
    """The job of `create`; `abandon` cancels the indexing."""

    def __init__(
        self,
        at: Connection,
        files: Sequence[Source | tuple[str, bytes]],
        name: str | None,
        days: int | None,
        chunking: Mapping[str, Any] | None,
        metadata: Mapping[str, str] | None,
        on_progress: OnProgress | None,
        reuse: bool,
    ) -> None:
        self.call = at.call
        self.service = FileService(at.call)
        self.name, self.days, self.reuse = whole(name), days, reuse
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._uploaded = 0
        self._batch_url: tuple[str, ...] | None = None
        try:
            self.chunking = sendable(chunking) if chunking else None
            self.metadata = sendable(metadata or {})
            if isinstance(files, (str, bytes)) or not files:
                raise ValueError("files is a list of at least one path or (name, bytes)")
            self.sources = [
                read_source(f[1], f[0]) if isinstance(f, tuple) else read_source(f, None)
                for f in files
            ]
        except ValueError as error:
            raise errors.bad_request(at.call.context, str(error), param="files") from None

    # -- the job -------------------------------------------------------------------------------

    def run(self) -> Actions[VectorStore]:
        digests = [_digest(data) for _, data in self.sources]
        content = self._content(digests)
        if self.reuse:
            found = yield from self._find(content)
            if found is not None:
                outcomes = [FileOutcome(name, "completed") for name, _ in self.sources]
                return VectorStore(found["id"], found.get("name"), outcomes, reused=True)
        outcomes = yield from self._upload()
        body = {
            "name": self.name,
            "metadata": {**self.metadata, CONTENT_KEY: content},
            "expires_after": self.days and {"anchor": "last_active_at", "days": self.days},
        }
        body = {key: value for key, value in body.items() if value}
        store = yield from self._post((), body, doing="create the vector store")
        result = VectorStore(store["id"], store.get("name"), outcomes)
        ids = [file.file_id for file in outcomes if file.file_id]
        for start in range(0, len(ids), BATCH_SIZE):
            yield from self._index(result, ids[start : start + BATCH_SIZE])
        return result

    def abandon(self) -> Steps:
        if self._batch_url is not None:
            yield Send(Request("POST", self._url(*self._batch_url, "cancel")))

    def _content(self, digests: Sequence[str]) -> str:
        """The hash that is equal for calls that want the same store."""
        files = sorted((name, d) for (name, _), d in zip(self.sources, digests, strict=True))
        what = json.dumps([self.name, self.chunking, files])
        return hashlib.sha256(what.encode()).hexdigest()

    def _find(self, content: str) -> Actions[Json | None]:
        """The usable store of this content, None if there is none. Waits while it is indexed."""
        after: builtins.list[tuple[str, str]] = []
        while True:
            url = self._url(query=[("limit", "100"), *after])
            page = yield from read_page(self.call, url, doing="list vector stores")
            for store in page.items:
                if as_object(store.get("metadata")).get(CONTENT_KEY) == content:
                    settled = yield from self._settled(store)
                    if settled is not None:
                        return settled
            if page.after is None:
                return None
            after = [("after", page.after)]

    def _settled(self, store: Json) -> Actions[Json | None]:
        """The store once its files are indexed; None if it lacks some of the files."""
        next_interval = poll_intervals(None)
        while True:
            counts, id = as_object(store.get("file_counts")), as_text(store.get("id"))
            if store.get("status") == "expired" or not id:
                return None
            if not counts.get("in_progress"):
                return store if counts.get("completed") == len(self.sources) else None
            yield Wait(next_interval())
            store = yield from read(self.call, self._url(id), doing="read the vector store")

    def _upload(self) -> Actions[builtins.list[FileOutcome]]:
        results = yield Gather([self._upload_one(*source) for source in self.sources], AT_ONCE)
        outcomes = []
        for (name, _), result in zip(self.sources, results, strict=True):
            if isinstance(result, str):
                outcomes.append(FileOutcome(name, file_id=result))
            elif getattr(result, "status_code", None) in (400, 413, 415, 422):
                message = str(getattr(result, "message", result))
                outcomes.append(FileOutcome(name, "failed", None, "upload_failed", message))
            else:
                raise result  # not because of the file: credentials, connection, timeout
        return outcomes

    def _upload_one(self, name: str, data: bytes | Path) -> Actions[str]:
        kind = media_type_of(name)
        file = yield from self.service.upload(name, data, kind, purpose="assistants")
        with self._lock:
            self._uploaded += 1
            self._report(Progress("upload", self._uploaded, len(self.sources), name))
        return str(file["id"])

    def _index(self, result: VectorStore, ids: Sequence[str]) -> Steps:
        body: dict[str, Any] = {"file_ids": [*ids]}
        if self.chunking:
            body["chunking_strategy"] = self.chunking
        batches = (result.id, "file_batches")
        batch = yield from self._post(batches, body, doing="add the files to the vector store")
        path = (*batches, str(batch["id"]))
        self._batch_url = path
        next_interval = poll_intervals(None)
        while batch.get("status") == "in_progress":
            self._report_batch(batch)
            if self.call.remaining() <= 0:
                raise self._too_slow()
            yield Wait(next_interval())
            try:
                doing = "see how far the indexing is"
                batch = yield from read(
                    self.call, self._url(*path), doing=doing, having=("id", "status")
                )
            except errors.Timeout:
                if self.call.remaining() > 1:
                    raise  # the service's timeout, not ours
                raise self._too_slow() from None
        self._batch_url = None
        self._report_batch(batch)
        yield from self._outcomes(result, path, batch)

    def _too_slow(self) -> errors.Timeout:
        return errors.Timeout(
            message=f"the files were not indexed within the timeout of "
            f"{self.call.timeout:g} s; the batch was cancelled",
            model=self.call.context.model,
            llm_provider=self.call.context.provider,
        )

    def _outcomes(
        self, result: VectorStore, path: Sequence[str], batch: Mapping[str, Any]
    ) -> Steps:
        """Set each file's own status: a completed batch may have failed files."""
        files = yield from read_all(
            self.call,
            lambda query: self._url(*path, "files", query=query),
            doing="list the files of the batch",
        )
        states = {as_text(file.get("id")): file for file in files}
        for outcome in result.files:
            state = states.get(str(outcome.file_id))
            if state is not None:
                error = as_object(state.get("last_error"))
                outcome.status = str(state.get("status"))
                scrub = self.call.context.scrub  # an error's text may repeat the token
                outcome.code = scrub(as_text(error.get("code"))) or None
                outcome.message = scrub(as_text(error.get("message"))) or None

    # -- requests ------------------------------------------------------------------------------

    def _url(self, *segments: str, query: Sequence[tuple[str, str]] | None = None) -> str:
        return self.call.endpoint.url("vector_stores", *segments, query=query)

    def _post(self, segments: Sequence[str], body: Json, *, doing: str) -> Actions[dict[str, Any]]:
        action = Send(Request("POST", self._url(*segments), body))
        return (yield from ask(self.call, action, doing=doing, repeatable=True))

    def _report_batch(self, batch: Mapping[str, Any]) -> None:
        counts = as_object(batch.get("file_counts"))
        total = as_int(counts.get("total"))
        self._report(Progress("index", total - as_int(counts.get("in_progress")), total))

    def _report(self, progress: Progress) -> None:
        if self._on_progress is not None:
            self._on_progress(progress)


def _digest(data: bytes | Path) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    whole = hashlib.sha256()
    with data.open("rb") as file:
        while piece := file.read(1 << 20):
            whole.update(piece)
    return whole.hexdigest()
