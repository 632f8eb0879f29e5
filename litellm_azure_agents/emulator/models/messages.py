"""A turn as a chat completion request: messages, tools, tool choice; no I/O."""

from __future__ import annotations

import base64
import json
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .base import CallItem, ImageRef, MessageItem, ToolSpec, Turn
from .markers import SANDBOX, marker_of

_DETAILS = ("auto", "low", "high")
_CITE = (
    "file_search gives passages of the user's files, each with a marker. Behind every statement"
    " that a passage supports, write the passage's marker exactly as it is given, for example"
    " 【4:0†name.txt】. Do not explain the markers."
)
_LINK = (
    f"Files that your code writes to the working directory can be given to the user by a link such"
    f" as [name]({SANDBOX}name). Images are shown to the user without that."
)


@dataclass(frozen=True, slots=True)
class DeclaredTool:
    """A tool as it is declared to a chat model: always a function."""

    name: str
    spec: ToolSpec
    description: str
    parameters: Mapping[str, Any]
    mcp_tool: str = ""
    strict: bool | None = None

    def definition(self) -> dict[str, Any]:
        """The tool in a request."""
        function: dict[str, Any] = {"name": self.name, "parameters": dict(self.parameters)}
        if self.description:
            function["description"] = self.description
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}


def _one_string(name: str, about: str) -> dict[str, Any]:
    properties = {name: {"type": "string", "description": about}}
    return {"type": "object", "properties": properties, "required": [name]}


def declared_tools(turn: Turn, *, inject: bool = False) -> list[DeclaredTool]:
    """Every tool of the turn; with `inject` all but file search, which needs no call then."""
    declared: list[DeclaredTool] = []
    taken = {tool.name for tool in turn.tools if tool.type == "function"}

    def unique(wanted: str) -> str:
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", wanted)[:60] or "tool"
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    for tool in turn.tools:
        if tool.type == "function":
            parameters = tool.parameters or {"type": "object", "properties": {}}
            strict = tool.config.get("strict")
            declared.append(
                DeclaredTool(tool.name, tool, tool.description, parameters, strict=strict)
            )
        elif tool.type == "file_search":
            if not inject:
                about = "Search the files of the user and of this assistant for passages."
                query = _one_string("query", "What to look for, in a few words")
                declared.append(DeclaredTool(unique("file_search"), tool, about, query))
        elif tool.type == "code_interpreter":
            about = "Run Python code; what it prints comes back, files are in its directory."
            code = _one_string("code", "Python code")
            declared.append(DeclaredTool(unique("code_interpreter"), tool, about, code))
        elif tool.type == "mcp":
            for name in tool.config.get("allowed_tools") or ["search"]:
                about = f"The tool {name} of the server {tool.name}. {tool.description}".strip()
                query = _one_string("query", "What is asked of the tool")
                declared.append(
                    DeclaredTool(unique(f"{tool.name}_{name}"), tool, about, query, name)
                )
        else:
            query = _one_string("input", "What is asked of the tool")
            about = tool.description or f"The tool {tool.type}."
            declared.append(DeclaredTool(unique(tool.name or tool.type), tool, about, query))
    return declared


def tool_choice(turn: Turn, tools: Sequence[DeclaredTool]) -> Any:
    """`tool_choice` of the request; a named or required tool is for the first round only."""
    choice = turn.tool_choice
    if choice.mode == "none":
        return "none"
    if turn.calls or choice.mode == "auto":
        return None
    if choice.mode == "required":
        return "required"
    for tool in tools:
        if tool.spec.type == choice.type and choice.name in ("", tool.spec.name):
            return {"type": "function", "function": {"name": tool.name}}
    return None


def response_format(turn: Turn) -> dict[str, Any] | None:
    """`response_format` of the request."""
    format = turn.response_format
    if format is None or format["type"] == "json_object":
        return dict(format) if format else None
    name = format.get("name") or "answer"
    return {"type": "json_schema", "json_schema": {"name": name, "schema": format["schema"]}}


# ---- messages -------------------------------------------------------------------------------


