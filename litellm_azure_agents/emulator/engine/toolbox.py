"""What hosted tools need from the project: searching its files, keeping files that agents make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..core.store import Store
from ..files.objects import keep_file
from ..files.search import Index
from ..models.base import Logs, OutputFile, SearchHit


class Interpreter(Protocol):
    """Runs code. None is installed by default."""

    async def run(self, code: str, files: Mapping[str, bytes]) -> Sequence[Logs | OutputFile]:
        """Run code beside these files; returns what it printed and the files that it made."""
        ...


class Toolbox:
    """Shared by the engines of both protocols."""

    def __init__(self, store: Store, index: Index, interpreter: Interpreter | None = None) -> None:
        self.store = store
        self.index = index
        self.interpreter = interpreter

    def save_file(self, file: OutputFile) -> str:
        """Keep a file that an agent made; returns its id."""
        return str(keep_file(self.store, file.filename, file.data, "assistants_output")["id"])

    def read_file(self, id: str) -> OutputFile | None:
        """A file of the project, uploaded or made by an agent; None if there is none."""
        doc, data = self.store.get("file", id), self.store.blob(id)
        return OutputFile(data, doc["filename"]) if doc is not None and data is not None else None

    def files(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The bytes of these files by name; ids without a file are left out."""
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
        """Run code; without an interpreter, returns logs that say so."""
        if self.interpreter is None:
            return (Logs("code interpreter is off in this emulator"),)
        return await self.interpreter.run(code, files)
