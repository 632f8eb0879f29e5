"""The service's event stream as it is passed on to a client of ``litellm.responses``.

Events go by unchanged, each once, up to the one that ends the response. One that can't be decoded
is left out. Deltas behind it may have a gap, so they are left out too; a delta with what is missing
is put in front of the event that brings the finished text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..answer.received import Received
from ..core.actions import ServerEvent
from ..core.json_values import Json, as_int, as_object, as_objects, as_text
from ..protocol.machine import END_OF_STREAM

_ENDS = frozenset(
    {"response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"}
)
_FINISHED = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.code_interpreter_call_code": "code",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
}
"""What comes in deltas (protocols B5), and the field of its ``.done`` event with the whole."""
_PLACE = ("item_id", "output_index", "content_index", "summary_index")


class NativeEvents:
    """Selects the events to pass on; `ended` is true once the response's end is among them."""

    def __init__(self) -> None:
        self.ended = False
        self.sequence = -1
        """Number of the last event."""
        self.response_id = ""
        self._damaged = False
        self._texts: dict[tuple[Any, ...], Received] = {}

    def receive(self, batch: list[ServerEvent]) -> list[ServerEvent]:
        """The events of a batch that are to be passed on."""
        passed: list[ServerEvent] = []
        for event, data in _decode(batch):
            if self.ended:
                break
            if data is None:
                self._damage()
                continue
            number = as_int(data.get("sequence_number"), -1)
            if 0 < number <= self.sequence:
                continue  # it comes a second time
            self.sequence = max(number, self.sequence)
            passed += self._read(event, data)
        return passed

    def _read(self, event: ServerEvent, data: Json) -> list[ServerEvent]:
        name = as_text(data.get("type")) or event.name
        if not self.response_id:
            self.response_id = as_text(as_object(data.get("response")).get("id"))
        if name in _ENDS:
            self.ended = True
        elif name == "response.output_item.added":
            self._damaged = False  # the deltas of a new item can be trusted
        elif name == "response.output_item.done":
            return [*self._finished_item(data), event]
        kind, _, step = name.rpartition(".")
        if kind not in _FINISHED or step not in ("delta", "done"):
            return [event]
        key = (kind, *(data.get(name) for name in _PLACE))
        received = self._texts.setdefault(key, Received(doubtful=self._damaged))
        if step == "delta":
            piece = data.get("delta")
            if not isinstance(piece, str):
                self._damage()
            if received.doubtful or received.complete:
                return []
            received.add(as_text(piece))
            return [event]
        full = data.get(_FINISHED[kind])
        return [*self._missing(key, full, data), event]

    def _missing(self, key: tuple[Any, ...], full: Any, data: Json) -> list[ServerEvent]:
        """A delta with what damage took from a text, now that its finished form came."""
        received = self._texts[key]
        missing = received.finish(full) if isinstance(full, str) else ""
        if not missing or not received.doubtful:
            return []
        kind, *place = key
        name = f"{kind}.delta"
        delta = {"type": name, "delta": missing, "sequence_number": data.get("sequence_number")}
        delta |= dict(zip(_PLACE, place, strict=True))
        told = {field: value for field, value in delta.items() if value is not None}
        return [ServerEvent(name, json.dumps(told))]

    def _finished_item(self, data: Json) -> list[ServerEvent]:
        """What is missing of the texts of an item whose own finished forms were damaged."""
        item, index = as_object(data.get("item")), data.get("output_index")
        found: list[ServerEvent] = []
        for key, received in self._texts.items():
            if received.doubtful and not received.complete and key[2] == index:
                found += self._missing(key, _text_of(item, key[0], as_int(key[3])), data)
        return found

    def _damage(self) -> None:
        self._damaged = True
        for received in self._texts.values():
            received.damage()


def _decode(batch: Iterable[ServerEvent]) -> Iterator[tuple[ServerEvent, Json | None]]:
    """Events with their data, None if it can't be read. Events that ran together are parted: the
    blank line between them was lost."""
    for event in batch:
        data = _object(event.data)
        if data is None and "\n" in event.data:
            for line in filter(None, event.data.split("\n")):
                found = _object(line)
                yield replace(event, name=as_text((found or {}).get("type")), data=line), found
        elif data is not None and not as_text(data.get("type")):
            # LiteLLM reads the type of every event. Some hosts name the event only.
            named = {**data, "type": event.name}
            yield replace(event, data=json.dumps(named)), named
        elif event.data.strip() and event.data != END_OF_STREAM:
            yield event, data


def _text_of(item: Json, kind: str, number: int) -> Any:
    """The finished text in an item: that of one of its parts, or the item's own."""
    parts = as_objects(item.get("content"))
    holder = parts[number] if number < len(parts) else item
    return holder.get(_FINISHED[kind])


def _object(text: str) -> Json | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
