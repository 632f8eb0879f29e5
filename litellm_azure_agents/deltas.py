"""What is new in an answer: the neutral form that both protocols give and ``chunks.py`` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the service gives them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


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
