"""OpenAI messages and parameters -> the body of ``POST /responses`` (protocols B2).

System and developer messages go in as input items of their roles: the service refuses the field
``instructions`` next to an agent. ``additional_instructions`` becomes a developer message before
the others; ``instructions`` (which would replace the agent's own) works at a container only.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..content import tools
from ..content.parts import text_of
from ..continuity.isolation import owned
from ..core.call import Call
from ..core.json_values import as_object, as_objects, as_text
from ..core.options import OptionError
from . import refused
from .target import Target

JsonObject = dict[str, Any]
_log = logging.getLogger("litellm_azure_agents")


# -- messages ----------------------------------------------------------------------------------


def is_system(message: Mapping[str, Any]) -> bool:
    return message.get("role") in ("system", "developer")


# -- the body ----------------------------------------------------------------------------------


def build_body(call: Call, target: Target, *, polling: bool) -> JsonObject:
    """The body but for input, state and the caller's tools. Raises OptionError."""
    refused.check_classic_options(call)
    if polling and call.params.store is False:
        raise OptionError(
            "run_mode='poll' runs in the background, which needs a stored response; leave out "
            "store=False",
            "store",
        )
    fields = _fields(call)
    if not target.takes_settings:
        fields.pop("text", None)  # compared with the agent's own, see `check_against`
        fields = refused.allowed(call, fields)
    body = {**target.reference, **fields}
    body["stream"] = not polling
    if polling or call.options.background:
        body["background"] = True
    return body


def _fields(call: Call) -> JsonObject:
    params, options = call.params, call.options
    metadata = {**(options.run_metadata or {}), **(options.response_metadata or {})}
    metadata = owned(metadata, call.owner)
    choice = params.tool_choice if params.tool_choice is not None else params.function_call
    instructions = [options.instructions]
    if options.system_messages == "replace":
        instructions += [m.get("content") for m in call.messages if is_system(m)]
    fields = {
        "instructions": "\n\n".join(text_of(i) for i in instructions if i) or None,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_output_tokens": params.token_limit,
        "tool_choice": _build_tool_choice(choice),
        "parallel_tool_calls": params.parallel_tool_calls,
        "text": build_text(params.response_format),
        "reasoning": {"effort": params.reasoning_effort} if params.reasoning_effort else None,
        "max_tool_calls": options.max_tool_calls,
        "truncation": options.truncation,
        "include": options.include,
        "store": params.store,
        "metadata": metadata or None,
        "structured_inputs": options.structured_inputs,
        "agent_session_id": options.agent_session_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def build_text(response_format: Mapping[str, Any] | str | None) -> JsonObject | None:
    """A chat completion's response_format in the form of a response's ``text``."""
    if response_format is None:
        return None
    if isinstance(response_format, str):
        return {"format": {"type": "text" if response_format == "auto" else response_format}}
    if response_format.get("type") == "json_schema":
        schema = tools.cleaned(as_object(response_format.get("json_schema")))
        return {"format": {"type": "json_schema", **schema}}
    return {"format": dict(response_format)}


def _build_tool_choice(choice: Any) -> Any:
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        if name:
            return {"type": "function", "name": name}
    return choice


# -- tools -------------------------------------------------------------------------------------


def caller_tools(call: Call) -> list[JsonObject]:
    """The caller's tools in the flat form of responses, old-style ``functions`` included."""
    if call.options.agent_tools == "agent_only":
        return []
    return [_flat(tool) for tool in tools.caller_tools(call.params)]


def native_tools(given: Any) -> Any:
    """The tools of a native call, without the client's own fields; no list is left as it is."""
    if not isinstance(given, list):
        return given
    return [_flat(tools.read_tool(t)) if isinstance(t, Mapping) else t for t in given]


def native_input(given: Any) -> Any:
    """The input of a native call, without the client's own fields of items and their parts."""
    if not isinstance(given, list):
        return given
    return [_cleaned_item(item) if isinstance(item, Mapping) else item for item in given]


def _cleaned_item(item: Mapping[str, Any]) -> JsonObject:
    cleaned = {n: v for n, v in item.items() if n not in _ON_INPUT and v is not None}
    content = cleaned.get("content")
    if isinstance(content, list):
        parts = [_cleaned_item(p) if isinstance(p, Mapping) else p for p in content]
        # The service refuses an empty text beside another part.
        told = [p for p in parts if p != {"type": "input_text", "text": ""}]
        cleaned["content"] = told or parts
    return cleaned


_ON_INPUT = frozenset({"cache_control", "index"})
"""Fields that clients put on messages and their parts for themselves."""


def _flat(tool: JsonObject) -> JsonObject:
    function = tool.get("function")
    if tool.get("type") == "function" and isinstance(function, Mapping):
        return {"type": "function", **function}
    return tool


def check_against(
    definition: Mapping[str, Any],
    tools: Sequence[JsonObject],
    text: JsonObject | None,
    agent: str,
    *,
    drop: bool,
    name: str = "response_format",
) -> None:
    """The agent must have the caller's tools and answer format; OptionError names what it lacks.

    With ``drop``, tools that it lacks are left out, since no tools are sent at all.
    """
    own = as_objects(definition.get("tools"))
    names = {as_text(t.get("name") or as_object(t.get("function")).get("name")) for t in own}
    kinds = {as_text(tool.get("type")) for tool in own}
    lacking = []
    for tool in tools:
        name_of_tool, kind = as_text(tool.get("name")), as_text(tool.get("type"))
        if kind == "function" and name_of_tool not in names:
            lacking.append(name_of_tool)
        elif kind != "function" and kind not in kinds:
            lacking.append(kind)
    if lacking and drop:
        _log_dropped(agent, tuple(lacking))
    elif lacking:
        raise OptionError(
            f"the agent {agent!r} has no tool {', '.join(map(repr, lacking))}, and the service "
            "takes none with a call: add it to the agent (a new version of its definition), or "
            "leave it out (drop_params=True does)",
            "tools",
        )
    if text is not None and not _same_format(as_object(definition.get("text")).get("format"), text):
        raise OptionError(
            f"the agent {agent!r} doesn't answer in this {name}, and the service takes "
            "none with a call: set it as `text.format` in the agent's definition, or leave it out "
            "(drop_params=True does)",
            name,
        )


@lru_cache(256)
def _log_dropped(agent: str, names: tuple[str, ...]) -> None:
    """One line for each agent and list of tools: a client sends them with every turn."""
    _log.warning("drop_params: the agent %r has no tool %s", agent, ", ".join(names))


def _same_format(own: Any, text: JsonObject) -> bool:
    wanted = text["format"]
    if not isinstance(own, Mapping):
        return False
    if wanted.get("type") == "json_object":
        return own.get("type") in ("json_object", "json_schema")
    if own.get("type") != wanted.get("type"):
        return False
    return json.dumps(own.get("schema"), sort_keys=True) == json.dumps(
        wanted.get("schema"), sort_keys=True
    )
