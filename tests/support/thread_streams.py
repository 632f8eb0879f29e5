"""Event streams of classic agents: full run objects, tool-call deltas without id after the first.

The shapes are those of the official SDK's recorded service streams. `streams.py` stores them as
files.
"""

from __future__ import annotations

from typing import Any

THREAD, RUN = "thread_JbQ1sT4nFxW2Ko8eRm6VyHcA", "run_9uLz3PdXw7GkTq5BvN2sYfJe"
USAGE = {"prompt_tokens": 41, "completion_tokens": 13, "total_tokens": 54}


def run(status: str, **fields: Any) -> dict[str, Any]:
    base = {
        "id": RUN, "object": "thread.run", "created_at": 1795240000, "assistant_id": "asst_rec",
        "thread_id": THREAD, "status": status, "started_at": None, "expires_at": 1795240600,
        "required_action": None, "last_error": None, "model": "gpt-4o-mini", "usage": None,
        "instructions": "You are stored.", "tools": [], "metadata": {},
        "incomplete_details": None, "parallel_tool_calls": True, "response_format": "auto",
    }  # fmt: skip
    return {**base, **fields}


def message(
    id: str, status: str, *texts: str, annotations: list[Any] | None = None
) -> dict[str, Any]:
    return {
        "id": id, "object": "thread.message", "created_at": 1795240001, "thread_id": THREAD,
        "run_id": RUN, "assistant_id": "asst_rec", "role": "assistant", "status": status,
        "attachments": [], "metadata": {},
        "content": [
            {"type": "text", "text": {"value": t, "annotations": annotations or []}} for t in texts
        ],
    }  # fmt: skip


def step(id: str, kind: str, status: str = "in_progress", **details: Any) -> dict[str, Any]:
    return {
        "id": id, "object": "thread.run.step", "run_id": RUN, "thread_id": THREAD, "type": kind,
        "status": status, "step_details": {"type": kind, kind: details.get("details", {})},
        "usage": details.get("usage"),
    }  # fmt: skip


def delta(id: str, index: int, value: str, **text: Any) -> tuple[str, Any]:
    part = {"index": index, "type": "text", "text": {"value": value, **text}}
    return "thread.message.delta", {
        "id": id, "object": "thread.message.delta", "delta": {"content": [part]},
    }  # fmt: skip


def call_delta(step_id: str, index: int, arguments: str, **first: str) -> tuple[str, Any]:
    function: dict[str, Any] = {"arguments": arguments}
    call: dict[str, Any] = {"index": index, "type": "function", "function": function}
    if first:
        call["id"] = first["id"]
        function |= {"name": first["name"], "output": None}
    return "thread.run.step.delta", {
        "id": step_id, "object": "thread.run.step.delta",
        "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}},
    }  # fmt: skip


def tool_delta(step_id: str, index: int, kind: str, **call: Any) -> tuple[str, Any]:
    return "thread.run.step.delta", {
        "id": step_id, "object": "thread.run.step.delta",
        "delta": {"step_details": {"type": "tool_calls", "tool_calls": [
            {"index": index, "type": kind, **call}]}},
    }  # fmt: skip


def tools_step(id: str, status: str, *calls: Any) -> dict[str, Any]:
    found = step(id, "tool_calls", status)
    return {**found, "step_details": {"type": "tool_calls", "tool_calls": list(calls)}}


def part(index: int, **content: Any) -> tuple[str, Any]:
    return "thread.message.delta", {
        "id": "msg_1", "object": "thread.message.delta",
        "delta": {"content": [{"index": index, **content}]},
    }  # fmt: skip


def said(text: str, *annotations: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"value": text, "annotations": list(annotations)}}


def marked(kind: str, text: str, marker: str, **inner: Any) -> dict[str, Any]:
    at = text.index(marker)
    return {"type": kind, "text": marker, "start_index": at, "end_index": at + len(marker),
            kind: inner}  # fmt: skip


