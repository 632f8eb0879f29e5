"""What the output items of a response say, for those who read chat completions (protocols B4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..answer import Usage

Json = Mapping[str, Any]

CLIENT_CALLS = frozenset(
    {"custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
)
"""Calls that a client would have to answer and chat completions have no form for: passed on."""
_TRACES = frozenset({"mcp_list_tools", "tool_search_output"})
_PICTURE_FIELDS = ("result",)
"""Of a trace: megabytes that are given out as an image already."""


def map_annotation(annotation: Json) -> dict[str, Any]:
    """A flat annotation in OpenAI's nested form; a lone ``index`` is where it starts and ends."""
    kind = str(annotation.get("type"))
    inner = {n: v for n, v in annotation.items() if n != "type" and v is not None}
    index = inner.pop("index", None)
    if index is not None:
        inner.setdefault("start_index", index)
        inner.setdefault("end_index", index)
    return {"type": kind, kind: inner}


def map_usage(usage: Json | None) -> Usage | None:
    """The response's token counts, or None where the service gives none."""
    if not usage or usage.get("total_tokens") is None:
        return None
    return Usage(
        prompt_tokens=usage.get("input_tokens") or 0,
        completion_tokens=usage.get("output_tokens") or 0,
        total_tokens=usage["total_tokens"],
        cached_tokens=(usage.get("input_tokens_details") or {}).get("cached_tokens"),
        reasoning_tokens=(usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
    )


def add_usage(first: Usage | None, second: Usage | None) -> Usage | None:
    """The sum, for an answer that took several responses."""
    if first is None or second is None:
        return first or second
    return Usage(
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        first.total_tokens + second.total_tokens,
        _sum(first.cached_tokens, second.cached_tokens),
        _sum(first.reasoning_tokens, second.reasoning_tokens),
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)


def is_trace(kind: str) -> bool:
    """Whether an item of this type shows what a tool did at the service."""
    if kind in CLIENT_CALLS or kind.startswith("function_call"):
        return False
    return kind in _TRACES or kind.endswith(("_call", "_call_output"))


def map_trace(item: Json) -> dict[str, Any]:
    """An entry of run_steps: the item's fields as they are, ``type`` without its ending."""
    kind = str(item.get("type"))
    plain = kind.replace("_call_output", "_output").removesuffix("_call").replace("_preview", "")
    fields = {n: v for n, v in item.items() if n not in _PICTURE_FIELDS}
    identified = {"id": str(item.get("id")), "type": plain}
    return {**fields, **identified, "status": str(item.get("status") or "completed")}


def map_image(item: Json) -> dict[str, Any] | None:
    """A generated picture as a data URL, in the form of LiteLLM's image-output models."""
    data = item.get("result")
    if not data:
        return None
    kind = item.get("output_format") or "png"
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}"}}


def consent_text(item: Json) -> str:
    """What the user has to do before the agent can use a tool in his name."""
    label = item.get("server_label") or item.get("name") or "a tool"
    return f"Please sign in to let the agent use {label}: {item.get('consent_link') or ''}".rstrip()


def finish_reason(response: Json) -> str:
    """``stop``, ``length`` or ``content_filter`` for what completed or ended incomplete."""
    if response.get("status") != "incomplete":
        return "stop"
    reason = str((response.get("incomplete_details") or {}).get("reason") or "")
    return "length" if "token" in reason else "content_filter"
