"""The caller's tools, freed of what clients put on them for themselves or for other providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.json_values import JsonObject
from ..core.options import Params

CLIENTS_OWN = frozenset(
    {"cache_control", "index", "id", "input_examples", "eager_input_streaming"}
)  # fmt: skip
"""Fields of tools that mean nothing to the service, which refuses what it doesn't know."""
_FUNCTION = ("name", "description", "parameters", "strict")


def caller_tools(params: Params) -> list[JsonObject]:
    """The tools in the form of chat completions, old-style ``functions`` included.

    A function has the fields that the form knows; other tools keep their own.
    """
    tools = [read_tool(tool) for tool in params.tools or ()]
    return tools + [{"type": "function", "function": _only(f)} for f in params.functions or ()]


def read_tool(tool: Mapping[str, Any]) -> JsonObject:
    """A tool in the form of chat completions, without the client's own fields."""
    function = tool.get("function")
    if tool.get("type") in ("function", None) and isinstance(function, Mapping):
        return {"type": "function", "function": _only(function)}
    if tool.get("type") == "function" and "function" not in tool:  # the flat form of responses
        return {"type": "function", "function": _only(tool)}
    return cleaned(tool)


def _only(function: Mapping[str, Any]) -> JsonObject:
    return {n: function[n] for n in _FUNCTION if function.get(n) is not None}


def cleaned(value: Mapping[str, Any]) -> JsonObject:
    """A tool or a part without the client's own fields and without fields that are None."""
    return {n: v for n, v in value.items() if n not in CLIENTS_OWN and v is not None}