def opening() -> list[tuple[str, Any]]:
    return [
        ("thread.created", {"id": THREAD, "object": "thread", "metadata": {}}),
        ("thread.run.created", run("queued")),
        ("thread.run.queued", run("queued")),
        ("thread.run.in_progress", run("in_progress")),
    ]


def written(id: str, *parts: list[str]) -> list[tuple[str, Any]]:
    events: list[tuple[str, Any]] = [
        ("thread.run.step.created", step("step_" + id, "message_creation")),
        ("thread.message.created", message(id, "in_progress")),
        ("thread.message.in_progress", message(id, "in_progress")),
    ]
    events += [delta(id, i, piece) for i, pieces in enumerate(parts) for piece in pieces]
    texts = ["".join(pieces) for pieces in parts]
    return [*events, ("thread.message.completed", message(id, "completed", *texts))]


def ending(status: str = "completed", **fields: Any) -> list[tuple[str, Any]]:
    return [(f"thread.run.{status}", run(status, usage=USAGE, **fields)), ("done", "[DONE]")]


CALLS = [
    {"id": "call_a1B2c3D4e5F6g7H8i9J0kLmN", "type": "function",
     "function": {"name": "get_weather", "arguments": '{"location": "Zürich"}'}},
    {"id": "call_z9Y8x7W6v5U4t3S2r1Q0pOnM", "type": "function",
     "function": {"name": "get_time", "arguments": "{}"}},
]  # fmt: skip
WAITS = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": CALLS}}

CODE = {
    "id": "call_code",
    "type": "code_interpreter",
    "code_interpreter": {
        "input": "import csv\nprint(6)",
        "outputs": [
            {"type": "logs", "logs": "6\n"},
            {"type": "image", "image": {"file_id": "file-plot"}},
        ],
    },
}
SEARCH = {
    "id": "call_find",
    "type": "file_search",
    "file_search": {
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
        "results": [
            {
                "file_id": "file-a",
                "file_name": "a.txt",
                "score": 0.9,
                "content": [{"type": "text", "text": "Green."}],
            }
        ],
    },
}
LINKED = "Here: [values](sandbox:/mnt/data/values.csv)"
PATH = marked("file_path", LINKED, "sandbox:/mnt/data/values.csv", file_id="file-csv")
WEB = "😀 News【3:0†source】 and files【4:0†source】, again【4:0†source】."
PAGE = marked("url_citation", WEB, "【3:0†source】", url="https://example.com/n", title="News")
CITED = marked("file_citation", WEB, "【4:0†source】", file_id="file-a", quote="Green.")
AGAIN = {**CITED, "start_index": 47, "end_index": 59}

