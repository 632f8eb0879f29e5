"""Items of the new protocol: what clients send, which calls are open, what the model is given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..core.errors import ApiError, invalid
from ..core.ids import new_id
from ..core.store import Doc
from ..models.base import CallItem, ImageRef, Item, MessageItem, SearchHit

_Fields = dict[str, dict[str, type | tuple[type, ...]]]
_REQUIRED: _Fields = {
    "message": {"role": str, "content": (str, list)},
    "function_call": {"call_id": str, "name": str, "arguments": str},
    "function_call_output": {"call_id": str, "output": (str, list)},
    "mcp_approval_response": {"approval_request_id": str, "approve": bool},
    "item_reference": {"id": str},
    "reasoning": {"summary": list},
    "computer_call": {"call_id": str},
    "computer_call_output": {"call_id": str, "output": dict},
    "custom_tool_call": {"call_id": str, "name": str, "input": str},
    "custom_tool_call_output": {"call_id": str, "output": (str, list)},
    "compaction": {},
}
_HOSTED_REQUIRED: _Fields = {
    "mcp_call": {"server_label": str, "name": str, "arguments": str},
    "mcp_list_tools": {"server_label": str, "tools": list},
    "mcp_approval_request": {"id": str, "server_label": str, "name": str, "arguments": str},
}
_OPTIONAL: dict[str, type] = {
    "id": str, "status": str, "name": str, "arguments": str, "call_id": str, "input": str,
    "server_label": str, "approval_request_id": str, "queries": list, "results": list,
    "code": str, "outputs": list,
}  # fmt: skip
_PREFIXES = {
    "message": "msg_", "function_call": "fc_", "function_call_output": "fco_",
    "mcp_approval_response": "mcpar_", "reasoning": "rs_",
}  # fmt: skip
_PARTS: dict[str, tuple[str, ...]] = {
    "user": ("input_text", "input_image", "input_file"),
    "system": ("input_text", "input_image", "input_file"),
    "developer": ("input_text", "input_image", "input_file"),
    "assistant": ("output_text", "refusal", "input_text"),
}
_SOURCES = ("image_url", "file_id", "file_url", "file_data", "filename")
_IMAGE_DETAILS = (None, "auto", "low", "high", "original")
ANSWERED_BY_CLIENT = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}


def read_input(given: Any, *, hosted_allowed: bool, param: str = "input") -> list[Doc]:
    """Input as items with ids. Raises the 400 if it is malformed."""
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        raise invalid(f"'{param}' must be a string or an array of items.", param)
    return [_read(item, f"{param}[{n}]", hosted_allowed) for n, item in enumerate(given)]


def _read(item: Any, param: str, hosted_allowed: bool) -> Doc:
    if not isinstance(item, dict):
        raise invalid(f"'{param}' must be an object.", param)
    kind: Any = item.get("type", "message" if "role" in item else None)
    if not isinstance(kind, str) or kind not in _REQUIRED:
        hosted = isinstance(kind, str) and (
            kind in _HOSTED_REQUIRED or kind.endswith(("_call", "_call_output"))
        )
        if not (hosted and hosted_allowed):
            message = f"Invalid value: '{kind}' is not a type of input item."
            if hosted:
                message = "The provided data does not match the expected schema"
            raise invalid(message, f"{param}.type")
        _check_fields(item, _HOSTED_REQUIRED.get(kind, {}), param)
        # Fields that begin with `_` are the emulator's own.
        doc = {name: value for name, value in item.items() if not name.startswith("_")}
        return {**doc, "type": kind, "id": item.get("id") or new_id("item_")}
    _check_fields(item, _REQUIRED[kind], param)
    if kind.endswith("_call_output") and isinstance(item["output"], list):
        for number, part in enumerate(item["output"]):
            _check_part(part, _PARTS["user"], f"{param}.output[{number}]")
    doc = {**item, "type": kind}
    if kind == "item_reference":
        return doc
    doc["id"] = item.get("id") or new_id(_PREFIXES.get(kind, "item_"))
    if kind == "message":
        doc["status"] = "completed"
        doc["content"] = _content(item, param)
    elif kind in ("function_call", "function_call_output"):
        doc["status"] = item.get("status") or "completed"
    return doc


def _check_fields(
    item: Mapping[str, Any], required: Mapping[str, type | tuple[type, ...]], param: str
) -> None:
    for name, types in required.items():
        if not isinstance(item.get(name), types):
            raise invalid(f"Missing or ill-typed '{param}.{name}'.", f"{param}.{name}")
    for name, types in _OPTIONAL.items():
        if name not in required and not isinstance(item.get(name), (types, type(None))):
            raise invalid(f"Ill-typed '{param}.{name}'.", f"{param}.{name}")


def _content(item: Mapping[str, Any], param: str) -> list[Doc]:
    role, content = item["role"], item["content"]
    if role not in _PARTS:
        raise invalid(f"Invalid value: '{role}'. Supported: {', '.join(_PARTS)}.", f"{param}.role")
    if isinstance(content, str):
        content = [
            {"type": "output_text" if role == "assistant" else "input_text", "text": content}
        ]
    parts = []
    for number, part in enumerate(content):
        _check_part(part, _PARTS[role], f"{param}.content[{number}]")
        output = part["type"] == "output_text"
        parts.append({"annotations": [], **part} if output else dict(part))
    return parts


def _check_part(part: Any, kinds: Sequence[str], where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise invalid(f"Invalid value: '{kind}'. Supported: {', '.join(kinds)}.", where)
    if not _complete(kind, part):
        raise invalid(f"'{where}' lacks what a part of type '{kind}' needs.", where)


def _complete(kind: str, part: Mapping[str, Any]) -> bool:
    if not all(isinstance(part.get(name), (str, type(None))) for name in _SOURCES):
        return False
    if kind == "input_image":
        sources = [part[k] for k in ("image_url", "file_id") if part.get(k) is not None]
        return len(sources) == 1 and part.get("detail") in _IMAGE_DETAILS
    if kind == "input_file":
        data = part.get("file_data") and part.get("filename")
        return bool(data or part.get("file_id") or part.get("file_url"))
    return isinstance(part.get("refusal" if kind == "refusal" else "text"), str)


# ---- open calls -----------------------------------------------------------------------------


def check_answers(history: Sequence[Doc], given: Sequence[Doc], *, approvals: bool) -> None:
    """Raise the 400 for calls without output, and for outputs of unknown calls."""
    items = [*history, *given]
    for kind, output_kind in ANSWERED_BY_CLIENT.items():
        calls = [i["call_id"] for i in items if i["type"] == kind]
        outputs = [i["call_id"] for i in items if i["type"] == output_kind]
        noun = "function call" if kind == "function_call" else "custom tool call"
        for id in outputs:
            if id not in calls:
                raise _unpaired(f"No tool call found for {noun} output with call_id {id}.")
        for id in calls:
            if id not in outputs:
                raise _unpaired(f"No tool output found for {noun} {id}.")
    asked = [i["id"] for i in items if i["type"] == "mcp_approval_request"]
    answered = [i["approval_request_id"] for i in items if i["type"] == "mcp_approval_response"]
    for id in answered:
        if id not in asked:
            raise _unpaired(f"No approval request found with id '{id}'.")
    open_requests = [id for id in asked if id not in answered]
    if approvals and open_requests:
        raise _unpaired(
            "The following MCP approval requests do not have an approval: "
            + ", ".join(open_requests)
        )


def _unpaired(message: str) -> ApiError:
    return ApiError(400, message, param="input", code="invalid_payload")


def approved_requests(items: Sequence[Doc]) -> list[Doc]:
    """Approval requests that are granted and whose calls were not made yet."""
    done = {i.get("approval_request_id") for i in items if i["type"] == "mcp_call"}
    granted = {
        i["approval_request_id"]
        for i in items
        if i["type"] == "mcp_approval_response" and i["approve"]
    }
    return [
        i
        for i in items
        if i["type"] == "mcp_approval_request" and i["id"] in granted and i["id"] not in done
    ]


# ---- what the model is given ----------------------------------------------------------------


def conversation_items(items: Sequence[Doc]) -> list[Item]:
    """Stored items as the model is given them; a call stands where its output is."""
    calls = {i["call_id"]: i for i in items if "call_id" in i and not _is_output(i)}
    requests = {i["id"]: i for i in items if i["type"] == "mcp_approval_request"}
    return [neutral for item in items for neutral in _neutral(item, calls, requests) if neutral]


def _is_output(item: Mapping[str, Any]) -> bool:
    return str(item["type"]).endswith("_output")


def _neutral(
    item: Doc, calls: Mapping[str, Doc], requests: Mapping[str, Doc]
) -> Iterable[Item | None]:
    kind = item["type"]
    if kind == "message":
        yield _message(item)
    elif kind == "mcp_call":
        approved = True if item.get("approval_request_id") else None
        yield CallItem(
            "mcp", item["id"], item["name"], item["arguments"], item.get("output") or "",
            item["server_label"], approved,
        )  # fmt: skip
    elif kind == "mcp_approval_response":
        asked = requests.get(item["approval_request_id"])
        if asked is not None and not item["approve"]:
            yield CallItem(
                "mcp", asked["id"], asked["name"], asked["arguments"], "",
                asked["server_label"], False,
            )  # fmt: skip
    elif kind == "file_search_call":
        found = item.get("_results") or item.get("results") or ()
        hits = tuple(_hit(result) for result in found if isinstance(result, Mapping))
        query = " ".join(map(str, item.get("queries") or ()))
        yield CallItem("file_search", item["id"], "file_search", query, hits=hits)
    elif kind == "code_interpreter_call":
        outputs = item.get("_outputs") or item.get("outputs") or ()
        logs = "".join(str(o["logs"]) for o in outputs if isinstance(o, Mapping) and "logs" in o)
        yield CallItem(
            "code_interpreter", item["id"], "code_interpreter", item.get("code") or "", logs,
            file_ids=tuple(item.get("_images") or ()),
            files=tuple((name, id) for name, id in item.get("_files") or ()),
        )  # fmt: skip
    elif _is_output(item) and item.get("call_id") in calls:
        call = calls[item["call_id"]]
        neutral = call["type"].removesuffix("_call").removesuffix("_preview")
        yield CallItem(
            neutral, call["call_id"], call.get("name") or neutral,
            call.get("arguments") or call.get("input") or "", _text(item["output"]),
        )  # fmt: skip
    elif "_call" in item:  # a hosted call of one item: see `tools.use_tool`
        call = item["_call"]
        yield CallItem(call["type"], item["id"], call["name"], call["arguments"], call["output"])


def _hit(result: Mapping[str, Any]) -> SearchHit:
    file_id, filename, text = (str(result.get(k) or "") for k in ("file_id", "filename", "text"))
    score = result.get("score")
    return SearchHit(file_id, filename, score if isinstance(score, float) else 0.0, text)


def _message(item: Mapping[str, Any]) -> MessageItem:
    texts, images, files = [], [], []
    for part in item["content"]:
        if part["type"] == "input_image":
            images.append(ImageRef(part.get("image_url"), part.get("file_id"), part.get("detail")))
        elif part["type"] == "input_file":
            files.append(part.get("file_id") or part.get("filename") or part["file_url"])
        else:
            texts.append(part.get("text") or part.get("refusal") or "")
    return MessageItem(item["role"], "\n".join(texts), tuple(images), tuple(files))


def _text(output: Any) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, list):
        return "\n".join(p["text"] for p in output if p.get("text"))
    return json.dumps(output, ensure_ascii=False)
