"""What a client answers to calls -> the body of submit_tool_outputs (protocols A4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..continuity import ToolResult
from ..tool_results import parse_approval, result_text
from .machine import pending_calls


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


def approval_answer(run: Mapping[str, Any], policy: str) -> dict[str, Any] | None:
    """The answer to a run that waits for approvals only, when the policy gives it; else None."""
    calls = pending_calls(run)
    if policy == "return" or not all(call.get("type") == "mcp" for call in calls):
        return None
    approve = policy == "approve"
    return {"tool_approvals": [{"tool_call_id": c["id"], "approve": approve} for c in calls]}
