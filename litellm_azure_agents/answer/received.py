"""The text of one part as the service sends it: deltas first, then its finished form."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.json_values import split_half, whole


@dataclass(slots=True)
class Received:
    """Decides what of a text may be given out: always a prefix of the truth (design rule 7).

    The finished form is the truth, deltas are its preview. After damage the deltas can't be
    trusted, so the rest waits for the finished form, and what is missing is found by comparing
    texts. With ``hold`` all deltas wait: the caller wants the finished form only.
    """

    hold: bool = False
    doubtful: bool = False
    """An event was damaged: deltas may be missing, so none are given out."""
    complete: bool = False
    """The finished form has come."""
    revised: bool = False
    """The finished form doesn't begin with what was given out."""
    size: int = 0
    """Characters given out."""
    _given: list[str] = field(default_factory=list)
    _held: list[str] = field(default_factory=list)
    _full: str | None = None
    _half: str = ""

    def add(self, piece: str) -> str:
        """A delta came; returns what may be given out now."""
        if self.complete or self.doubtful:
            return ""
        if self._half or not piece.isascii():
            piece, self._half = split_half(self._half + piece)
        if self.hold:
            self._held.append(piece)
            return ""
        return self._give(piece)

    def finish(self, full: str) -> str:
        """The finished form came; returns what may be given out now."""
        if self.complete and full == self._full:
            return ""
        full = str(whole(full))
        self._half = ""
        given = self.given
        self._full, self.complete = full, True
        self.revised = not full.startswith(given)
        return "" if self.revised else self._give(full[len(given) :])

    def release(self) -> str:
        """No finished form will come; returns the deltas that were held."""
        if self.complete or not self._held:
            return ""
        held, self._held = self._held, []
        return self._give("".join(held))

    def damage(self) -> None:
        """An event could not be read: what follows may have a gap."""
        if not self.complete:
            self.doubtful = True

    @property
    def given(self) -> str:
        """What was given out."""
        if len(self._given) > 1:
            self._given = ["".join(self._given)]
        return self._given[0] if self._given else ""

    @property
    def text(self) -> str:
        """The text as far as known: its finished form, else its deltas."""
        if self._full is not None:
            return self._full
        if self._held:
            return "".join(self._held)
        return self.given

    def _give(self, piece: str) -> str:
        if piece:
            self.size += len(piece)
            self._given.append(piece)
        return piece
