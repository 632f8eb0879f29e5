"""Objects as the classic service returns them, made from request bodies; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.ids import new_id, now
from ..core.store import Doc

TERMINAL = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})


def agent_object(body: Mapping[str, Any], id: str | None = None) -> Doc:
    """A new agent."""
    return {
        "id": id or new_id("asst_"),
        "object": "assistant",
        "created_at": now(),
        "name": body.get("name"),
        "description": body.get("description"),
        "model": body["model"],
        "instructions": body.get("instructions"),
        "tools": body.get("tools") or [],
        "tool_resources": body.get("tool_resources") or {},
        "temperature": _or(body.get("temperature"), 1.0),
        "top_p": _or(body.get("top_p"), 1.0),
        "response_format": body.get("response_format") or "auto",
        "metadata": body.get("metadata") or {},
    }


def thread_object(body: Mapping[str, Any]) -> Doc:
    """A new thread; its messages are objects of their own."""
    return {
        "id": new_id("thread_"),
        "object": "thread",
        "created_at": now(),
        "tool_resources": body.get("tool_resources") or {},
        "metadata": body.get("metadata") or {},
    }


def message_object(
    thread_id: str,
    role: str,
    content: Sequence[Mapping[str, Any]] | str,
    *,
    attachments: Sequence[Mapping[str, Any]] | None = None,
    metadata: Mapping[str, str] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Doc:
    """A new message: completed if a client wrote it, in progress if `run` writes it."""
    created = now()
    return {
        "id": new_id("msg_"),
        "object": "thread.message",
        "created_at": created,
        "thread_id": thread_id,
        "status": "in_progress" if run else "completed",
        "incomplete_details": None,
        "completed_at": None if run else created,
        "incomplete_at": None,
        "role": role,
        "content": _content_out(content),
        "assistant_id": run["assistant_id"] if run else None,
        "run_id": run["id"] if run else None,
        "attachments": list(attachments or []),
        "metadata": dict(metadata or {}),
    }


def _content_out(content: Sequence[Mapping[str, Any]] | str) -> list[Doc]:
    """Parts as clients read them: text is an object, other parts are as they were sent."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [text_part(part["text"]) if part["type"] == "text" else dict(part) for part in parts]


def text_part(value: str) -> Doc:
    """A text part of a message."""
    return {"type": "text", "text": {"value": value, "annotations": []}}


def run_object(
    thread_id: str,
    agent: Mapping[str, Any],
    body: Mapping[str, Any],
    lifetime: float,
) -> Doc:
    """A new run in status queued. What the body leaves out is the agent's.

    `tools`, `tool_resources` and `instructions` of the body replace the agent's;
    `additional_instructions` are appended to either.
    """
    created = now()
    instructions = _or(body.get("instructions"), agent["instructions"])
    instructions = "\n".join(filter(None, [instructions, body.get("additional_instructions")]))
    return {
        "id": new_id("run_"),
        "object": "thread.run",
        "created_at": created,
        "assistant_id": agent["id"],
        "thread_id": thread_id,
        "status": "queued",
        "started_at": None,
        "expires_at": created + max(1, round(lifetime)),
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": body.get("model") or agent["model"],
        "instructions": instructions,
        "tools": _or(body.get("tools"), agent["tools"]),
        "tool_resources": _or(body.get("tool_resources"), agent["tool_resources"]),
        "metadata": body.get("metadata") or {},
        "temperature": _or(body.get("temperature"), agent["temperature"]),
        "top_p": _or(body.get("top_p"), agent["top_p"]),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "truncation_strategy": body.get("truncation_strategy")
        or {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": None,
        "response_format": body.get("response_format") or agent["response_format"],
        "tool_choice": body.get("tool_choice") or "auto",
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
    }


def usage_object(prompt: int = 0, completion: int = 0) -> dict[str, int]:
    """Token counts."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def step_object(run: Mapping[str, Any], type: str, details: Mapping[str, Any]) -> Doc:
    """A new run step in progress. The wire says `expires_at` where the spec says `expired_at`."""
    return {
        "id": new_id("step_"),
        "object": "thread.run.step",
        "created_at": now(),
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": type,
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": run["expires_at"],
        "failed_at": None,
        "last_error": None,
        "step_details": dict(details),
        "usage": None,
        "metadata": {},
    }


def without_search_content(step: Doc, include: bool) -> Doc:
    """The step with or without the passages that file search found."""
    if include or step["type"] != "tool_calls":
        return step
    calls = []
    for call in step["step_details"]["tool_calls"]:
        if call["type"] == "file_search":
            results = [
                {k: v for k, v in result.items() if k != "content"}
                for result in call["file_search"].get("results", [])
            ]
            call = {**call, "file_search": {**call["file_search"], "results": results}}
        calls.append(call)
    return {**step, "step_details": {**step["step_details"], "tool_calls": calls}}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
