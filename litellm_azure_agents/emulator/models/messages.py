"""A turn in the form of a chat model's request: messages, tools, tool choice; no I/O."""

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
class Offer:
    """A tool as a model sees it: always a function."""

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


def offers_of(turn: Turn, *, inject: bool = False) -> list[Offer]:
    """Every tool of the turn; with `inject`, files are searched unasked and not offered."""
    offers: list[Offer] = []
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
            offers.append(Offer(tool.name, tool, tool.description, parameters, strict=strict))
        elif tool.type == "file_search":
            if not inject:
                about = "Search the files of the user and of this assistant for passages."
                query = _one_string("query", "What to look for, in a few words")
                offers.append(Offer(unique("file_search"), tool, about, query))
        elif tool.type == "code_interpreter":
            about = "Run Python code; what it prints comes back, files are in its directory."
            code = _one_string("code", "Python code")
            offers.append(Offer(unique("code_interpreter"), tool, about, code))
        elif tool.type == "mcp":
            for name in tool.config.get("allowed_tools") or ["search"]:
                about = f"The tool {name} of the server {tool.name}. {tool.description}".strip()
                query = _one_string("query", "What is asked of the tool")
                offers.append(Offer(unique(f"{tool.name}_{name}"), tool, about, query, name))
        else:
            query = _one_string("input", "What is asked of the tool")
            about = tool.description or f"The tool {tool.type}."
            offers.append(Offer(unique(tool.name or tool.type), tool, about, query))
    return offers


def tool_choice(turn: Turn, offers: Sequence[Offer]) -> Any:
    """What the request says about using tools; a choice is for the first round only."""
    choice = turn.tool_choice
    if choice.mode == "none":
        return "none"
    if turn.calls or choice.mode == "auto":
        return None
    if choice.mode == "required":
        return "required"
    for offer in offers:
        if offer.spec.type == choice.type and choice.name in ("", offer.spec.name):
            return {"type": "function", "function": {"name": offer.name}}
    return None


def response_format(turn: Turn) -> dict[str, Any] | None:
    """The form of the answer in a request."""
    format = turn.response_format
    if format is None or format["type"] == "json_object":
        return dict(format) if format else None
    name = format.get("name") or "answer"
    return {"type": "json_schema", "json_schema": {"name": name, "schema": format["schema"]}}


# ---- messages -------------------------------------------------------------------------------


def messages_of(turn: Turn, offers: Sequence[Offer]) -> list[dict[str, Any]]:
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
        name = _called(item, offers)
        if name is None:  # nothing to call it by: the model is told in words
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


def _called(call: CallItem, offers: Sequence[Offer]) -> str | None:
    """The name by which the model can have called this."""
    for offer in offers:
        kind = "function" if call.type == "custom_tool" else call.type
        if offer.spec.type != kind:
            continue
        if kind == "function" and call.name != offer.name:
            continue
        if call.type == "mcp" and (call.server_label, call.name) != (
            offer.spec.name, offer.mcp_tool,
        ):  # fmt: skip
            continue
        return offer.name
    return call.name if call.type == "function" and offers else None


def _arguments(call: CallItem) -> str:
    """Arguments as a JSON object, which is what models have to be shown."""
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
    """What a call gave, for the model to read; `first` is the number of its first passage."""
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
