"""The event of a response that comes most often, as a type; it is read straight from its JSON.

An event of another shape doesn't fit: `ResponseMachine` then reads it as it reads all others.
"""

from __future__ import annotations

from msgspec import Struct


class TextDelta(Struct):
    """``response.output_text.delta``. Fields that no one reads are not declared."""

    delta: str = ""
    item_id: str = ""
    output_index: int = -1
    content_index: int = 0
    sequence_number: int = -1
