"""Event streams of new agents, one for every kind of output item.

`streams.py` stores them as files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

RESPONSE = {"id": "resp_1", "object": "response", "status": "in_progress", "model": "gpt-x",
            "conversation": {"id": "conv_1"}, "output": []}  # fmt: skip


def message(item_id: str, *parts: Any) -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": "assistant", "status": "completed",
            "content": list(parts)}  # fmt: skip


def text(value: str, *annotations: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": value, "annotations": list(annotations)}


CITATION = {"type": "url_citation", "url": "https://a.test", "title": "A",
            "start_index": 2, "end_index": 5}  # fmt: skip
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f",
        "arguments": '{"a": 1}', "status": "completed"}  # fmt: skip
PICTURE = "data:image/png;base64,QUJD"
ITEMS: dict[str, list[dict[str, Any]]] = {
    "two messages": [message("msg_1", text("Hello "), text("there")), message("msg_2", text("!"))],
    "a citation": [message("msg_1", text("First")), message("msg_2", text("abcdefg", CITATION))],
    "a refusal": [message("msg_1", {"type": "refusal", "refusal": "I won't."})],
    "calls": [CALL, {**CALL, "id": "fc_2", "call_id": "call_2", "arguments": ""}],
    "reasoning": [
        {"type": "reasoning", "id": "rs_1",
         "summary": [{"type": "summary_text", "text": t} for t in ("One", "Two")],
         "content": [{"type": "reasoning_text", "text": "raw"}]},
        message("msg_1", text("Done")),
    ],
    "an image": [
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "QUJD"}
    ],
    "code": [
        {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1+1",
         "container_id": "cntr_1",
         "outputs": [{"type": "logs", "logs": "2"}, {"type": "image", "url": "https://i.test/x"}]},
    ],
    "searches": [
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"]},
        {"type": "bing_grounding_call", "id": "bg_1", "status": "completed", "arguments": "{}"},
        {"type": "bing_grounding_call_output", "id": "bo_1", "status": "completed", "output": "x"},
        {"type": "mcp_list_tools", "id": "ml_1", "server_label": "docs", "tools": []},
    ],
    "consent": [
        {"type": "oauth_consent_request", "id": "oc_1", "server_label": "mail",
         "consent_link": "https://login.test"},
    ],
    "others": [
        {"type": "structured_outputs", "id": "so_1", "output": {"a": 1}},
        {"type": "workflow_action", "id": "wa_1", "kind": "SetVariable", "status": "completed"},
        {"type": "never_heard_of", "id": "nh_1", "thing": 1},
    ],
    "an approval": [
        {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs", "name": "read",
         "arguments": "{}"},
    ],
}  # fmt: skip


def events_of(output: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stream in which a service would send these items."""
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": RESPONSE},
        {"type": "response.in_progress", "response": RESPONSE},
    ]
    for index, item in enumerate(output):
        at = {"output_index": index, "item_id": item["id"]}
        bare = {"content": [], "summary": [], "arguments": "", "result": None, "outputs": None}
        begun = {**item, "status": "in_progress"}
        begun |= {name: value for name, value in bare.items() if name in item}
        events.append({"type": "response.output_item.added", "output_index": index, "item": begun})
        for number, part in enumerate(item.get("summary") or ()):
            for piece in part["text"]:
                events.append(
                    {"type": "response.reasoning_summary_text.delta", **at,
                     "summary_index": number, "delta": piece}
                )  # fmt: skip
        for number, part in enumerate(item.get("content") or ()):
            events += _part_events({**at, "content_index": number}, part)
        if item["type"] == "function_call":
            for piece in item["arguments"]:
                kind = "response.function_call_arguments.delta"
                events.append({"type": kind, **at, "delta": piece})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": final(output)})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _part_events(at: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {"output_text": "output_text", "refusal": "refusal", "reasoning_text": "reasoning_text"}
    kind = kinds[part["type"]]
    value = part.get("text") or part.get("refusal") or ""
    events: list[dict[str, Any]] = [
        {"type": f"response.{kind}.delta", **at, "delta": piece} for piece in value
    ]
    for number, annotation in enumerate(part.get("annotations") or ()):
        events.append({"type": "response.output_text.annotation.added", **at,
                       "annotation_index": number, "annotation": annotation})  # fmt: skip
    field = "refusal" if kind == "refusal" else "text"
    return [*events, {"type": f"response.{kind}.done", **at, field: value}]


def final(output: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return {**RESPONSE, "status": "completed", "output": list(output), "usage": usage, **fields}


STREAMS: dict[str, list[tuple[str, Any]]] = {
    name.replace(" ", "_"): [(event["type"], event) for event in events_of(output)]
    for name, output in ITEMS.items()
}
