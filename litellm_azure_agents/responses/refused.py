"""The request fields that the service refuses when a request names an agent, as data.

These fields belong into the agent's definition. A request that has one of them gets 400
``invalid_payload``, "Not allowed when agent is specified", with the field in ``details[].param``.
This was observed for all of `REFUSED` except ``model`` and ``parallel_tool_calls``, which the SDK
doesn't send. Other fields are sent; if the service refuses one, the error names it, and with
``drop_params`` the request is sent again without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.actions import Reply
from ..core.call import Call
from ..core.options import OptionError

REFUSED = (
    "model", "instructions", "temperature", "top_p", "tools", "tool_choice",
    "parallel_tool_calls", "text",
)  # fmt: skip

HARMLESS: dict[str, tuple[Any, ...]] = {
    "tool_choice": ("auto",),
    "parallel_tool_calls": (True,),
    "text": ({"format": {"type": "text"}},),
}
"""Values of refused fields that equal the default: the field is left out instead of refused."""

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
}

CLASSIC_ONLY: dict[str, str] = {
    "tool_resources": "give the agent's tools their files and indexes in its definition",
    "truncation_strategy": "use truncation ('auto' or 'disabled')",
    "max_prompt_tokens": "use truncation='auto'",
    "thread_metadata": "use response_metadata",
}
"""Options that only classic agents have, and what to do instead."""

_PHRASE = "not allowed when agent is specified"


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
        and _PHRASE in str(entry.get("message")).lower()
    ]
    return list(dict.fromkeys(named))
