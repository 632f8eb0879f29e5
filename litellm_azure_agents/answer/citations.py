"""Citation markers in the text (【4:0†source】): kept, stripped or turned into footnotes.

Works on deltas: a marker may be cut anywhere, so text from an opening bracket on is held back until
it shows itself as a marker or as ordinary text (full-width brackets are common in Chinese and
Japanese). Positions in the service's text can be asked for as positions in the text as delivered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["keep", "strip", "footnotes"]
Json = Mapping[str, Any]

MARKER = re.compile(r"【\d{1,4}(?::\d{1,4})?†([^【】\n]{0,256})】")
_BEGINNING = re.compile(r"【(?:\d{0,4}|\d{1,4}:\d{0,4}|\d{1,4}(?::\d{1,4})?†[^【】\n]{0,256})")
"""What may still become a marker; its length bounds what is held back."""
PATIENCE = 200
"""Characters after a marker for which a footnote waits to learn its source."""


@dataclass(slots=True)
class Footnotes:
    """The numbered sources of one answer, over all its text parts."""

    sources: list[tuple[Any, Json | None, str]] = field(default_factory=list)
    """(key, annotation if known, the marker's own name), in the order of their numbers."""

    def number(self, part: Any, marker: str, annotation: Json | None) -> int:
        """The number of a marker: one for each source, or each marker whose source isn't known."""
        key = source_key(annotation) if annotation else ("marker", part, marker)
        for number, (known, source, _) in enumerate(self.sources, 1):
            # What is known of a source may have changed: its address came later.
            if key == (known if source is None else source_key(source)):
                return number
        name = MARKER.fullmatch(marker)
        self.sources.append((key, annotation, name[1] if name else marker))
        return len(self.sources)

    def learn(self, part: Any, marker: str | None, annotation: Json) -> None:
        """The source of a marker that was numbered before it was known."""
        for i, (key, _, name) in enumerate(self.sources):
            if key == ("marker", part, marker):
                self.sources[i] = (key, annotation, name)

    def listing(self, names: Mapping[str, str | None]) -> str:
        """The list for the end of the answer; ``names`` are file names by id."""
        return "\n".join(
            f"[{number}] {_label(annotation, names) or name}"
            for number, (_, annotation, name) in enumerate(self.sources, 1)
        )


def source_key(annotation: Json) -> Any:
    """What makes two annotations cite the same source."""
    kind = str(annotation.get("type"))
    inner = annotation.get(kind) or {}
    return kind == "url_citation", inner.get("url") or inner.get("file_id")


def _label(annotation: Json | None, names: Mapping[str, str | None]) -> str:
    inner = (annotation or {}).get(str((annotation or {}).get("type"))) or {}
    url, title = inner.get("url"), inner.get("title")
    if url:
        return f"{title}: {url}" if title and title != url else str(url)
    file_id = inner.get("file_id")
    return str(inner.get("filename") or names.get(str(file_id)) or file_id or "")


class Citations:
    """The filter of one text part; ``find`` gives the annotation of a marker at a position."""

    __slots__ = ("_edits", "_find", "_held", "_notes", "_part", "_seen")

    def __init__(
        self, notes: Footnotes | None, part: Any, find: Callable[[str, int], Json | None]
    ) -> None:
        self._notes = notes
        self._part = part
        self._find = find
        self._held = ""
        self._seen = 0  # characters of the service's text that are decided
        self._edits: list[tuple[int, int, int]] = []  # marker's start, end, what stands for it

    @property
    def decided(self) -> int:
        """How far into the service's text positions are final."""
        return self._seen

    def feed(self, piece: str) -> str:
        """What can be given out now that ``piece`` has come."""
        if "【" not in piece and not self._held:
            self._seen += len(piece)
            return piece
        return self._filter(self._held + piece, last=False)

    def release(self) -> str:
        """What was held back, since nothing of this part comes any more (or another begins)."""
        return self._filter(self._held, last=True) if self._held else ""

    def _filter(self, text: str, *, last: bool) -> str:
        out: list[str] = []
        base, position = self._seen, 0
        while True:
            start = text.find("【", position)
            if start < 0:
                out.append(text[position:])
                position = len(text)
                break
            found = MARKER.match(text, start)
            if found is not None:
                mark = self._replacement(
                    found[0], base + start, wait=not last and len(text) - found.end() < PATIENCE
                )
                if mark is not None:
                    out += (text[position:start], mark)
                    self._edits.append((base + start, base + found.end(), len(mark)))
                    position = found.end()
                    continue
            elif last or not _BEGINNING.fullmatch(text, start):
                out.append(text[position : start + 1])
                position = start + 1
                continue
            out.append(text[position:start])
            position = start
            break
        self._held = text[position:]
        self._seen = base + position
        return "".join(out)

    def _replacement(self, marker: str, start: int, *, wait: bool) -> str | None:
        """What stands for a marker; None while that isn't known."""
        if self._notes is None:
            return ""
        annotation = self._find(marker, start)
        if annotation is None and wait:
            return None
        return f"[{self._notes.number(self._part, marker, annotation)}]"

    def position(self, index: int) -> int:
        """Where a position of the service's text is in what was given out of this part."""
        shift = 0
        for start, end, length in self._edits:
            if index >= end:
                shift += length - (end - start)
            elif index > start:
                return start + shift
            else:
                break
        return index + shift


def codepoints(text: str, units: int) -> int:
    """A position in UTF-16 units as a position in characters."""
    if text.isascii():
        return min(units, len(text))
    encoded = text.encode("utf-16-le", "surrogatepass")[: 2 * units]
    return len(encoded.decode("utf-16-le", "replace"))


def locate(text: str, inner: Json) -> tuple[int, int] | None:
    """Where an annotation stands in the service's ``text``, in characters.

    Whether the service counts characters or UTF-16 units is not known (protocols A4), so the marker
    decides: it is looked for at the index in either unit, then next to it. Without a marker, the
    unit by which the indices enclose one counts, else characters.
    """
    marker, start, end = inner.get("text"), inner.get("start_index"), inner.get("end_index")
    if not isinstance(start, int) or start < 0:
        start = None
    if marker and isinstance(marker, str):
        candidates = [] if start is None else [start, codepoints(text, start)]
        for candidate in candidates:
            if text.startswith(marker, candidate):
                return candidate, candidate + len(marker)
        places = [found.start() for found in re.finditer(re.escape(marker), text)]
        if places:
            nearest = min(places, key=lambda place: abs(place - (start or 0)))
            return nearest, nearest + len(marker)
    if start is None or not isinstance(end, int) or end < start:
        return None
    spans = [(start, end), (codepoints(text, start), codepoints(text, end))]
    for low, high in spans:
        # New agents tell where a marker begins and not where it ends.
        found = MARKER.match(text, low) if low == high else MARKER.fullmatch(text, low, high)
        if found is not None:
            return found.span()
    return min(start, len(text)), min(end, len(text))
