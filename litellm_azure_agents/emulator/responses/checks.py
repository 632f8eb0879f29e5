"""Checks of the body of a response that a schema can't express."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..core.errors import invalid, not_with_agent
from ..core.settings import Strictness
from .objects import INCLUDES
from .tools import check_tools, tool_choice

Rule = Literal["refused", "refused by few reports", "must match", "unknown"]
WITH_AGENT: dict[str, tuple[Rule, str]] = {
    "tools": ("refused", "agent-framework #5087, #5130, #6657"),
    "text": ("refused", "agent-framework #5467"),
    "instructions": ("refused", "several reports"),
    "temperature": ("refused by few reports", "agent-framework #2573"),
    "top_p": ("refused by few reports", "agent-framework #2573"),
    "reasoning": ("refused by few reports", "two repositories"),
    "model": ("must match", "several reports: passes if it is the agent's own deployment"),
    "truncation": ("unknown", "an official sample that is not recorded"),
    "parallel_tool_calls": ("unknown", "no report"),
    "max_tool_calls": ("unknown", "no report"),
    "top_logprobs": ("unknown", "no report"),
    "prompt": ("unknown", "no report"),
    "service_tier": ("unknown", "no report"),
}
"""What happens to fields of a response next to an agent, and who says so. Fields that are not
listed pass (``tool_choice``: 12 recorded official samples). `Strictness.allowed_with_agent` allows
some that are refused, `Strictness.unknown_with_agent` says what becomes of the unknown ones."""
UNCONFIRMED_WITH_AGENT = tuple(
    name for name, (rule, _) in WITH_AGENT.items() if rule == "refused by few reports"
)


def check_agent_fields(
    body: Mapping[str, Any], definition: Mapping[str, Any], strict: Strictness
) -> None:
    """Raise the 400 for fields that may not stand next to an agent with this definition."""
    rules = {"refused", "refused by few reports"}
    if not strict.unknown_with_agent:
        rules.add("unknown")
    named = [
        name
        for name, (rule, _) in WITH_AGENT.items()
        if rule in rules and body.get(name) is not None and name not in strict.allowed_with_agent
    ]
    if named:
        raise not_with_agent(named)
    model, own = body.get("model"), definition.get("model")
    if model is not None and model != own and "model" not in strict.allowed_with_agent:
        raise invalid(
            f"Model must match the agent's model '{own}' when agent is specified.", "model"
        )


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
