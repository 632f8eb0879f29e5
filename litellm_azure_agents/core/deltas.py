"""What is new in an answer, neutral to both protocols; ``host/chunks.py`` makes chunks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .json_values import as_int, as_object


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the service gives them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


def read_usage(
    usage: Any,
    *,
    prompt: str,
    completion: str,
    prompt_details: Sequence[str],
    completion_details: Sequence[str],
) -> Usage | None:
    """The counts in a service's ``usage``, by its names for them; None if it gives none."""
    counts = as_object(usage)
    total = as_int(counts.get("total_tokens"), -1)
    if total < 0:
        return None

    def detail(places: Sequence[str], name: str) -> int | None:
        found = (as_object(counts.get(place)).get(name) for place in places)
        return next((value for value in found if as_int(value, -1) >= 0), None)

    return Usage(
        prompt_tokens=max(as_int(counts.get(prompt)), 0),
        completion_tokens=max(as_int(counts.get(completion)), 0),
        total_tokens=total,
        cached_tokens=detail(prompt_details, "cached_tokens"),
        reasoning_tokens=detail(completion_details, "reasoning_tokens"),
    )


def add_usage(first: Usage | None, second: Usage | None) -> Usage | None:
    """The sum, for an answer that took several runs or responses."""
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


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of a function call; ``id`` and ``name`` come with the first piece only."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(slots=True)
class Delta:
    """What is new: the neutral form of one chunk. ``fields`` are provider-specific fields."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_call: ToolCallDelta | None = None
    """One at most: LiteLLM's bridge to ``/v1/messages`` reads the first of a chunk only."""
    annotations: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    usage: Usage | None = None
    service_model: str | None = None
    finish_reason: str | None = None

    def is_only_text(self) -> bool:
        return not (
            self.reasoning or self.refusal or self.tool_call or self.annotations or self.images
            or self.usage or self.finish_reason
        )  # fmt: skip
