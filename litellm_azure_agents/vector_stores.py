"""Makes a vector store from local files: uploads and indexes them, and reports on each file.

>>> from litellm_azure_agents import vector_stores
>>> store = vector_stores.create(["handbook.pdf"], api_base="https://…")  # doctest: +SKIP
>>> tool_resources = {"file_search": {"vector_store_ids": [store.id]}}  # doctest: +SKIP

For the same files a second call finds the store of the first one, by their content, and uploads
nothing. `create` raises `VectorStoreError` if files failed, although the service calls such a batch
completed. A call that is interrupted cancels the indexing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .content.file_service import FileService
from .core import errors
from .core.actions import Actions, Gather, Request, Send, Steps, Wait
from .core.exchange import ask, read, read_page
from .core.json_values import Json, as_int, as_object, as_text, sendable, whole
from .core.media import media_type_of
from .core.retry import poll_intervals
from .drivers.connection import Connection
from .files import Source, read_source
from .host.connection import connect

__all__ = ["FileOutcome", "Progress", "VectorStore", "VectorStoreError", "acreate", "create"]

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
    files: list[FileOutcome] = field(default_factory=list)
    reused: bool = False

    @property
    def failed(self) -> list[FileOutcome]:
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
        after: list[tuple[str, str]] = []
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

    def _upload(self) -> Actions[list[FileOutcome]]:
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
        body: dict[str, Any] = {"file_ids": list(ids)}
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
        states: dict[str, Mapping[str, Any]] = {}
        after: list[tuple[str, str]] = []
        while True:
            url = self._url(*path, "files", query=[("limit", "100"), *after])
            page = yield from read_page(self.call, url, doing="list the files of the batch")
            states |= {as_text(file.get("id")): file for file in page.items}
            if page.after is None:
                break
            after = [("after", page.after)]
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
