"""A response while it is processed."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.store import Doc
from ..engine.live import Live
from .writer import ResponseWriter


@dataclass
class LiveResponse(Live):
    """A response, its input, and what came before it."""

    writer: ResponseWriter
    history: list[Doc]
    """Items before this response's input."""
    given: list[Doc]
    """The input."""
    container: str
    """The id of code interpreter's container."""
    hosted_calls: int = field(default=0, init=False)
    """Calls of hosted tools so far."""

    @property
    def response(self) -> Doc:
        """The response as it is now."""
        return self.doc

    @property
    def conversation(self) -> str | None:
        """The id of the conversation that the response belongs to."""
        id: str | None = (self.doc["conversation"] or {}).get("id")
        return id

    @property
    def tools(self) -> list[Doc]:
        """The tools that the response may use."""
        found: list[Doc] = self.doc["tools"]
        return found

    @property
    def tools_used_up(self) -> bool:
        """Whether `max_tool_calls` hosted calls were made: further ones are ignored."""
        most: int | None = self.doc["max_tool_calls"]
        return most is not None and self.hosted_calls >= most
