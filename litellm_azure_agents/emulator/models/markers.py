"""Markers in the text of a model, turned into annotations while the text streams; no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .base import Annotation, CallItem, Item, SearchHit, Text
from .cited_answers import best_sentence

_CITATION = re.compile(r"【(?:\d+:)?(\d{1,9})(?:†[^【】]*)?】")
LONGEST_CITATION = 300
SENTENCE = 300  # characters before a marker that tell which sentence of a passage it is about
SANDBOX = "sandbox:/mnt/data/"


def passages(items: Sequence[Item]) -> list[SearchHit]:
    """All passages found in a conversation; markers number them in this order."""
    return [hit for item in items if isinstance(item, CallItem) for hit in item.hits]


def marker_of(number: int, hit: SearchHit) -> str:
    """The marker of a passage, as the service writes them."""
    return f"【4:{number}†{hit.filename}】"


def links(items: Sequence[Item]) -> dict[str, str]:
    """Ids of the files that code made, by the links to them."""
    made = [file for item in items if isinstance(item, CallItem) for file in item.files]
    return {SANDBOX + name: id for name, id in made}


class Markers:
    """Splits streamed text so that every annotated text ends with its marker.

    Only what may be the beginning of a marker is held back.
    """

    def __init__(self, hits: Sequence[SearchHit], links: Mapping[str, str]) -> None:
        self._hits = hits
        self._links = links
        self._held = ""
        self._before = ""

    def feed(self, text: str) -> Iterator[Text]:
        """Take more text; yields what can be passed on."""
        self._held += text
        yield from self._release(last=False)

    def flush(self) -> Iterator[Text]:
        """Yield the rest, when no more text comes."""
        yield from self._release(last=True)

    def _release(self, *, last: bool) -> Iterator[Text]:
        while self._held:
            start, end, annotation = self._next(last)
            if start:
                yield self._text(self._held[:start])
            if end is None:
                self._held = self._held[start:]
                return
            marked = self._held[start:end]
            self._held = self._held[end:]
            if annotation is not None and annotation.kind == "file_citation":
                marked = annotation.marker
            yield self._text(marked, annotation)

    def _text(self, text: str, annotation: Annotation | None = None) -> Text:
        self._before = "" if annotation else (self._before + text)[-SENTENCE:]
        return Text(text, (annotation,) if annotation else ())

    def _next(self, last: bool) -> tuple[int, int | None, Annotation | None]:
        """Where the next marker begins and ends. No end: more text is needed to tell."""
        held = self._held
        starts = [n for n in (held.find("【"), self._link_start()) if n >= 0]
        if (not self._hits and not self._links) or not starts:
            return len(held), None, None
        start = min(starts)
        rest = held[start:]
        if rest[0] == "【":
            if match := _CITATION.match(rest):
                number = int(match.group(1))
                if number < len(self._hits):
                    before = self._before + held[:start]
                    return start, start + match.end(), self._citation(number, before)
                return start, start + match.end(), None
            whole = "】" in rest or len(rest) > LONGEST_CITATION or last
            return start, start + 1 if whole else None, None
        found = max((n for n in self._links if rest.startswith(n)), key=len, default="")
        longer = any(n.startswith(rest) and n != found for n in self._links)
        if longer and not last:
            return start, None, None
        if not found:
            return start, start + 1, None
        annotation = Annotation("file_path", found, file_id=self._links[found])
        return start, start + len(found), annotation

    def _link_start(self) -> int:
        """Where a link to a file that code made begins, or may begin at the end; else -1."""
        if not self._links:
            return -1
        start = self._held.find(SANDBOX)
        if start >= 0:
            return start
        for size in range(min(len(SANDBOX) - 1, len(self._held)), 0, -1):
            if SANDBOX.startswith(self._held[-size:]):
                return len(self._held) - size
        return -1

    def _citation(self, number: int, before: str) -> Annotation:
        hit = self._hits[number]
        quote = best_sentence(hit, before[-SENTENCE:])
        return Annotation("file_citation", marker_of(number, hit), file_id=hit.file_id, quote=quote)
