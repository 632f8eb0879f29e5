"""The service's annotations -> OpenAI's nested form (protocols A4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.json_values import as_text


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
