"""Maps the output items of a response to the forms of chat completions (protocols B4)."""

from __future__ import annotations

import re
from typing import Any

from ..core.deltas import Usage, read_usage
from ..core.json_values import Json, as_objects, as_text

CLIENT_CALLS = frozenset(
    {"custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
)
"""Calls that a client would have to answer and chat completions have no form for: passed on."""
_TRACES = frozenset({"mcp_list_tools", "tool_search_output"})
_PICTURE_FIELDS = ("result",)
"""Of a trace: megabytes that are given out as an image already."""
_CONTAINER_FILE = re.compile(r"/containers/([^/?#]+)/files/([^/?#]+)")


def map_annotation(annotation: Json) -> dict[str, Any] | None:
    """A flat annotation in OpenAI's nested form, or None if it has no type.

    A lone ``index`` is where the annotation starts and ends.
    """
    kind = as_text(annotation.get("type"))
    if not kind:
        return None
    inner = {n: v for n, v in annotation.items() if n != "type" and v is not None}
    index = inner.pop("index", None)
    if index is not None:
        inner.setdefault("start_index", index)
        inner.setdefault("end_index", index)
    return {"type": kind, kind: inner}


def map_usage(usage: Any) -> Usage | None:
    """The response's token counts, or None if the service gives none."""
    return read_usage(
        usage,
        prompt="input_tokens",
        completion="output_tokens",
        prompt_details=("input_tokens_details",),
        completion_details=("output_tokens_details",),
    )


def is_trace(kind: str) -> bool:
    """Whether an item of this type shows what a tool did at the service."""
    if kind in CLIENT_CALLS or kind.startswith("function_call"):
        return False
    return kind in _TRACES or kind.endswith(("_call", "_call_output"))


def map_trace(item: Json) -> dict[str, Any]:
    """An entry of run_steps. ``type`` is the item's type without its ending.

    Code and file searches, which both kinds of agents have, take the form of classic agents. All
    other fields stay as they are.
    """
    kind = str(item.get("type"))
    plain = kind.replace("_call_output", "_output").removesuffix("_call").replace("_preview", "")
    fields = {n: v for n, v in item.items() if n not in _PICTURE_FIELDS}
    if plain == "code_interpreter":
        outputs = [_map_output(output) for output in as_objects(fields.pop("outputs", None))]
        fields[plain] = {"input": fields.pop("code", None) or "", "outputs": outputs}
    elif plain == "file_search":
        results = [_map_hit(hit) for hit in as_objects(fields.pop("results", None))]
        fields[plain] = {"queries": fields.pop("queries", None) or [], "results": results}
    identified = {"id": str(item.get("id")), "type": plain}
    return {**fields, **identified, "status": as_text(item.get("status")) or "completed"}


def _map_output(output: Json) -> dict[str, Any]:
    """An output of code. A picture is given out as an image, so the entry names its place only."""
    if output.get("type") != "image":
        return dict(output)
    url = str(output.get("url") or "")
    place = container_file(url)
    if place is not None:
        return {"type": "image", "image": {"container_id": place[0], "file_id": place[1]}}
    return {"type": "image", "image": {} if url.startswith("data:") else {"url": url}}


def _map_hit(hit: Json) -> dict[str, Any]:
    mapped = {n: v for n, v in hit.items() if n not in ("filename", "text")}
    if hit.get("filename") is not None:
        mapped["file_name"] = hit["filename"]
    if hit.get("text") is not None:
        mapped["content"] = [{"type": "text", "text": hit["text"]}]
    return mapped


def container_file(url: str) -> tuple[str, str] | None:
    """(container id, file id) if a URL is that of a file in a container."""
    found = None if url.startswith("data:") else _CONTAINER_FILE.search(url)
    return (found[1], found[2]) if found else None


def map_image(item: Json) -> dict[str, Any] | None:
    """A generated picture as a data URL, in the form of LiteLLM's image-output models."""
    data = as_text(item.get("result"))
    if not data:
        return None
    kind = as_text(item.get("output_format")) or "png"
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}"}}


def consent_text(item: Json) -> str:
    """What the user has to do before the agent can use a tool in their name."""
    label = item.get("server_label") or item.get("name") or "a tool"
    return f"Please sign in to let the agent use {label}: {item.get('consent_link') or ''}".rstrip()
