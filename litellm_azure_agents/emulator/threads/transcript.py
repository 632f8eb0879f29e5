"""From classic objects to the turn that the model is given; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.store import Doc
from ..engine import tokens
from ..models.base import ImageRef, Item, MessageItem, ToolChoice, ToolSpec, Turn


def history(messages: Sequence[Doc], truncation: Mapping[str, Any]) -> list[Item]:
    """The messages of a thread that the truncation strategy keeps, oldest first."""
    items: list[Item] = [message_item(message) for message in messages]
    if truncation["type"] == "last_messages":
        items = items[-truncation["last_messages"] :]
    return items


def message_item(message: Mapping[str, Any]) -> MessageItem:
    """One message; its text parts are joined by newlines."""
    texts: list[str] = []
    images: list[ImageRef] = []
    files = [a["file_id"] for a in message["attachments"] if a.get("file_id")]
    for part in message["content"]:
        if part["type"] == "text":
            texts.append(part["text"]["value"])
        elif part["type"] == "image_url":
            image = part["image_url"]
            images.append(ImageRef(url=image["url"], detail=image.get("detail")))
        elif part["type"] == "image_file":
            image = part["image_file"]
            images.append(ImageRef(file_id=image["file_id"], detail=image.get("detail")))
    return MessageItem(message["role"], "\n".join(texts), tuple(images), tuple(files))


def build_turn(run: Doc, agent_metadata: Mapping[str, str], items: Sequence[Item]) -> Turn:
    """The turn that the model is asked for in the next round."""
    return Turn(
        agent_id=run["assistant_id"],
        model=run["model"],
        instructions=run["instructions"],
        items=tuple(items),
        tools=tuple(tool_spec(tool) for tool in run["tools"]),
        tool_choice=tool_choice(run["tool_choice"]),
        parallel_tool_calls=run["parallel_tool_calls"],
        response_format=response_format(run["response_format"]),
        metadata=agent_metadata,
        temperature=run["temperature"],
        top_p=run["top_p"],
        max_output_tokens=run["max_completion_tokens"],
    )


def fit(items: Sequence[Item], spare: int) -> list[Item]:
    """The newest items that fit in `spare` tokens; at least the last one."""
    kept: list[Item] = []
    for item in reversed(items):
        spare -= tokens.of_item(item)
        if spare < 0 and kept:
            break
        kept.append(item)
    return kept[::-1]


def tool_spec(tool: Mapping[str, Any]) -> ToolSpec:
    """A classic tool definition as models see it."""
    kind = tool["type"]
    config = tool.get(kind) or {k: v for k, v in tool.items() if k != "type"}
    if kind == "mcp":
        return ToolSpec("mcp", name=tool["server_label"], config=config)
    return ToolSpec(
        kind,
        name=str(config.get("name") or ""),
        description=str(config.get("description") or ""),
        parameters=config.get("parameters") or {} if kind == "function" else {},
        config=config,
    )


def tool_choice(choice: Any) -> ToolChoice:
    """`none`, `auto`, `required` or a named tool."""
    if isinstance(choice, str):
        return ToolChoice(choice)
    name = (choice.get("function") or {}).get("name", "")
    return ToolChoice("named", type=choice["type"], name=name)


def response_format(format: Any) -> dict[str, Any] | None:
    """The wanted form of the answer, None for text."""
    if not isinstance(format, Mapping) or format["type"] == "text":
        return None
    if format["type"] == "json_object":
        return {"type": "json_object"}
    schema = format["json_schema"]
    return {"type": "json_schema", "name": schema["name"], "schema": schema["schema"]}