STREAMS: dict[str, list[tuple[str, Any]]] = {
    "plain": [*opening(), *written("msg_1", ["Hel", "lo", ", world."]), *ending()],
    "unicode": [
        *opening(),
        *written("msg_1", ["a\u2028b\u2029c\x85d", " 👩🏽‍🚀", "e\u0301", "\r\n", "\u0000?", "𝒳"]),
        *ending(),
    ],
    "many": [
        *opening(),
        *written("msg_1", ["First ", "message."], ["Second part."]),
        *written("msg_2", ["Second message."]),
        *ending(),
    ],
    "unknown_events": [
        ("thread.some.novelty", {"surprise": True}),
        *opening(),
        ("thread.run.step.reticulated", {"id": "step_x"}),
        *written("msg_1", ["Known."]),
        *ending(),
    ],
    "only_completed": [
        *opening(),
        ("thread.message.completed", message("msg_1", "completed", "Never sent as deltas.")),
        *ending(),
    ],
    "length": [
        *opening(),
        *written("msg_1", ["Cut of"]),
        *ending("incomplete", incomplete_details={"reason": "max_completion_tokens"}),
    ],
    "filtered": [
        *opening(),
        *written("msg_1", ["I'd rather"]),
        *ending("incomplete", incomplete_details={"reason": "content_filter"}),
    ],
    "tools": [
        *opening(),
        *written("msg_1", ["Let me look."]),
        ("thread.run.step.created", tools_step("step_2", "in_progress")),
        call_delta("step_2", 0, "", id=CALLS[0]["id"], name="get_weather"),
        call_delta("step_2", 0, '{"loc'),
        call_delta("step_2", 0, 'ation": "Zür'),
        call_delta("step_2", 0, 'ich"}'),
        call_delta("step_2", 1, "", id=CALLS[1]["id"], name="get_time"),
        call_delta("step_2", 1, "{}"),
        ("thread.run.requires_action", run("requires_action", required_action=WAITS)),
        ("done", "[DONE]"),
    ],
    "tools_without_deltas": [
        *opening(),
        ("thread.run.step.created", tools_step("step_2", "in_progress")),
        ("thread.run.requires_action", run("requires_action", required_action=WAITS)),
        ("done", "[DONE]"),
    ],
    "code": [
        *opening(),
        ("thread.run.step.created", tools_step("step_1", "in_progress")),
        tool_delta("step_1", 0, "code_interpreter", id="call_code",
                   code_interpreter={"input": "", "outputs": []}),
        tool_delta("step_1", 0, "code_interpreter", code_interpreter={"input": "import "}),
        tool_delta("step_1", 0, "code_interpreter", code_interpreter={"input": "csv\nprint(6)"}),
        tool_delta("step_1", 0, "code_interpreter", code_interpreter={
            "outputs": [{"index": 0, "type": "logs", "logs": "6\n"}]}),
        tool_delta("step_1", 0, "code_interpreter", code_interpreter={
            "outputs": [{"index": 1, "type": "image", "image": {"file_id": "file-plot"}}]}),
        ("thread.run.step.completed", tools_step("step_1", "completed", CODE)),
        ("thread.run.step.created", tools_step("step_2", "in_progress")),
        ("thread.run.step.completed", tools_step("step_2", "completed", SEARCH, {
            "id": "call_new", "type": "telepathy", "telepathy": {"mind": "open"}})),
        ("thread.message.created", message("msg_1", "in_progress")),
        part(0, type="image_file", image_file={"file_id": "file-plot"}),
        part(1, **said("Here: [values](sandbox:/mnt/")),
        part(1, **said("data/values.csv)", {"index": 0, **PATH})),
        ("thread.message.completed", {**message("msg_1", "completed"), "content": [
            {"type": "image_file", "image_file": {"file_id": "file-plot"}}, said(LINKED, PATH)]}),
        *ending(),
    ],
    "web": [
        *opening(),
        ("thread.message.created", message("msg_1", "in_progress")),
        part(0, **said("😀 News【3:0†")),
        part(0, **said("source】 and files【4", {
            k: v for k, v in {"index": 0, **PAGE}.items() if k != "text"})),
        # Citations that lack something until the message is complete (protocols A4).
        part(0, **said(":0†source】", {"index": 1, "type": "file_citation",
                                      "file_citation": {"file_id": "file-a"}})),
        part(0, **said(", again【4:0†source】.")),
        ("thread.message.completed", {**message("msg_1", "completed"), "content": [
            said(WEB, PAGE, CITED, AGAIN)]}),
        *ending(),
    ],
    "cited": [
        *opening(),
        ("thread.message.created", message("msg_1", "in_progress")),
        delta("msg_1", 0, "See 【4:"),
        delta("msg_1", 0, "0†a.txt】", annotations=[
            {"index": 0, "type": "file_citation", "text": "【4:0†a.txt】", "start_index": 4,
             "end_index": 15, "file_citation": {"file_id": "assistant-1", "quote": ""}}]),
        ("thread.message.completed", message(
            "msg_1", "completed", "See 【4:0†a.txt】", annotations=[
                {"type": "file_citation", "text": "【4:0†a.txt】", "start_index": 4,
                 "end_index": 15, "file_citation": {"file_id": "assistant-1", "quote": ""}}])),
        *ending(),
    ],
}  # fmt: skip
