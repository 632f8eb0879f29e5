"""Addresses of the documents that an Azure AI Search tool found.

A citation names such a document by its number only: ``doc_0`` as its url (classic agents), or as
its title beside the address of the search service (new agents). The addresses stand in the output
of the tool's call.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..core.json_values import Json, as_object, as_objects, as_text, whole

_NUMBERED = re.compile(r"#?doc_(\d{1,6})")
_MAX_OUTPUT = 1 << 20
"""Longer outputs in Python's notation are not read."""


class Documents:
    """The documents of all searches of one answer; the latest search with a number counts."""

    def __init__(self) -> None:
        self._searches: list[Sequence[tuple[str, str]]] = []

    def found(self, output: Any) -> bool:
        """Read the output of a search; False if it names no documents or was read before."""
        search = _read(output)
        if not search or (self._searches and self._searches[-1] == search):
            return False
        self._searches.append(search)
        return True

    def resolve(self, citation: dict[str, Any]) -> None:
        """Give a url citation that names a document by number its address and title."""
        index, titled = _number(citation.get("url")), _number(citation.get("title"))
        base = as_text(citation.get("url")) if index is None else ""
        index = titled if index is None else index
        if index is None:
            return
        for search in reversed(self._searches):
            address, title = search[index] if index < len(search) else ("", "")
            if address and address.startswith(base):
                citation["url"] = address
                if title and (titled is not None or not citation.get("title")):
                    citation["title"] = title
                return


def lacks_address(citation: Json) -> bool:
    """Whether a url citation has the number of a document instead of an address."""
    return _number(citation.get("url")) is not None


def may_be_resolved(citation: Json) -> bool:
    """Whether the output of a search may give a url citation another address."""
    url, title = citation.get("url"), citation.get("title")
    return lacks_address(citation) or (bool(url) and _number(title) is not None and _is_root(url))


def _is_root(url: Any) -> bool:
    return as_text(url).rstrip("/").count("/") == 2


def _number(value: Any) -> int | None:
    found = _NUMBERED.fullmatch(as_text(value))
    return int(found[1]) if found else None


def _read(output: Any) -> Sequence[tuple[str, str]]:
    """(address, title) of each document; empty if the output is not that of a search.

    ``get_urls`` address the documents in the index. ``urls`` and ``titles`` are fields of the index
    that may be missing; the service then fills in the numbers.
    """
    found = as_object(_decode(output) if isinstance(output, str) else output)
    found = as_object(found.get("metadata")) or found
    documents = as_objects(found.get("documents"))
    addresses = _merge(found.get("get_urls"), found.get("urls"), _column(documents, "url"))
    titles = _merge(found.get("titles"), _column(documents, "title"))
    titles += [""] * (len(addresses) - len(titles))
    return list(zip(addresses, titles, strict=False)) if any(addresses) else []


def _decode(text: str) -> Any:
    """JSON, or Python's notation, which classic agents were seen to use."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if not text.lstrip().startswith("{") or len(text) > _MAX_OUTPUT:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _column(documents: Iterable[Json], name: str) -> list[Any]:
    return [document.get(name) for document in documents]


def _merge(*columns: Any) -> list[str]:
    """For each document the first of the columns that says more than its number; else ""."""
    lists = [column for column in columns if isinstance(column, list)]
    length = max(map(len, lists), default=0)
    merged = [""] * length
    for column in reversed(lists):
        for index, value in enumerate(column):
            if as_text(value) and _number(value) is None:
                merged[index] = whole(value)
    return merged
