"""Why an answer ended, from a run or a response that completed or is incomplete (A4, B3)."""

from __future__ import annotations

import re

from ..core.json_values import Json, as_int, as_object, as_text

UNKNOWN = "unknown"
"""The reason of an incomplete answer for which the service gives none."""

_FILTER = re.compile(r"filter|content_policy|safety|guardrail|responsible", re.I)
_LIMITS = (("max_completion_tokens", "completion_tokens"), ("max_prompt_tokens", "prompt_tokens"),
           ("max_output_tokens", "output_tokens"))  # fmt: skip
"""Limits of a run or response, and the counts in its usage that they bound."""


def incomplete_reason(ended: Json) -> str | None:
    """The service's own reason for an incomplete answer, None if the answer is complete."""
    if ended.get("status") != "incomplete":
        return None
    return as_text(as_object(ended.get("incomplete_details")).get("reason")) or UNKNOWN


def finish_reason(ended: Json) -> str:
    """``stop``, ``length`` or ``content_filter``.

    ``length`` is for token limits and ``content_filter`` for filters only. An incomplete answer
    without a reason that says so ended by ``length`` if it used up a limit.
    """
    reason = incomplete_reason(ended)
    if reason is None:
        return "stop"
    if "token" in reason.lower() or "length" in reason.lower():
        return "length"
    if _FILTER.search(reason):
        return "content_filter"
    return "length" if reason == UNKNOWN and _used_up(ended) else "stop"


def _used_up(ended: Json) -> bool:
    usage = as_object(ended.get("usage"))
    return any(0 < as_int(ended.get(limit)) <= as_int(usage.get(count)) for limit, count in _LIMITS)
