"""Checks of the body of a response that a schema can't express."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import invalid
from ..core.settings import Strictness
from .objects import INCLUDES
from .tools import check_tools, tool_choice

REFUSED_WITH_AGENT: dict[str, str] = {
    "tools": "reported",
    "tool_choice": "reported",
    "parallel_tool_calls": "reported",
    "text": "reported",
    "model": "reported",
    "instructions": "reported",
    "temperature": "unconfirmed",
    "top_p": "unconfirmed",
    "reasoning": "unconfirmed",
    "truncation": "unconfirmed",
    "max_tool_calls": "unconfirmed",
    "top_logprobs": "unconfirmed",
    "prompt": "unconfirmed",
    "service_tier": "unconfirmed",
}
"""Fields that belong to the agent's definition, and how sure we are that the service refuses them
next to an agent. `Strictness.allowed_with_agent` allows some."""
UNCONFIRMED_WITH_AGENT = tuple(k for k, v in REFUSED_WITH_AGENT.items() if v == "unconfirmed")


def check_agent_fields(body: Mapping[str, Any], strict: Strictness) -> None:
    """Raise the 400 for fields that may not stand next to an agent."""
    for field in REFUSED_WITH_AGENT:
        if body.get(field) is not None and field not in strict.allowed_with_agent:
            raise invalid("Not allowed when agent is specified.", field)


def check_body(body: Mapping[str, Any], strict: Strictness) -> None:
    """Raise the 400 for values that are not allowed, or not together."""
    limit = body.get("max_output_tokens")
    if limit is not None and limit < strict.min_max_output_tokens:
        raise invalid(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >="
            f" {strict.min_max_output_tokens}, but got {limit} instead.",
            "max_output_tokens",
            "integer_below_min_value",
        )
    if body.get("background") and body.get("store") is False:
        raise invalid("Background mode requires 'store' to be true.", "store",
                      "unsupported_parameter")  # fmt: skip
    for value in body.get("include") or ():
        if value not in INCLUDES:
            known = ", ".join(sorted(INCLUDES))
            raise invalid(f"Invalid value: '{value}'. Supported values are: {known}.", "include")
    check_tools(body.get("tools") or [], "tools")
    if body.get("tool_choice") is not None:
        tool_choice(body["tool_choice"])
