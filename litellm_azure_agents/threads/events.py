"""The event of a run that comes most often, as types; they are read straight from its JSON.

An event that says more than text, or has another shape, doesn't fit: `RunMachine` then reads it as
it reads all others. Fields that no one reads are not declared.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class Text(Struct):
    """A piece of text without annotations."""

    value: str = ""
    annotations: Annotated[list[Any], Meta(max_length=0)] = []


class TextPart(Struct):
    """A part of a message that continues with text, and nothing else."""

    text: Text
    index: int = 0
    image_file: None = None
    refusal: None = None


class Delta(Struct):
    content: list[TextPart]


class TextDelta(Struct):
    """``thread.message.delta`` whose parts are text."""

    delta: Delta
    id: str = ""
