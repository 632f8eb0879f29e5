"""Documents in SQLite: JSON objects by kind and id, in order of creation, and files' bytes.

One connection and one writer. In a file, a write is on disk when its method returns (WAL,
synchronous=FULL): an acknowledged write survives a kill at any moment.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Doc = dict[str, Any]
LOCK_TIMEOUT = 0.5  # an emulator holds its file until it ends: waiting longer is of no use

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (kind, parent, id)
);
CREATE INDEX IF NOT EXISTS docs_by_parent ON docs (kind, parent, seq);
CREATE TABLE IF NOT EXISTS blobs (id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS chunks USING fts5(
    text, store UNINDEXED, file UNINDEXED, ordinal UNINDEXED, tokenize='unicode61'
);
"""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    data: list[Doc]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An object with its number (the order of creation), kind and parent."""

    seq: int
    kind: str
    parent: str
    doc: Doc


class StoreInUse(OSError):
    """The data file belongs to another emulator that is running."""


class UnknownCursor(LookupError):
    """`after` or `before` names nothing in the listing."""


class Store:
    """The emulator's memory. `path` None keeps it in RAM."""

    def __init__(self, path: str | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self.db = sqlite3.connect(
            path or ":memory:", timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(path)
        except sqlite3.OperationalError as error:
            self.db.close()
            if "locked" in str(error):
                raise StoreInUse(f"{path} is in use by another emulator") from error
            raise

    def _prepare(self, path: str | None) -> None:
        if path:
            # EXCLUSIVE: a second emulator on the same file is refused instead of breaking runs.
            self.db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
        self.db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database; the store is unusable afterwards."""
        with self._lock:
            self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside become visible and durable together, or none on an exception."""
        with self._lock:
            if self._depth == 0:
                self.db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self.db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self.db.execute("COMMIT")

    def put(self, kind: str, doc: Mapping[str, Any], parent: str = "") -> None:
        """Insert, or replace in place (the place in listings stays)."""
        text = json.dumps(doc, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            self.db.execute(
                "INSERT INTO docs (kind, id, parent, doc) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, parent, id) DO UPDATE SET doc = excluded.doc",
                (kind, doc["id"], parent, text),
            )

    def get(self, kind: str, id: str, parent: str = "") -> Doc | None:
        """The object, or None."""
        with self._lock:
            row = self.db.execute(
                "SELECT doc FROM docs WHERE kind = ? AND parent = ? AND id = ?", (kind, parent, id)
            ).fetchone()
        return None if row is None else _load(row[0])

    def delete(self, kind: str, id: str, parent: str = "") -> bool:
        """Whether there was such an object; it is gone now."""
        with self._lock:
            cursor = self.db.execute(
                "DELETE FROM docs WHERE kind = ? AND parent = ? AND id = ?", (kind, parent, id)
            )
            return cursor.rowcount > 0

    def delete_children(self, kind: str, parent: str) -> None:
        """Drop every object of a kind below one parent."""
        with self._lock:
            self.db.execute("DELETE FROM docs WHERE kind = ? AND parent = ?", (kind, parent))

    def all(self, kind: str, parent: str | None = None) -> list[Doc]:
        """Every object of a kind, oldest first; of all parents when `parent` is None."""
        sql, args = "SELECT doc FROM docs WHERE kind = ?", [kind]
        if parent is not None:
            sql, args = sql + " AND parent = ?", [kind, parent]
        with self._lock:
            return [_load(row[0]) for row in self.db.execute(sql + " ORDER BY seq", args)]

    def page(
        self,
        kind: str,
        parent: str = "",
        *,
        limit: int = 20,
        order: str = "desc",
        after: str | None = None,
        before: str | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Page:
        """One page by creation order. `where` compares top-level fields of the objects.

        `after` and `before` are relative to the listing's own order; raises UnknownCursor.
        """
        sql = "SELECT doc FROM docs WHERE kind = ? AND parent = ?"
        args: list[Any] = [kind, parent]
        for field, value in (where or {}).items():
            sql += " AND json_extract(doc, ?) = ?"
            args += [f"$.{field}", value]
        ascending = order == "asc"
        backwards = before is not None and after is None
        with self._lock:
            for cursor, forward in ((after, True), (before, False)):
                if cursor is not None:
                    sql += " AND seq > ?" if forward == ascending else " AND seq < ?"
                    args.append(self._seq(kind, parent, cursor))
            # Before a cursor alone, the page is the one that ends at it.
            sql += " ORDER BY seq " + ("ASC" if ascending != backwards else "DESC") + " LIMIT ?"
            rows = self.db.execute(sql, [*args, limit + 1]).fetchall()
        docs = [_load(row[0]) for row in rows[:limit]]
        return Page(docs[::-1] if backwards else docs, len(rows) > limit)

    @property
    def changes(self) -> int:
        """Grows with every write."""
        return self.db.total_changes

    def count(self, kind: str, parent: str | None = None) -> int:
        """How many objects of a kind there are."""
        sql, args = "SELECT count(*) FROM docs WHERE kind = ?", [kind]
        if parent is not None:
            sql, args = sql + " AND parent = ?", [kind, parent]
        with self._lock:
            return int(self.db.execute(sql, args).fetchone()[0])

    def newest(
        self,
        kinds: Sequence[str],
        *,
        before: int | None = None,
        containing: Sequence[str] = (),
        limit: int = 100,
    ) -> list[Entry]:
        """Objects of some kinds below all parents, newest first. `containing` are words of their
        JSON; only ASCII letters are matched in either case."""
        # Not indexed: walking back from the end stops at the limit, an index would sort everything.
        sql = f"SELECT seq, kind, parent, doc FROM docs NOT INDEXED WHERE kind IN ({_marks(kinds)})"
        args: list[Any] = [*kinds]
        if before is not None:
            sql, args = sql + " AND seq < ?", [*args, before]
        for word in containing:
            escaped = re.sub(r"([\\%_])", r"\\\1", json.dumps(word, ensure_ascii=False)[1:-1])
            sql, args = sql + " AND doc LIKE ? ESCAPE '\\'", [*args, f"%{escaped}%"]
        with self._lock:
            rows = self.db.execute(sql + " ORDER BY seq DESC LIMIT ?", [*args, limit]).fetchall()
        return [Entry(seq, kind, parent, _load(text)) for seq, kind, parent, text in rows]

    def _seq(self, kind: str, parent: str, id: str) -> int:
        row = self.db.execute(
            "SELECT seq FROM docs WHERE kind = ? AND parent = ? AND id = ?", (kind, parent, id)
        ).fetchone()
        if row is None:
            raise UnknownCursor(id)
        return int(row[0])

    def put_blob(self, id: str, data: bytes) -> None:
        """Keep a file's bytes."""
        with self._lock:
            self.db.execute("INSERT OR REPLACE INTO blobs (id, data) VALUES (?, ?)", (id, data))

    def blob(self, id: str) -> bytes | None:
        """A file's bytes, or None."""
        with self._lock:
            row = self.db.execute("SELECT data FROM blobs WHERE id = ?", (id,)).fetchone()
        return None if row is None else bytes(row[0])

    def delete_blob(self, id: str) -> None:
        """Forget a file's bytes."""
        with self._lock:
            self.db.execute("DELETE FROM blobs WHERE id = ?", (id,))

    def clear(self) -> None:
        """Empty the store."""
        with self.transaction():
            for table in ("docs", "blobs", "chunks"):
                self.db.execute(f"DELETE FROM {table}")


def public(doc: Mapping[str, Any]) -> Doc:
    """An object for clients: without the fields whose names begin with `_`."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def _load(text: str) -> Doc:
    doc: Doc = json.loads(text)
    return doc


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
