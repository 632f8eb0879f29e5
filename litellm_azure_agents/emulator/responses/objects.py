"""Objects of the new protocol; no I/O. Fields whose names begin with `_` are not for clients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..core.ids import new_id, now
from ..core.store import Doc, public

ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})
INCLUDE_RESULTS = "file_search_call.results"
INCLUDE_OUTPUTS = "code_interpreter_call.outputs"
INCLUDES = frozenset({
    INCLUDE_RESULTS, INCLUDE_OUTPUTS, "web_search_call.action.sources", "web_search_call.results",
    "computer_call_output.output.image_url", "message.input_image.image_url",
    "message.output_text.logprobs", "reasoning.encrypted_content",
    "memory_search_call.results",
})  # fmt: skip
SESSION_DAYS = 30


def response_object(
    definition: Mapping[str, Any],
    body: Mapping[str, Any],
    instructions: str | None,
    reference: Mapping[str, Any] | None,
    conversation: str | None,
    session: str | None,
) -> Doc:
    """A new response. What the body leaves out is the agent's."""

    def either(name: str, default: Any) -> Any:
        for source in (body, definition):
            if source.get(name) is not None:
                return source[name]
        return default

    background = bool(body.get("background"))
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": now(),
        "status": "queued" if background else "in_progress",
        "background": background,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": instructions,
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": either("model", ""),
        "output": [],
        "parallel_tool_calls": either("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": either("reasoning", {"effort": None, "summary": None}),
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": body.get("service_tier") or "default",
        "store": body.get("store") is not False,
        "temperature": either("temperature", 1.0),
        "text": either("text", {"format": {"type": "text"}}),
        "tool_choice": either("tool_choice", "auto"),
        "tools": either("tools", []),
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": either("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
        "conversation": {"id": conversation} if conversation else None,
        "agent_reference": dict(reference) if reference else None,
        "agent_session_id": session,
    }


def usage_object() -> dict[str, Any]:
    """Usage of a response that has not begun."""
    return {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }


def shown_response(doc: Mapping[str, Any]) -> Doc:
    """A response for clients."""
    return {**public(doc), "output": [public(item) for item in doc["output"]]}


def with_includes(item: Doc, include: Collection[str]) -> Doc:
    """An item with the parts that `include` names, and without the others."""
    if item["type"] == "file_search_call":
        asked = INCLUDE_RESULTS in include
        return {**item, "results": item.get("_results") if asked else None}
    if item["type"] == "code_interpreter_call":
        asked = INCLUDE_OUTPUTS in include
        return {**item, "outputs": item.get("_outputs") if asked else None}
    return item


def conversation_object(metadata: Mapping[str, str] | None) -> Doc:
    """A new conversation."""
    return {
        "id": new_id("conv_"),
        "object": "conversation",
        "created_at": now(),
        "metadata": dict(metadata or {}),
    }


# ---- agents ---------------------------------------------------------------------------------


def version_object(name: str, version: int, body: Mapping[str, Any]) -> Doc:
    """A version of an agent."""
    return {
        "object": "agent.version",
        "id": f"{name}:{version}",
        "name": name,
        "version": str(version),
        "description": body.get("description") or "",
        "metadata": body.get("metadata") or {},
        "created_at": now(),
        "definition": body["definition"],
        "status": "active",
        "draft": bool(body.get("draft")),
        "blueprint_reference": body.get("blueprint_reference"),
    }


def agent_doc(name: str) -> Doc:
    """An agent without versions."""
    return {
        "object": "agent",
        "id": name,
        "name": name,
        "state": "enabled",
        "agent_endpoint": None,
        "agent_card": None,
        "_next": 1,
    }


def session_object(id: str, version: str) -> Doc:
    """A session of a hosted agent."""
    created = now()
    return {
        "id": id,
        "agent_session_id": id,
        "version_indicator": {"type": "version_ref", "agent_version": version},
        "status": "active",
        "created_at": created,
        "last_accessed_at": created,
        "expires_at": created + SESSION_DAYS * 86_400,
    }
