"""Which vector stores a run may search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .store import Doc, Store


def store_ids(resources: Mapping[str, Any] | None) -> list[str]:
    """Vector stores named in tool_resources."""
    return list(((resources or {}).get("file_search") or {}).get("vector_store_ids") or [])


def searchable_stores(store: Store, run: Doc) -> list[str]:
    """The run's own stores (or its agent's), then those of its thread."""
    thread = store.get("thread", run["thread_id"]) or {}
    ids = store_ids(run["tool_resources"]) + store_ids(thread.get("tool_resources"))
    return list(dict.fromkeys(ids))
