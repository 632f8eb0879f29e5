"""Arguments for a function call, taken from the user's text or made to fit the JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_QUOTED = re.compile(r"[\"“']([^\"”']{1,200})[\"”'](?!\w)")
_NUMBER = re.compile(r"(?<!\d)-?\d{1,300}(?:\.\d{1,300})?(?!\d)")  # all of them finite
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_URL = re.compile(r"https?://\S+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLACE_WORDS = frozenset({
    "location", "city", "place", "town", "country", "region", "area", "destination", "origin",
    "state", "address", "where",
})  # fmt: skip
_NAME = r"[^\W\d_a-z][\w'’.-]*(?:[ ][^\W\d_a-z][\w'’-]*)*"
_AFTER_PREPOSITION = re.compile(
    rf"\b(?:in|for|at|of|from|to|near)\s+({_NAME}(?:\s*(?:,\s*(?:and\s+)?|\s+and\s+|&)\s*{_NAME})*)"
)
_CAPITALISED = re.compile(rf"(?<![.!?]\s)(?<!^)\b({_NAME})")
_LOWER_CASE = re.compile(
    r"\b(?:in|at|near|for)\s+([^\W\d_]+(?:\s*(?:,|\band\b)\s*[^\W\d_]+)*)", re.I
)
_SEPARATOR = re.compile(r"\s*(?:,\s*and\b|,|\band\b|&)\s*")
_TEXT_WORDS = frozenset({
    "query", "text", "message", "input", "prompt", "question", "content", "body", "sentence",
    "phrase", "search", "q",
})  # fmt: skip
_NOT = re.compile(r"\b(?:no|not|without|don't|never|off|false)\b", re.I)
MAX_DEPTH = 6
MOST_ITEMS = 20  # made up for one array; half as many with each level, so that all is bounded
MOST_LETTERS = 10_000


def calls_for(schema: Mapping[str, Any], text: str) -> list[str]:
    """JSON arguments of the calls that a text asks for: one, or one for each place it names."""
    root, schema = schema, resolve(schema, schema)
    arguments = make_object(schema, root, text)
    named = list(places(text) or uncapitalised_places(text))
    for name, value in _properties(schema).items():
        if len(named) > 1 and _is_place(name) and _kind(resolve(value, root)) == "string":
            return [_dump({**arguments, name: place}) for place in named]
    return [_dump(arguments)]


def places(text: str) -> Sequence[str]:
    """Names of places (or of anything with a capital letter) in the text, in order."""
    found: list[str] = []
    for match in _AFTER_PREPOSITION.finditer(text):
        found += [part.strip(" .?!") for part in _SEPARATOR.split(match.group(1))]
    if not found:
        found = [m.group(1).strip(" .?!") for m in _CAPITALISED.finditer(text)]
        found = [name for name in found if name not in ("I", "I'm", "I'd", "I’d")]
    return list(dict.fromkeys(filter(None, found)))


def uncapitalised_places(text: str) -> Sequence[str]:
    """What follows "in", "at", "near" or "for" in a text without capital letters."""
    found = [p for m in _LOWER_CASE.finditer(text) for p in _SEPARATOR.split(m.group(1))]
    return list(dict.fromkeys(filter(None, (part.strip() for part in found))))


def make_object(schema: Mapping[str, Any], root: Mapping[str, Any], text: str) -> dict[str, Any]:
    """An object for the schema: all required properties, others if the text has values for them."""
    return _object(schema, root, text, 0)


def make_value(schema: Mapping[str, Any], root: Mapping[str, Any], text: str) -> Any:
    """A value for any schema, taken from the text if possible."""
    return _value("", resolve(schema, root), root, text, 0, required=True)


def resolve(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without `$ref`, and the first real alternative of a union."""
    for _ in range(20):
        if not isinstance(schema, Mapping):
            return {}
        if isinstance(ref := schema.get("$ref"), str):
            target: Any = root
            for step in filter(None, ref.removeprefix("#").split("/")):
                name = step.replace("~1", "/").replace("~0", "~")
                target = target.get(name, {}) if isinstance(target, Mapping) else {}
            schema = target
            continue
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            schema = next(
                (o for o in options if isinstance(o, Mapping) and o.get("type") != "null"), {}
            )
            continue
        if schema.get("allOf"):
            merged = {k: v for k, v in schema.items() if k != "allOf"}
            for part in schema["allOf"]:
                part = resolve(part, root)
                properties = {**_properties(merged), **_properties(part)}
                required = [*merged.get("required", []), *part.get("required", [])]
                merged = {**merged, **part, "properties": properties, "required": required}
            return merged
        return dict(schema)
    return {}


