"""What a client must submit for the calls a run waits for; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import bad_request
from ..core.store import Doc


def pair_answers(
    kind: str,
    pending: Sequence[Doc],
    outputs: Sequence[Doc] | None,
    approvals: Sequence[Doc] | None,
) -> dict[str, Any]:
    """Answers by call id. All pending calls must be answered at once, each once, and no others."""
    functions = kind == "submit_tool_outputs"
    given, wrong = (outputs, approvals) if functions else (approvals, outputs)
    noun, param = ("tool outputs", "tool_outputs") if functions else (
        "tool approvals", "tool_approvals"
    )  # fmt: skip
    if wrong:
        raise bad_request(f"The run waits for {noun}, and for nothing else.", param=param)
    expected = [call["id"] for call in pending]
    got = [answer["tool_call_id"] for answer in given or ()]
    if sorted(expected) != sorted(got):
        raise bad_request(f"Expected {noun} for call_ids {expected}, got {got}", param=param)
    return {answer["tool_call_id"]: answer for answer in given or ()}


def needs_approval(resources: Sequence[Mapping[str, Any]], label: str, tool: str) -> bool:
    """Whether `tool_resources.mcp` asks for approval of this call; by default it does."""
    for resource in resources:
        if resource["server_label"] != label:
            continue
        rule = resource.get("require_approval") or "always"
        if isinstance(rule, str):
            return rule == "always"
        if tool in ((rule.get("never") or {}).get("tool_names") or ()):
            return False
        always = rule.get("always")
        # With only an `always` list, tools outside it go without approval.
        listed = (always or {}).get("tool_names") or ()
        return always is None or tool in listed or rule.get("never") is not None
    return True
