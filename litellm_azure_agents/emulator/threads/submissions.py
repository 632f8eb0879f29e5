"""What a client must submit for the calls that a run waits for; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.errors import bad_request
from ..core.store import Doc


def pair_answers(
    kind: str,
    pending: Sequence[Doc],
    outputs: Sequence[Doc] | None,
    approvals: Sequence[Doc] | None,
) -> dict[str, Any]:
    """Answers by call id. Raises the 400 unless each pending call is answered exactly once."""
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
