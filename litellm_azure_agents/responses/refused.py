"""Which request fields may stand next to an agent, as a table (protocols B2).

A refused field belongs into the agent's definition: with it the service answers 400
``invalid_payload``, "Not allowed when agent is specified", so it is refused here before anything
is sent. A field that passes, or of which nobody knows, is sent as the caller gave it. If the
service refuses one after all, the error names it and says what to do; with ``drop_params``, or if
it has its default value, the request is sent again without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..core.actions import Reply
from ..core.call import Call
from ..core.options import OptionError


@dataclass(frozen=True, slots=True)
class Field:
    """What the service does with a field next to an agent, and who says so."""

    rule: Literal["refused", "passes", "unknown"]
    source: str


NEXT_TO_AGENT: dict[str, Field] = {
    "instructions": Field("refused", "several reports, also at the agent's own endpoint"),
    "temperature": Field("refused", "agent-framework #2573"),
    "top_p": Field("refused", "agent-framework #2573"),
    "tools": Field("refused", "agent-framework #5087, #5130; #6657 at the agent's own endpoint"),
    "text": Field("refused", "agent-framework #5467 and pull #5493"),
    "reasoning": Field("refused", "two public repositories"),
    "tool_choice": Field("passes", "'required': 12 files of the SDK's samples, most recorded"),
    "model": Field("passes", "several reports: only if it is the agent's own deployment"),
    "max_output_tokens": Field("passes", "one workshop; LiteLLM and promptfoo send it"),
    "store": Field("passes", "one workshop; LiteLLM and promptfoo send it"),
    "structured_inputs": Field("passes", "a sample of the SDK, Microsoft's documentation"),
    "agent_session_id": Field("passes", "a sample of the SDK"),
    "include": Field("passes", "agent-framework; but not reasoning.encrypted_content"),
    "truncation": Field("unknown", "a sample of the SDK that is not recorded has 'auto'"),
    "parallel_tool_calls": Field("unknown", "LiteLLM sends it, agent-framework doesn't"),
    "metadata": Field("unknown", "LiteLLM and promptfoo send it, no report of a refusal"),
    "background": Field("unknown", "LiteLLM and promptfoo send it, no report of a refusal"),
    "max_tool_calls": Field("unknown", "LiteLLM and promptfoo send it, no report of a refusal"),
}
"""Fields that are not listed are unknown as well."""

REFUSED = frozenset(name for name, field in NEXT_TO_AGENT.items() if field.rule == "refused")

HARMLESS: dict[str, tuple[Any, ...]] = {
    "tool_choice": ("auto",),
    "parallel_tool_calls": (True,),
    "text": ({"format": {"type": "text"}},),
}
"""Values that equal the default: a field that is refused is left out instead."""

CALLERS_NAMES = {
    "text": "response_format",
    "max_output_tokens": "max_tokens",
    "reasoning": "reasoning_effort",
    "metadata": "run_metadata",
}
"""The caller's parameters for fields that have another name in the request."""

ADVICE: dict[str, str] = {
    "instructions": "use additional_instructions or a system message, which go in as developer and "
    "system messages, or change the agent's definition",
    "tool_choice": "the agent's definition says how its tools are chosen",
    "model": "the agent's definition names its model",
}

CLASSIC_ONLY: dict[str, str] = {
    "tool_resources": "give the agent's tools their files and indexes in its definition",
    "truncation_strategy": "use truncation ('auto' or 'disabled')",
    "max_prompt_tokens": "use truncation='auto'",
    "thread_metadata": "use response_metadata",
}
"""Options that only classic agents have, and what to do instead."""

_PHRASES = ("not allowed when agent is specified", "must match the agent's model")


def check_classic_options(call: Call) -> None:
    """Refuse options of classic agents by name; raises OptionError."""
    for name, advice in CLASSIC_ONLY.items():
        if getattr(call.options, name) is not None and not call.drop_params:
            raise OptionError(f"{name!r} is for classic agents: {advice}", name)


def allowed(
    call: Call, fields: Mapping[str, Any], *, names: Mapping[str, str] = CALLERS_NAMES
) -> dict[str, Any]:
    """The fields that the service takes in a request that names an agent.

    Raises OptionError for a field that has an effect and is refused, unless the caller drops
    parameters. ``names`` maps fields to the caller's names for them.
    """
    kept: dict[str, Any] = {}
    for wire, value in fields.items():
        if wire not in REFUSED:
            kept[wire] = value
        elif value not in HARMLESS.get(wire, ()) and not call.drop_params:
            name = names.get(wire, wire)
            raise OptionError(refusal(wire, name), name)
    return kept


def defaults(body: Mapping[str, Any]) -> set[str]:
    """The fields of a body that say nothing but the default, so that they can be left out."""
    return {name for name, value in body.items() if value in HARMLESS.get(name, ())}


def refusal(wire: str, name: str | None = None) -> str:
    """The error message for a refused field; names it as the caller does."""
    name = name or CALLERS_NAMES.get(wire, wire)
    advice = ADVICE.get(wire, "set it in the agent's definition")
    return (
        f"the service doesn't take {name!r} with a call to an agent: {advice}, or leave it out "
        "(drop_params=True does)"
    )


def fields_in(reply: Reply) -> list[str]:
    """The fields that a 400 names as refused beside an agent; empty for any other error."""
    error = (reply.object() or {}).get("error") if reply.status == 400 else None
    if not isinstance(error, Mapping):
        return []
    details = error.get("details")
    entries: Sequence[Any] = [error, *(details if isinstance(details, list) else ())]
    named = [
        str(entry["param"]).lstrip("/").split(".")[0].split("/")[0]
        for entry in entries
        if isinstance(entry, Mapping)
        and entry.get("param")
        and any(phrase in str(entry.get("message")).lower() for phrase in _PHRASES)
    ]
    return list(dict.fromkeys(named))
