"""What hosted tools need from the project: searching its files, keeping files that agents make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..core.ids import new_id, now
from ..core.store import Store
from ..files.search import Index
from ..models.base import Logs, OutputFile, SearchHit

_IMAGES = ("png", "jpg", "jpeg", "gif", "webp")


class Interpreter(Protocol):
    """Runs code for real; none is installed by default."""

    async def run(self, code: str, files: Mapping[str, bytes]) -> Sequence[Logs | OutputFile]:
        """What the code printed and made."""
        ...


class Toolbox:
    """Shared by the engines of both protocols."""

    def __init__(self, store: Store, index: Index, interpreter: Interpreter | None = None) -> None:
        self.store = store
        self.index = index
        self.interpreter = interpreter

    def save_file(self, file: OutputFile) -> str:
        """Keep a file that an agent made; returns its id."""
        id = new_id("assistant-")
        with self.store.transaction():
            self.store.put_blob(id, file.data)
            self.store.put("file", file_object(id, file.filename, file.data, "assistants_output"))
        return id

    def read_file(self, id: str) -> OutputFile | None:
        """A file of the project: uploaded, or made by an agent."""
        doc, data = self.store.get("file", id), self.store.blob(id)
        return OutputFile(data, doc["filename"]) if doc is not None and data is not None else None

    def files(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Those of these files that there are, by name."""
        found = filter(None, map(self.read_file, ids))
        return {file.filename: file.data for file in found}

    def search(
        self, query: str, stores: Sequence[str], options: Mapping[str, Any]
    ) -> list[SearchHit]:
        """The best passages in these vector stores, best first, within the tool's own options."""
        ranking = options.get("ranking_options") or {}
        return self.index.search(
            query,
            stores,
            limit=options.get("max_num_results") or 20,
            threshold=ranking.get("score_threshold") or 0.0,
        )

    async def interpret(self, code: str, files: Mapping[str, bytes]) -> Sequence[Logs | OutputFile]:
        """Run code, or say that nothing here can."""
        if self.interpreter is None:
            return (Logs("code interpreter is off in this emulator"),)
        return await self.interpreter.run(code, files)


def file_object(id: str, filename: str, data: bytes, purpose: str) -> dict[str, Any]:
    """A file as the service shows it."""
    return {
        "id": id,
        "object": "file",
        "bytes": len(data),
        "created_at": now(),
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }


def is_image(filename: str) -> bool:
    """Whether code interpreter shows such a file as an image instead of linking it."""
    return filename.lower().rpartition(".")[2] in _IMAGES
