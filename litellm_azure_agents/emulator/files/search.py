"""Full-text search over the files of vector stores: chunks in SQLite FTS5, ranked by bm25."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..core.store import Store
from ..models.base import SearchHit

_WORD = re.compile(r"\w+")
# Words that carry no meaning for a search: "what is the" would match every text.
_STOP = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "does", "for", "from",
    "has", "have", "how", "i", "in", "is", "it", "me", "of", "on", "or", "our", "please", "say",
    "says", "show", "tell", "that", "the", "their", "there", "this", "to", "was", "we", "what",
    "when", "where", "which", "who", "why", "will", "with", "you", "your", "about", "file",
    "files", "document", "documents",
})  # fmt: skip
CHARACTERS_PER_TOKEN = 4


class Index:
    """Chunks of indexed files, by vector store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self, store_id: str, file_id: str, text: str, *, chunk_tokens: int, overlap: int
    ) -> int:
        """Index a file's text; returns the number of chunks."""
        number = 0
        with self._store.transaction():
            self.remove(store_id, file_id)
            for number, chunk in enumerate(chunks(text, chunk_tokens, overlap), start=1):
                self._store.db.execute(
                    "INSERT INTO chunks (text, store, file, ordinal) VALUES (?, ?, ?, ?)",
                    (chunk, store_id, file_id, number),
                )
        return number

    def remove(self, store_id: str, file_id: str | None = None) -> None:
        """Remove one file of a store from the index, or the whole store."""
        sql, args = "DELETE FROM chunks WHERE store = ?", [store_id]
        if file_id is not None:
            sql, args = sql + " AND file = ?", [store_id, file_id]
        self._store.db.execute(sql, args)

    def passages(self, id: str, limit: int) -> list[tuple[str, str, str, int]]:
        """Chunks of a file or of a store: text, file, store, number in the file."""
        sql = "SELECT text, file, store, ordinal FROM chunks WHERE file = ? OR store = ? LIMIT ?"
        return self._store.db.execute(sql, (id, id, limit)).fetchall()

    def search(
        self, query: str, store_ids: Sequence[str], *, limit: int, threshold: float = 0.0
    ) -> list[SearchHit]:
        """The best chunks for the words of a query, best first; scores fall from 1 to 0."""
        words = [w for w in _WORD.findall(query.lower()) if w not in _STOP]
        if not words or not store_ids:
            return []
        match = " OR ".join(f'"{word}"' for word in dict.fromkeys(words))
        marks = ",".join("?" * len(store_ids))
        rows = self._store.db.execute(
            f"SELECT text, file, bm25(chunks) AS rank FROM chunks"
            f" WHERE chunks MATCH ? AND store IN ({marks}) ORDER BY rank, rowid LIMIT ?",
            (match, *store_ids, limit),
        ).fetchall()
        hits = []
        for text, file_id, rank in rows:
            file = self._store.get("file", file_id)
            found = set(_WORD.findall(text.lower()))
            covered = sum(1 for word in set(words) if word in found) / len(set(words))
            # bm25 is negative and unbounded; the share of found words makes scores comparable.
            relative = rank / rows[0][2] if rows[0][2] else 1.0
            score = round(covered * (0.5 + 0.5 * relative), 4)
            if file is not None and score >= threshold:
                hits.append(SearchHit(file_id, file["filename"], score, text))
        return hits


def chunks(text: str, chunk_tokens: int, overlap: int) -> Iterator[str]:
    """Overlapping pieces of the text that end at word boundaries."""
    size = chunk_tokens * CHARACTERS_PER_TOKEN
    step_back = overlap * CHARACTERS_PER_TOKEN
    start = 0
    while start < len(text):
        end = min(len(text), start + size)
        if end < len(text):
            space = text.rfind(" ", start + size // 2, end)
            end = space if space > 0 else end
        if piece := text[start:end].strip():
            yield piece
        if end == len(text):
            return
        start = max(start + 1, end - step_back)
