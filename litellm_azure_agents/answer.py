"""The answer as delivered so far, for both protocols: what arrives becomes deltas, each part once.

A machine tells it what the service says, as often as the service repeats it (deltas, the finished
message, the list of messages asked for after a broken stream); the answer gives out only what has
not been given out yet. It also knows where in the delivered text each service text part begins, so
that citations point to positions in the text that the client has.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .citations import Citations, Mode

SEPARATOR = "\n\n"
"""Between two messages, or two text parts, of one answer: chat completions have one text."""


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
    tool_calls: list[ToolCallDelta] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    usage: Usage | None = None
    service_model: str | None = None
    finish_reason: str | None = None

    def is_only_text(self) -> bool:
        return not (
            self.reasoning or self.refusal or self.tool_calls or self.annotations or self.images
            or self.usage or self.finish_reason
        )  # fmt: skip


@dataclass(slots=True)
class _Text:
    """One text part of the service: how much came, and where it stands in what was delivered."""

    received: int = 0
    start: int = -1
    citations: Citations | None = None


@dataclass(slots=True)
class _Call:
    index: int
    arguments: int = 0


class Answer:
    """Collects what the service says and gives out deltas with `take`."""

    def __init__(self, *, citations: Mode = "keep") -> None:
        self.ids: dict[str, str] = {}
        self._mode: Mode = citations
        self._pending: list[Delta] = []
        self._texts: dict[Hashable, _Text] = {}
        self._streams: dict[Hashable, int] = {}  # reasoning, refusals: characters received
        self._calls: dict[Hashable, _Call] = {}
        self._once: set[Hashable] = set()
        self._delivered = 0
        self._footnotes: list[str] = []

    # -- out -----------------------------------------------------------------------------------

    def take(self) -> list[Delta]:
        """What is new since the last call; text that arrived together is one delta."""
        pending, self._pending = self._pending, []
        return pending

    @property
    def tool_call_count(self) -> int:
        return len(self._calls)

    # -- ids -----------------------------------------------------------------------------------

    def know(self, **ids: str | None) -> None:
        """Remember ids; they ride on every chunk from now on."""
        for name, value in ids.items():
            if value:
                self.ids[name] = value

    def announce(self) -> None:
        """A first chunk that carries the ids alone."""
        self._pending.append(Delta())

    # -- text ----------------------------------------------------------------------------------

    def text(self, part: Hashable, piece: str) -> None:
        """``piece`` continues the text part ``part``."""
        text = self._texts.get(part)
        if text is None:
            text = self._texts[part] = _Text(citations=Citations.for_mode(self._mode))
        text.received += len(piece)
        if text.citations is not None:
            piece = text.citations.feed(piece)
        if piece:
            self._deliver(text, piece)

    def whole_text(self, part: Hashable, full: str) -> None:
        """The part is complete and reads ``full``: what deltas did not bring is given now."""
        text = self._texts.get(part)
        received = text.received if text else 0
        if len(full) > received:
            self.text(part, full[received:])
        text = self._texts.get(part)
        if text is not None and text.citations is not None:
            rest = text.citations.finish()
            if rest:
                self._deliver(text, rest)

    def _deliver(self, text: _Text, piece: str) -> None:
        if text.start < 0:
            if self._delivered:
                piece_before = SEPARATOR
                self._append_text(piece_before)
            text.start = self._delivered
        self._append_text(piece)

    def _append_text(self, piece: str) -> None:
        self._delivered += len(piece)
        if self._pending and self._pending[-1].is_only_text():
            self._pending[-1].text += piece
        else:
            self._pending.append(Delta(text=piece))

    def reasoning(self, part: Hashable, piece: str) -> None:
        """``piece`` continues a text of the model's reasoning."""
        self._stream(("reasoning", part), "reasoning", piece)

    def whole_reasoning(self, part: Hashable, full: str) -> None:
        self.reasoning(part, full[self._streams.get(("reasoning", part), 0) :])

    def refusal(self, part: Hashable, piece: str) -> None:
        """``piece`` continues a refusal."""
        self._stream(("refusal", part), "refusal", piece)

    def whole_refusal(self, part: Hashable, full: str) -> None:
        self.refusal(part, full[self._streams.get(("refusal", part), 0) :])

    def _stream(self, key: Hashable, kind: str, piece: str) -> None:
        if not piece:
            return
        if key not in self._streams:
            if any(other[0] == kind for other in self._streams if isinstance(other, tuple)):
                self._pending.append(_delta_of(kind, SEPARATOR))
            self._streams[key] = 0
        self._streams[key] += len(piece)
        last = self._pending[-1] if self._pending else None
        if last is not None and getattr(last, kind):
            setattr(last, kind, getattr(last, kind) + piece)
        else:
            self._pending.append(_delta_of(kind, piece))

    # -- citations, images, traces -------------------------------------------------------------

    def annotation(self, part: Hashable, number: Hashable, annotation: Mapping[str, Any]) -> None:
        """An annotation in OpenAI's nested form, with positions in the service's text part.

        ``number`` tells apart the annotations of a part; a repeated one is given out once.
        """
        if not self.first_time(("annotation", part, number)):
            return
        text = self._texts.get(part)
        placed = self._place(annotation, text)
        self._pending.append(Delta(annotations=[placed]))

    def _place(self, annotation: Mapping[str, Any], text: _Text | None) -> dict[str, Any]:
        kind = str(annotation.get("type"))
        inner = dict(annotation.get(kind) or {})
        for name in ("start_index", "end_index"):
            position = inner.get(name)
            if isinstance(position, int) and text is not None and text.start >= 0:
                if text.citations is not None:
                    position = text.citations.position(position)
                inner[name] = text.start + position
        return {**annotation, kind: inner}

    def image(self, key: Hashable, image: Mapping[str, Any]) -> None:
        """An image in the form of LiteLLM's image-output models, once."""
        if self.first_time(("image", key)):
            self._pending.append(Delta(images=[dict(image)]))

    def fields(self, **fields: Any) -> None:
        """Provider-specific fields, on a chunk of their own."""
        self._pending.append(Delta(fields=fields))

    def first_time(self, key: Hashable) -> bool:
        """Whether ``key`` was not seen before; for what the service repeats."""
        if key in self._once:
            return False
        self._once.add(key)
        return True

    # -- tool calls ----------------------------------------------------------------------------

    def tool_call(self, key: Hashable, *, id: str, name: str) -> None:
        """A function call begins. ``key`` names it for its later pieces; repeats are ignored."""
        if key not in self._calls:
            call = self._calls[key] = _Call(index=len(self._calls))
            self._add_call(ToolCallDelta(index=call.index, id=id, name=name))

    def tool_arguments(self, key: Hashable, piece: str) -> None:
        """``piece`` continues the arguments of the call ``key``."""
        call = self._calls.get(key)
        if call is None or not piece:
            return
        call.arguments += len(piece)
        last = self._pending[-1] if self._pending else None
        if last is not None and last.tool_calls and last.tool_calls[-1].index == call.index:
            last.tool_calls[-1].arguments += piece
        else:
            self._add_call(ToolCallDelta(index=call.index, arguments=piece))

    def whole_tool_call(self, key: Hashable, *, id: str, name: str, arguments: str) -> None:
        """The call is complete: what was not given out of it yet is given now."""
        self.tool_call(key, id=id, name=name)
        self.tool_arguments(key, arguments[self._calls[key].arguments :])

    def _add_call(self, call: ToolCallDelta) -> None:
        last = self._pending[-1] if self._pending else None
        if last is not None and last.tool_calls:
            last.tool_calls.append(call)
        else:
            self._pending.append(Delta(tool_calls=[call]))

    # -- the end -------------------------------------------------------------------------------

    def finish(self, reason: str, *, usage: Usage | None, model: str | None) -> None:
        """The answer is complete. Usage goes on a chunk before the last (protocols D5)."""
        if usage is not None:
            self._pending.append(Delta(usage=usage, service_model=model))
        self._pending.append(Delta(finish_reason=reason, service_model=model))


def _delta_of(kind: str, piece: str) -> Delta:
    delta = Delta()
    setattr(delta, kind, piece)
    return delta
