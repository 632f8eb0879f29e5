"""Tools of new agents: as models see them, and hosted calls as items."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import invalid
from ..core.ids import new_id
from ..core.store import Doc
from ..models.arguments import make_value, resolve
from ..models.base import CallMcp, ToolChoice, ToolSpec, UseTool
from ..models.cited_answers import INDEX_SEARCH, index_output
from ..models.code_answers import bar_chart, numbers
from .writer import ResponseWriter

_UNNAMED = frozenset({"code_interpreter", "file_search"})
_PREVIEWS = frozenset({
    "a2a", "bing_custom_search", "browser_automation", "fabric_dataagent", "sharepoint_grounding",
})  # fmt: skip


def check_tools(tools: Sequence[Mapping[str, Any]], param: str) -> None:
    """Refuse functions named twice."""
    names: set[str] = set()
    for number, tool in enumerate(tools):
        if tool["type"] == "function":
            if tool["name"] in names:
                message = f"Function names must be unique: '{tool['name']}'."
                raise invalid(message, f"{param}[{number}]")
            names.add(tool["name"])


def tool_spec(tool: Mapping[str, Any]) -> ToolSpec:
    """A tool definition as models see it; the type loses its `_preview`."""
    kind = str(tool["type"])
    if kind == "mcp":
        allowed = allowed_tools(tool)
        config = {**tool, "allowed_tools": allowed}
        about = str(tool.get("server_description") or "")
        return ToolSpec("mcp", str(tool["server_label"]), about, config=config)
    if kind == "custom":  # for the model, a function whose one argument is a text
        schema = {"type": "object", "properties": {"input": {"type": "string"}},
                  "required": ["input"]}  # fmt: skip
        about = str(tool.get("description") or "")
        return ToolSpec("function", str(tool.get("name")), about, schema, dict(tool))
    details: Mapping[str, Any] = {}
    for nested in (tool.get(kind), tool.get("outputs")):
        if isinstance(nested, Mapping):
            details = nested
            break
    if isinstance(details.get("function"), Mapping):
        details = details["function"]
    neutral = kind.removesuffix("_preview")
    name = details.get("name") or tool.get("name") or ("" if kind in _UNNAMED else neutral)
    return ToolSpec(
        neutral,
        name=str(name),
        description=str(details.get("description") or tool.get("description") or ""),
        parameters=tool.get("parameters") or {} if kind == "function" else {},
        config=dict(tool),
    )


def allowed_tools(tool: Mapping[str, Any]) -> list[str]:
    """Names of an MCP server's tools; "search" if the definition lists none."""
    allowed = tool.get("allowed_tools")
    if isinstance(allowed, Mapping):
        allowed = allowed.get("tool_names")
    return list(allowed or ["search"])


def tool_choice(choice: Any) -> ToolChoice:
    """`none`, `auto`, `required` or a named tool."""
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise invalid(f"Invalid value: '{choice}' is not a tool_choice.", "tool_choice")
        return ToolChoice(choice)
    if not isinstance(choice, Mapping) or "type" not in choice:
        raise invalid("'tool_choice' must be a string or name a tool.", "tool_choice")
    if choice["type"] == "allowed_tools":
        return ToolChoice(str(choice.get("mode", "auto")))
    kind = str(choice["type"]).removesuffix("_preview")
    name = choice.get("name") or choice.get("server_label") or ""
    return ToolChoice("named", type=kind, name=str(name))