def messages_of(turn: Turn, tools: Sequence[DeclaredTool]) -> list[dict[str, Any]]:
    """Instructions, history, and calls with their results."""
    kinds = {tool.type for tool in turn.tools}
    system = [turn.instructions]
    if "file_search" in kinds:
        system.append(_CITE)
    if "code_interpreter" in kinds:
        system.append(_LINK)
    text = "\n\n".join(filter(None, system))
    messages: list[dict[str, Any]] = [{"role": "system", "content": text}] if text else []
    searched = 0
    for item in turn.items:
        if isinstance(item, MessageItem):
            messages.append(_message(item, turn))
            continue
        result = _result(item, searched)
        searched += len(item.hits)
        name = _called(item, tools)
        if name is None:  # no declared tool of that name: the result is given as text
            about = f"Result of {item.name or item.type} for {item.arguments}:\n{result}"
            messages.append({"role": "system", "content": about})
            continue
        if not (messages and messages[-1]["role"] == "assistant"):
            messages.append({"role": "assistant", "content": None})
        id = re.sub(r"[^a-zA-Z0-9_-]", "_", item.id)
        function = {"name": name, "arguments": _arguments(item)}
        messages[-1]["tool_calls"] = [{"id": id, "type": "function", "function": function}]
        messages.append({"role": "tool", "tool_call_id": id, "content": result})
    return messages


def _message(item: MessageItem, turn: Turn) -> dict[str, Any]:
    role = item.role if item.role in ("user", "assistant") else "system"
    text = item.text
    for id in item.file_ids:
        file = turn.read_file(id)
        text += f"\n[attached file: {file.filename if file else id}]"
    pictures = [part for image in item.images if (part := _image(image, turn))]
    if not pictures or role != "user":
        return {"role": role, "content": text}
    words = [{"type": "text", "text": text}] if text else []
    return {"role": role, "content": [*words, *pictures]}


def _image(image: ImageRef, turn: Turn) -> dict[str, Any] | None:
    url = image.url
    if url is None:
        file = turn.read_file(image.file_id or "")
        if file is None:
            return None
        kind = mimetypes.guess_type(file.filename)[0] or "image/png"
        url = f"data:{kind};base64,{base64.b64encode(file.data).decode()}"
    shown = {"url": url}
    if image.detail in _DETAILS:
        shown["detail"] = image.detail
    return {"type": "image_url", "image_url": shown}


def _called(call: CallItem, tools: Sequence[DeclaredTool]) -> str | None:
    """The name of the declared tool that this call used, None if there is none."""
    for tool in tools:
        kind = "function" if call.type == "custom_tool" else call.type
        if tool.spec.type != kind:
            continue
        if kind == "function" and call.name != tool.name:
            continue
        if call.type == "mcp" and (call.server_label, call.name) != (
            tool.spec.name, tool.mcp_tool,
        ):  # fmt: skip
            continue
        return tool.name
    return call.name if call.type == "function" and tools else None


def _arguments(call: CallItem) -> str:
    """The arguments as a JSON object, the only form that models take."""
    wrapped = {"file_search": "query", "code_interpreter": "code"}
    if call.type not in wrapped:
        try:
            if isinstance(json.loads(call.arguments or "{}"), dict):
                return call.arguments or "{}"
        except ValueError:
            pass
    key = wrapped.get(call.type, "input")
    return json.dumps({key: call.arguments}, ensure_ascii=False)


def _result(call: CallItem, first: int) -> str:
    """The result of a call as text; `first` is the number of its first passage."""
    if call.type == "file_search":
        found = [f"{marker_of(first + n, hit)}\n{hit.text}" for n, hit in enumerate(call.hits)]
        return "\n\n".join(found) or "No passage was found."
    if call.approved is False:
        return "The user did not allow this call."
    notes = [call.output] if call.output else []
    if call.file_ids:
        notes.append(f"({len(call.file_ids)} image(s) made; the user sees them)")
    notes += [f"(file made: {SANDBOX}{name})" for name, _ in call.files]
    return "\n".join(notes) or "(no output)"
