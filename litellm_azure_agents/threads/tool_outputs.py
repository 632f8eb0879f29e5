"""Builds the body of submit_tool_outputs from a client's tool results (protocols A4)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from ..continuity.call_ids import CallKind, CallRef
from ..continuity.history import HistoryError, ToolResult
from ..continuity.tool_results import parse_approval, result_text
from ..core.json_values import as_object
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
    """The answer to a run that waits for approvals only, if the policy gives one; else None."""
    calls = pending_calls(run)
    if policy == "return" or not all(call.get("type") == "mcp" for call in calls):
        return None
    approve = policy == "approve"
    return {"tool_approvals": [{"tool_call_id": c["id"], "approve": approve} for c in calls]}


def match_results(
    thread_id: str, run: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> tuple[ToolResult, ...]:
    """Match results to the calls of a waiting run, by the service's call ids or by function names.

    Returns () if they belong to none of its calls. Raises HistoryError if they fit only in part.
    """
    waiting = {call["id"]: call for call in pending_calls(run)}
    by_name: defaultdict[Any, deque[str]] = defaultdict(deque)
    for id, call in waiting.items():
        by_name[as_object(call.get("function")).get("name")].append(id)
    found: dict[str, Mapping[str, Any]] = {}
    unknown: list[str] = []
    for message in messages:
        id = str(message.get("tool_call_id") or _next_of(by_name[message.get("name")], found))
        if id in waiting:
            found[id] = message
        else:
            unknown.append(id)
    if not found:
        return ()
    missing = [id for id in waiting if id not in found]
    if unknown or missing:
        raise HistoryError(
            f"run {run.get('id')} waits for the results of {', '.join(waiting)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    run_id = str(run.get("id"))
    return tuple(
        ToolResult(CallRef(_kind(waiting[id]), (thread_id, run_id, id)), message)
        for id, message in found.items()
    )


def _kind(call: Mapping[str, Any]) -> CallKind:
    return CallKind.RUN_APPROVAL if call["type"] == "mcp" else CallKind.RUN_CALL


def _next_of(ids: deque[str], found: Mapping[str, Any]) -> str | None:
    """The first of ``ids`` that is not found; takes those before it away."""
    while ids and ids[0] in found:
        ids.popleft()
    return ids[0] if ids else None
