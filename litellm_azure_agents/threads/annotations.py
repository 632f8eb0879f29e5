"""The service's annotations -> OpenAI's nested form (protocols A4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..answer.documents import lacks_address
from ..core.json_values import Json, as_object, as_objects, as_text


def map_annotation(annotation: Mapping[str, Any]) -> dict[str, Any] | None:
    """``{type, <type>: {…, start_index, end_index, text}}``, or None for one without content."""
    kind = as_text(annotation.get("type"))
    inner = annotation.get(kind)
    if not isinstance(inner, Mapping):
        return None
    mapped = {name: value for name, value in inner.items() if value is not None}
    for name in ("start_index", "end_index", "text"):
        if annotation.get(name) is not None:
            mapped[name] = annotation[name]
    return {"type": kind, kind: mapped}


def cite_by_number(messages: Iterable[Json]) -> bool:
    """Whether messages cite documents whose addresses only the run's steps have."""
    return any(
        lacks_address(as_object(annotation.get("url_citation")))
        for message in messages
        for part in as_objects(message.get("content"))
        for annotation in as_objects(as_object(part.get("text")).get("annotations"))
    )
