"""A client's tool messages, read for both protocols: result texts and approval decisions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from ..content.parts import text_of
from .history import HistoryError

APPROVAL_FUNCTION = "mcp_approval_request"
"""Name of the synthetic function call that asks the client for an MCP approval."""

_YES = frozenset({"true", "yes", "y", "approve", "approved", "allow", "ok", "1"})
_NO = frozenset({"false", "no", "n", "deny", "denied", "reject", "rejected", "refuse", "0"})


def result_text(content: Any) -> str:
    """A tool message's content as the string that the service takes; JSON values are dumped."""
    if isinstance(content, Mapping) or (
        isinstance(content, list) and not all(_is_part(part) for part in content)
    ):
        return json.dumps(content, ensure_ascii=False)
    if content is None or isinstance(content, (str, list)):
        return text_of(content)
    return json.dumps(content)


def _is_part(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, Mapping) and part.get("type") is not None)


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
