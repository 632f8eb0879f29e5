"""A client's tool messages, read for both protocols: result texts and approval decisions."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..content.parts import TEXT_TYPES, text_of
from ..core.json_values import as_text
from .history import HistoryError

APPROVAL_FUNCTION = "mcp_approval_request"
"""Name of the synthetic function call that asks the client for an MCP approval."""

_YES = frozenset({"true", "yes", "y", "approve", "approved", "allow", "ok", "1"})
_NO = frozenset({"false", "no", "n", "deny", "denied", "reject", "rejected", "refuse", "0"})


def result_text(content: Any) -> str:
    """A tool message's content as the string that the service takes; JSON values are dumped.

    What is no text (pictures, files) is left out, and a note says so to the agent.
    """
    if isinstance(content, Mapping) or (
        isinstance(content, list) and not all(_is_part(part) for part in content)
    ):
        return json.dumps(content, ensure_ascii=False)
    if isinstance(content, list):
        texts = [part for part in content if _is_text(part)]
        kinds = Counter(part["type"] for part in content if not _is_text(part))
        note = ", ".join(f"{times} x {kind}" for kind, times in kinds.items())
        left_out = [f"[left out, since results are text here: {note}]"] if note else []
        return "\n".join(filter(None, [text_of(texts), *left_out]))
    return text_of(content) if content is None or isinstance(content, str) else json.dumps(content)


def _is_part(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, Mapping) and bool(as_text(part.get("type"))))


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or part["type"] in TEXT_TYPES


def parse_approval(text: str, message: Mapping[str, Any]) -> bool:
    """Yes or no from ``{"approve": true}``, ``true``, ``yes`` …; anything unclear is refused."""
    value: Any = text.strip()
    with contextlib.suppress(ValueError):
        value = json.loads(value)
    if isinstance(value, Mapping) and "approve" in value:
        value = value["approve"]
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower().rstrip(".!")
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise HistoryError(
        f"the answer to approval {message.get('tool_call_id')} is unclear: {text[:80]!r}. Answer "
        'with {"approve": true} or {"approve": false}'
    )


def build_approval_arguments(call: Mapping[str, Any]) -> str:
    """The arguments of the synthetic call: which server wants to run which tool with what."""
    return json.dumps({name: call.get(name) for name in ("server_label", "name", "arguments")})
