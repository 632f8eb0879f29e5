"""JSON schemas as clients give them (of functions and of answers): what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def _check(schema: dict[str, Any]) -> dict[str, Any]:
    for fault in _faults(schema):
        raise ValueError(fault)
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_check)]
"""A JSON schema whose keywords have values of the right kind."""


def _faults(schema: Any) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield f"{schema!r} is not of type 'object', 'boolean'"
        return
    kind = schema.get("type", "object")
    for name in kind if isinstance(kind, list) and kind else [kind]:
        if name not in _TYPES:
            yield f"{name!r} is not valid under any of the given schemas"
    for keyword, types, named in (
        *((k, Mapping, "'object'") for k in _MAPS),
        *((k, list, "'array'") for k in (*_LISTS, "required", "enum")),
        ("$ref", str, "'string'"),
    ):
        if keyword in schema and not isinstance(schema[keyword], types):
            yield f"{schema[keyword]!r} is not of type {named}"
            return
    if not all(isinstance(name, str) for name in schema.get("required", ())):
        yield f"{schema['required']!r} must hold names of properties"
    for keyword in (*_COUNTS, *_NUMBERS):
        value = schema.get(keyword, 0)
        whole = keyword in _COUNTS
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            yield f"{value!r} is not of type '{'integer' if whole else 'number'}'"
        elif whole and value < 0:
            yield f"{value!r} is less than the minimum of 0"
    below = [part for k in _MAPS for part in schema.get(k, {}).values()]
    below += [part for k in _LISTS for part in schema.get(k, ())]
    below += [schema[k] for k in _SCHEMAS if k in schema]
    for part in below:
        yield from _faults(part)
