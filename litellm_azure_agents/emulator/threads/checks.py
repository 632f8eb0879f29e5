"""Checks of requests that a schema can't express: unconfirmed limits, references to objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import bad_request, not_found
from ..core.settings import Strictness
from ..core.store import Doc, Store
from ..files.objects import check_files
from .tool_schemas import PREVIEW_TOOLS

PREVIEW = "2025-05-15-preview"


def has_preview(version: str, strictness: Strictness) -> bool:
    """Whether this api-version takes mcp tools, tool_approvals and message deletion."""
    return version == PREVIEW or (version == "v1" and strictness.preview_on_v1)


def check_tools(tools: Sequence[Mapping[str, Any]], version: str, strictness: Strictness) -> None:
    """Refuse tools the api-version doesn't know and functions named twice."""
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["type"] in PREVIEW_TOOLS and not has_preview(version, strictness):
            raise bad_request(
                f"Tool type '{tool['type']}' is not available in api-version '{version}'.",
                param=f"tools[{index}].type",
                code="invalid_value",
            )
        if tool["type"] == "function":
            name = tool["function"]["name"]
            if name in names:
                raise bad_request(
                    f"Function names must be unique: '{name}'.", param=f"tools[{index}]"
                )
            names.add(name)


def check_messages(messages: Sequence[Doc], param: str, store: Store, strict: Strictness) -> None:
    """Refuse too many messages at once and references to files that don't exist."""
    if len(messages) > strict.max_messages_per_request:
        raise bad_request(
            f"Invalid '{param}': array too long. Expected an array with maximum length"
            f" {strict.max_messages_per_request}, but got an array with length {len(messages)}"
            " instead.",
            param=param,
            code="array_above_max_length",
        )
    for message in messages:
        attachments = message.get("attachments") or []
        if len(attachments) > strict.max_attachments:
            raise bad_request(
                f"A message has at most {strict.max_attachments} attachments.", param="attachments"
            )
        ids = [a["file_id"] for a in attachments if a.get("file_id") is not None]
        if isinstance(message["content"], list):
            ids += [p["image_file"]["file_id"] for p in message["content"] if "image_file" in p]
        check_files(ids, store)


def check_resources(resources: Mapping[str, Any] | None, store: Store) -> None:
    """Files and vector stores that tool_resources name exist."""
    resources = resources or {}
    check_files((resources.get("code_interpreter") or {}).get("file_ids") or [], store)
    for id in (resources.get("file_search") or {}).get("vector_store_ids") or []:
        if store.get("vector_store", id) is None:
            raise not_found("vector store", id)


def check_agent(agent: Doc, store: Store, version: str, strictness: Strictness) -> None:
    """Refuse an agent with tools, references or a response format that are not allowed."""
    check_tools(agent["tools"], version, strictness)
    check_resources(agent["tool_resources"], store)
    check_format(agent["response_format"], agent["tools"], strictness)


def check_run(
    body: Mapping[str, Any], agent: Doc, store: Store, version: str, strict: Strictness
) -> None:
    """Refuse run parameters that are not allowed, or not together, or not with the agent."""
    tools = agent["tools"] if body.get("tools") is None else body["tools"]
    check_tools(body.get("tools") or [], version, strict)
    check_resources(body.get("tool_resources"), store)
    for name in ("max_prompt_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and value < strict.min_max_tokens:
            raise bad_request(
                f"Invalid '{name}': integer below minimum value. Expected a value >="
                f" {strict.min_max_tokens}, but got {value} instead.",
                param=name,
                code="integer_below_min_value",
            )
    if body.get("tool_choice") == "required" and not strict.allow_tool_choice_required:
        raise bad_request(
            "Invalid value: 'required'. Supported values are: 'none' and 'auto'.",
            param="tool_choice",
            code="invalid_value",
        )
    check_format(body.get("response_format"), tools, strict)


def check_format(
    format: Any, tools: Sequence[Mapping[str, Any]] | None, strict: Strictness
) -> None:
    """response_format against the tools in force."""
    if not isinstance(format, Mapping):
        return
    schema = format.get("json_schema") or {}
    if "strict" in schema and not strict.allow_json_schema_strict:
        raise bad_request(
            "Unknown parameter: 'response_format.json_schema.strict'.",
            param="response_format.json_schema.strict",
            code="unknown_parameter",
        )
    hosted = any(tool["type"] != "function" for tool in tools or ())
    if format["type"] == "json_object" and hosted:
        raise bad_request(
            "response_format 'json_object' allows only function tools.", param="response_format"
        )
