"""JSON from outside, read by the shape that it should have: what has another counts as not there.

A service, a host or a gateway may send anything. Whoever reads it by these functions passes over
what he can't understand, instead of failing at it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
"""A JSON object that is read."""
JsonObject = dict[str, Any]
"""A JSON object that is built or owned."""


def as_object(value: Any) -> Mapping[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_objects(value: Any) -> list[Mapping[str, Any]]:
    """The items of a list; an item that is no object counts as an empty one, so that the others
    keep their positions. Empty for what is no list."""
    return [as_object(item) for item in value] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """``value`` if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def as_int(value: Any, default: int = 0) -> int:
    """``value`` if it is a whole number, else ``default``."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def as_arguments(value: Any) -> str:
    """The arguments of a call: JSON text, or an object that some hosts send instead of it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else as_text(value)


def same_json(first: str, second: str) -> bool:
    """Whether two texts are JSON of the same value."""
    try:
        return bool(json.loads(first) == json.loads(second))
    except (ValueError, RecursionError):
        return False


# -- characters --------------------------------------------------------------------------------


def whole(value: Any) -> Any:
    """``value`` without halves of characters, which JSON can say and UTF-8 can't: halves side by
    side become their character, others U+FFFD."""
    if isinstance(value, str):
        if value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return value
    if isinstance(value, Mapping):
        return {whole(name): whole(inner) for name, inner in value.items()}
    return [whole(item) for item in value] if isinstance(value, list) else value


def split_half(text: str) -> tuple[str, str]:
    """``text`` in whole characters, and the half character at its end whose other half may follow
    (a host that counts in UTF-16 units may cut an emoji in two)."""
    if text.isascii():
        return text, ""
    half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    return whole(text[: len(text) - len(half)]), half


# -- what is sent ------------------------------------------------------------------------------

MAX_DEPTH = 100
"""Levels of lists and objects in one another that are sent."""
_MAX_INTEGER = 10**4000
"""Python writes no integer of more than 4,300 digits."""


def sendable(value: Any, *, strict: bool = True, depth: int = 0) -> Any:
    """A copy of ``value`` that can be sent as JSON in UTF-8; broken characters are repaired, see
    `whole`.

    Raises ValueError for NaN and Infinity, integers of thousands of digits, what is nested too
    deep, and, if ``strict``, for values of types that JSON doesn't have; else those stay as they
    are.
    """
    if isinstance(value, str):
        return whole(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) >= _MAX_INTEGER:
            raise ValueError("it has a number of more than 4,000 digits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"it has the number {value}, which JSON can't say")
        return value
    if not isinstance(value, (Mapping, list, tuple)):
        if strict:
            raise ValueError(f"it has a value of type {type(value).__name__}, which JSON can't say")
        return value
    if depth >= MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        return {
            sendable(name, strict=strict): sendable(inner, strict=strict, depth=depth + 1)
            for name, inner in value.items()
        }
    return [sendable(inner, strict=strict, depth=depth + 1) for inner in value]
