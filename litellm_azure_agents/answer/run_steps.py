"""What server-side tools did, for ``provider_specific_fields["run_steps"]`` (both protocols).

Each call of a tool is an entry with ``id``, ``type``, ``status`` and the service's own fields.
While the call runs, what is new is streamed as ``{"id", "type", "status": "in_progress",
"delta"}``; the delta has the form of the entry. When the call has ended, the whole entry comes
without ``delta`` and replaces all entries with its id. The last list of an answer has all entries,
for clients that don't want to fold. A whole answer has exactly that list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core.json_values import Json, as_int, as_text


class RunSteps:
    """The entries of one answer, in the order in which they began."""

    def __init__(self, give: Callable[[list[dict[str, Any]]], None]) -> None:
        self._give = give
        self._entries: dict[str, dict[str, Any]] = {}
        self._whole: set[str] = set()
        self._given = 0
        self._damaged = False

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What is known now."""
        return list(self._entries.values())

    def piece(self, id: str, type: str, delta: Json, **fields: Any) -> None:
        """Something new of a running call; ``fields`` are the entry's own (``step_id``)."""
        if id in self._whole or self._damaged:
            return
        entry = self._entries.get(id)
        new: dict[str, Any] = {"id": id, "type": type, "status": "in_progress"}
        if entry is None:
            entry = self._entries[id] = {**new, **fields}
            new |= fields
        merge(entry, delta)
        if delta:
            new["delta"] = dict(delta)
        self._send(new)

    def whole(self, entry: dict[str, Any]) -> None:
        """All of a call as it stands; a repeated one is given out once."""
        id = entry["id"]
        if id in self._whole and self._entries[id] == entry:
            return
        self._entries[id] = entry
        self._whole.add(id)
        self._send(entry)

    def damage(self) -> None:
        """An event could not be read: pieces may be missing, so only whole entries are given."""
        self._damaged = True

    def close(self) -> None:
        """The answer ends: give out a last list with all entries."""
        if self._entries and (self._given > 1 or len(self._whole) < len(self._entries)):
            self._give([dict(entry) for entry in self._entries.values()])

    def _send(self, entry: dict[str, Any]) -> None:
        self._given += 1
        self._give([dict(entry)])


def fold_by_id(into: list[Any], new: list[Any]) -> list[Any]:
    """Fold two lists of entries: an entry replaces an earlier one with its id (see above)."""
    places = {_key(entry): i for i, entry in enumerate(into) if _key(entry)}
    folded = list(into)
    for entry in new:
        key = _key(entry)
        if not key:
            if entry not in folded:  # later lists repeat what earlier ones had
                folded.append(entry)
        elif key not in places:
            places[key] = len(folded)
            folded.append(entry)
        elif "delta" not in entry:
            folded[places[key]] = entry
    return folded


def _key(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return as_text(entry.get("id")) or as_text(entry.get("file_id"))


def merge(into: dict[str, Any], delta: Json) -> None:
    """Merge ``delta`` into ``into`` as OpenAI's deltas are meant: strings grow, lists by index."""
    for name, value in delta.items():
        old = into.get(name)
        if isinstance(old, str) and isinstance(value, str):
            into[name] = old + value
        elif isinstance(old, dict) and isinstance(value, Mapping):
            merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            _merge_list(old, value)
        elif isinstance(value, Mapping):
            into[name] = {}
            merge(into[name], value)
        elif isinstance(value, list):
            into[name] = []
            _merge_list(into[name], value)
        elif value is not None or name not in into:
            into[name] = value


def _merge_list(into: list[Any], new: list[Any]) -> None:
    for item in new:
        if not isinstance(item, Mapping):
            into.append(item)
            continue
        index = as_int(item.get("index"), -1)
        rest = {name: value for name, value in item.items() if name != "index"}
        if 0 <= index < len(into) and isinstance(into[index], dict):
            rest.pop("type", None)
            merge(into[index], rest)
        else:
            into.append(rest)
