"""A text part of the service: what came of it, where it begins in the answer, its annotations.

`Answer` makes deltas of it.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.json_values import whole
from .citations import Citations, locate
from .documents import may_be_resolved
from .received import Received

Span = tuple[int, int]


@dataclass(slots=True)
class Annotation:
    """In OpenAI's nested form, with positions in the service's text part."""

    value: dict[str, Any]
    given: bool = False

    @property
    def inner(self) -> dict[str, Any]:
        inner: dict[str, Any] = self.value[str(self.value.get("type"))]
        return inner


@dataclass(slots=True)
class Passage:
    """``start`` is its position in the answer; -1 until something of it was given out.

    ``waiting`` is text that can be given out once an earlier part is complete.
    """

    received: Received
    start: int = -1
    waiting: str = ""
    citations: Citations | None = None
    annotations: dict[Hashable, Annotation] = field(default_factory=dict)

    def annotate(self, number: Hashable, annotation: Mapping[str, Any]) -> Annotation | None:
        """Add an annotation, or complete what came of it before.

        Returns None if it is malformed or was given out already.
        """
        kind = str(annotation.get("type"))
        given = annotation.get(kind)
        if not isinstance(given, Mapping):
            return None
        inner = {name: whole(value) for name, value in given.items() if _fits(name, value)}
        known = self.annotations.get(number)
        if known is None:
            known = self.annotations[number] = Annotation({"type": kind, kind: {}})
        elif known.given or known.value["type"] != kind:
            return None
        # In place: a numbered footnote keeps the annotation, and learns with it.
        known.inner.update(inner)
        known.value.update({**annotation, kind: known.inner})
        return known

    def citing(self, marker: str, at: int) -> dict[str, Any] | None:
        """The annotation of the marker that stands at a position of the service's text."""
        found = None
        for annotation in self.annotations.values():
            inner = annotation.inner
            if inner.get("text") == marker:
                return annotation.value
            if not inner.get("text"):  # a url_citation's delta has positions only
                span = locate(self.received.text, inner)
                if span is not None and span[0] == at:
                    found = annotation.value
        return found

    def ready(
        self, names: Container[str], *, anyway: bool
    ) -> Iterator[tuple[Annotation, Span | None]]:
        """The annotations to give out now, in order, with their places in the service's text;
        ``names`` has the files whose names were asked for."""
        for annotation in self.annotations.values():
            if annotation.given:
                continue
            if not anyway and not self._is_whole(annotation.inner, names):
                return
            revised = self.received.revised
            span = None if revised else locate(self.received.text, annotation.inner)
            if not anyway and not self._is_delivered(span):
                return
            yield annotation, span

    def _is_whole(self, inner: Mapping[str, Any], names: Container[str]) -> bool:
        """Whether an annotation will not become more complete than it is."""
        if may_be_resolved(inner):
            return False
        if inner.get("file_id") and not inner.get("filename"):
            if inner["file_id"] not in names:
                return False
            return self.received.complete or bool(inner.get("text"))
        return self.received.complete or not ("url" in inner and not inner.get("title"))

    def _is_delivered(self, span: Span | None) -> bool:
        if self.received.complete:
            return True
        decided = self.received.size if self.citations is None else self.citations.decided
        # A mere point may turn out to be where a marker begins.
        return self.start >= 0 and span is not None and span[0] < span[1] <= decided

    def place(self, span: Span, delivered: int) -> Span:
        """A place in the service's text as one in all that was delivered."""
        start, end = span
        base = self.start if self.start >= 0 else delivered
        if self.citations is not None:
            start, end = self.citations.position(start), self.citations.position(end)
        return base + start, base + end


_TEXTS = frozenset({"file_id", "container_id", "filename", "url", "title", "text"})
_INDICES = frozenset({"start_index", "end_index"})


def _fits(name: str, value: Any) -> bool:
    """Whether a field that is read here has its type; other fields are passed on as they are."""
    if name in _TEXTS:
        return isinstance(value, str)
    return name not in _INDICES or (isinstance(value, int) and not isinstance(value, bool))