def _object(
    schema: Mapping[str, Any], root: Mapping[str, Any], text: str, depth: int
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    required = schema.get("required") or []
    for name, value in _properties(schema).items():
        found = _value(name, resolve(value, root), root, text, depth, required=name in required)
        if found is not None or name in required:
            made[name] = found
    return made


def _value(
    name: str,
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    text: str,
    depth: int,
    *,
    required: bool,
) -> Any:
    """A value; None if it is optional and the text has none."""
    if "const" in schema:
        return schema["const"]
    if values := schema.get("enum"):
        for value in values:
            if re.search(rf"\b{re.escape(str(value))}\b", text, re.I):
                return value
        return schema.get("default", values[0]) if required else None
    kind = _kind(schema)
    stated = _stated(name, text)
    if kind in ("integer", "number"):
        return _number(schema, stated or text, kind, required)
    if kind == "boolean":
        if stated is not None:
            return not _NOT.search(stated)
        mentioned = bool(name) and name.replace("_", " ").lower() in text.lower()
        return not _NOT.search(text) if required or mentioned else None
    if kind == "null":
        return None
    if kind == "array":
        return _array(name, schema, root, text, depth, required)
    if kind == "object":
        if depth >= MAX_DEPTH or not (required or _properties(schema)):
            return {} if required else None
        made = _object(schema, root, text, depth + 1)
        return made if made or required else None
    return _string(name, schema, text, stated, required)


def _number(schema: Mapping[str, Any], text: str, kind: str, required: bool) -> int | float | None:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    for match in _NUMBER.finditer(text):
        exact = float(match.group())
        value = int(exact) if kind == "integer" or exact.is_integer() else exact
        if (low is None or value >= low) and (high is None or value <= high):
            return value
    if not required:
        return None
    if "default" in schema:
        default: int | float = schema["default"]
        return default
    value = (
        1 if low is None else low + int("exclusiveMinimum" in schema and "minimum" not in schema)
    )
    return value if high is None else min(value, high)


def _string(
    name: str, schema: Mapping[str, Any], text: str, stated: str | None, required: bool
) -> str | None:
    if stated is not None:
        return stated
    for pattern, hints in ((_EMAIL, ("email",)), (_URL, ("url", "uri")), (_DATE, ("date",))):
        meant = schema.get("format") in hints or any(hint in name.lower() for hint in hints)
        match = pattern.search(text) if meant else None
        if match:
            return match.group()
    quoted = _QUOTED.findall(text)
    if _is_place(name):
        candidates = [*places(text), *quoted, *uncapitalised_places(text)]
        return candidates[0] if candidates else "here" if required else None
    if not required:
        return None
    formats = {"date": "2025-01-01", "date-time": "2025-01-01T00:00:00Z", "uuid": "0" * 8
               + "-0000-4000-8000-" + "0" * 12, "email": "user@example.com",
               "uri": "https://example.com"}  # fmt: skip
    if schema.get("format") in formats:
        return formats[schema["format"]]
    if quoted:
        return _fit(quoted[0], schema)
    if not set(_words(name)) & _TEXT_WORDS and (named := places(text)):
        return _fit(named[0], schema)
    return _fit(text.strip() or str(schema.get("default") or name or "text"), schema)


def _fit(text: str, schema: Mapping[str, Any]) -> str:
    text = text[: schema.get("maxLength", len(text))]
    return text.ljust(min(schema.get("minLength", 0), MOST_LETTERS), "x")


def _array(
    name: str,
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    text: str,
    depth: int,
    required: bool,
) -> list[Any] | None:
    items = resolve(schema.get("items") or {}, root)
    least, most = schema.get("minItems", 1 if required else 0), schema.get("maxItems", 20)
    found: list[Any] = []
    kind = _kind(items)
    if kind in ("integer", "number"):
        found = [json.loads(n) for n in _NUMBER.findall(text)]
        found = [n for n in found if kind == "number" or isinstance(n, int)]
    elif items.get("enum"):
        found = [v for v in items["enum"] if re.search(rf"\b{re.escape(str(v))}\b", text, re.I)]
    elif kind == "string":
        found = list(_QUOTED.findall(text) or places(text))
    least = min(least, MOST_ITEMS >> depth)
    while len(found) < least and depth < MAX_DEPTH:
        found.append(_value(name, items, root, text, depth + 1, required=True))
    return found[:most] if found or required else None


def _stated(name: str, text: str) -> str | None:
    """The value in `name=value`, `name: value` or `name is value`."""
    if not name:
        return None
    label = re.escape(name).replace("_", "[ _]")
    match = re.search(
        rf"\b{label}\s*(?:=|:|\bis\b)\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,;]+))", text, re.I
    )
    if not match:
        return None
    return next(group for group in match.groups() if group is not None).rstrip(".?!")


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "string"
    return str(kind)


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    return dict(properties) if isinstance(properties, Mapping) else {}


def _words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower().split()


def _is_place(name: str) -> bool:
    return bool(set(_words(name)) & _PLACE_WORDS)


def _dump(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False)