def response_format(text: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The wanted form of the answer, None for text."""
    format = (text or {}).get("format") or {"type": "text"}
    if format["type"] == "text":
        return None
    if format["type"] == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "name": format["name"], "schema": format["schema"]}


def list_mcp_tools(writer: ResponseWriter, tool: Mapping[str, Any]) -> None:
    """Write the item that lists the tools of an MCP server."""
    item = writer.add(
        {
            "id": new_id("mcpl_"),
            "type": "mcp_list_tools",
            "server_label": tool["server_label"],
            "tools": [],
            "error": None,
        }
    )
    writer.progress(item, "mcp_list_tools", "in_progress", "completed")
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    }
    listed = [
        {"name": name, "description": name.replace("_", " "), "input_schema": schema,
         "annotations": None}
        for name in allowed_tools(tool)
    ]  # fmt: skip
    writer.done(item, tools=listed)


def call_mcp(writer: ResponseWriter, call: CallMcp, approved_by: str | None) -> Doc:
    """Write an MCP call that is carried out; `approved_by` is the id of its approval request."""
    item = writer.add(
        {
            "id": new_id("mcp_"),
            "type": "mcp_call",
            "server_label": call.server_label,
            "name": call.name,
            "arguments": call.arguments,
            "output": None,
            "error": None,
            "status": "in_progress",
            "approval_request_id": approved_by,
        },
        arguments="",
    )
    writer.progress(item, "mcp_call", "in_progress")
    writer.deltas(item, "mcp_call_arguments", "arguments", call.arguments)
    writer.progress(item, "mcp_call", "completed")
    writer.done(item, output=call.output, status="completed")
    return item


def use_tool(
    writer: ResponseWriter, action: UseTool, tools: Sequence[Mapping[str, Any]], user_text: str
) -> str:
    """Write a hosted call and its result as items; returns the output that the model is given.

    Items that don't show their call keep it in `_call` for later rounds.
    """
    kind, fields = action.type, dict(action.fields)
    output = str(fields.pop("output", ""))
    config: Mapping[str, Any] = next(
        (t for t in tools if str(t["type"]).removesuffix("_preview") == kind), {}
    )
    arguments = json.dumps(fields, ensure_ascii=False)
    call = {"type": kind, "name": action.name, "arguments": arguments, "output": output}
    if kind == "web_search":
        query = fields.get("input") or fields.get("query") or user_text
        search = {"type": "search", "query": query, "sources": []}
        _steps(writer, "web_search_call", "ws_", call, "searching", {"action": search})
    elif kind == "image_generation":
        call["output"] = "an image"
        data = base64.b64encode(bar_chart(numbers(user_text))).decode()
        item = writer.add(
            {"id": new_id("ig_"), "type": "image_generation_call", "status": "in_progress",
             "result": None, "_call": call}
        )  # fmt: skip
        writer.progress(item, "image_generation_call", "in_progress", "generating")
        for index in range(int(config.get("partial_images") or 0)):
            writer.emit(
                "response.image_generation_call.partial_image",
                item_id=item["id"],
                output_index=len(writer.output) - 1,
                partial_image_index=index,
                partial_image_b64=data,
            )
        writer.progress(item, "image_generation_call", "completed")
        writer.done(item, status="completed", result=data, output_format="png")
    elif kind == "memory_search":
        writer.whole(
            {"id": new_id("mem_"), "type": "memory_search_call", "status": "completed",
             "results": [], "_call": call}
        )  # fmt: skip
    elif kind == "capture_structured_outputs":
        schema = (config.get("outputs") or {}).get("schema") or {"type": "object"}
        value = make_value(resolve(schema, schema), schema, user_text)
        call["output"] = json.dumps(value, ensure_ascii=False)
        writer.whole(
            {"id": new_id("so_"), "type": "structured_outputs", "output": value, "_call": call}
        )
    else:
        named = f"{kind}_preview" if kind in _PREVIEWS else kind
        names = {"call_id": new_id("call_"), "name": action.name or kind}
        item = writer.add(
            {"id": new_id("tc_"), "type": f"{named}_call", **names, "arguments": arguments,
             "status": "in_progress"}
        )  # fmt: skip
        writer.done(item, status="completed")
        told: Any = output
        found = index_output(str(fields.get("input") or ""))
        if kind == INDEX_SEARCH and output == repr(found):
            told = {"documents": [], "get_urls": found["metadata"]["get_urls"]}
        writer.whole(
            {"id": new_id("to_"), "type": f"{named}_call_output", **names, "output": told,
             "status": "completed"}
        )  # fmt: skip
    return str(call["output"])


def _steps(
    writer: ResponseWriter, type: str, prefix: str, call: Doc, middle: str, fields: Doc
) -> None:
    item = writer.add(
        {"id": new_id(prefix), "type": type, "status": "in_progress", **fields, "_call": call}
    )
    writer.progress(item, type, "in_progress", middle, "completed")
    writer.done(item, status="completed")
