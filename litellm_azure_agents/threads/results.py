"""What a client answers to calls -> the body of submit_tool_outputs (protocols A4)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..content import text_of
from ..continuity import HistoryError, ToolResult
from .machine import pending_calls

_YES = frozenset({"true", "yes", "y", "approve", "approved", "allow", "ok", "1"})
_NO = frozenset({"false", "no", "n", "deny", "denied", "reject", "rejected", "refuse", "0"})


def build_outputs(results: Sequence[ToolResult]) -> dict[str, Any]:
    """``tool_outputs`` and ``tool_approvals``, whichever the results are. Raises HistoryError."""
    outputs: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    for result in results:
        text = result_text(result.message.get("content"))
        if result.ref.is_approval:
            approvals.append(
                {
                    "tool_call_id": result.ref.call_id,
                    "approve": parse_approval(text, result.message),
                }
            )
        else:
            outputs.append({"tool_call_id": result.ref.call_id, "output": text})
    body: dict[str, Any] = {}
    if outputs:
        body["tool_outputs"] = outputs
    if approvals:
        body["tool_approvals"] = approvals
    return body


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


def approval_answer(run: Mapping[str, Any], policy: str) -> dict[str, Any] | None:
    """The answer to a run that waits for approvals only, when the policy gives it; else None."""
    calls = pending_calls(run)
    if policy == "return" or not all(call.get("type") == "mcp" for call in calls):
        return None
    approve = policy == "approve"
    return {"tool_approvals": [{"tool_call_id": c["id"], "approve": approve} for c in calls]}
