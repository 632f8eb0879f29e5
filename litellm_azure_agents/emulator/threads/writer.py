"""Renders one classic run: actions become stored messages and steps, and events.

The writer knows the shapes and the order of events; `rounds` and `engine` decide when to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.events import DONE, EventLog, pieces
from ..core.ids import new_id, now
from ..core.store import Doc, Store
from ..models.base import Annotation, CallMcp, Logs, OutputFile, SearchHit
from .objects import (
    TERMINAL,
    message_object,
    step_object,
    text_part,
    usage_object,
    without_search_content,
)

_RUN_TIMES = {
    "in_progress": "started_at",
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
}
_STEP_TIMES = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at"}


@dataclass
class RunWriter:
    """Writes one run. `save_file` stores a file that the agent made and returns its id."""

    store: Store
    log: EventLog
    run: Doc
    save_file: Callable[[OutputFile], str]
    include_search_content: bool = False
    utf16_indices: bool = False
    message: Doc | None = None
    step: Doc | None = None
    usage: dict[str, int] = field(default_factory=usage_object)
    step_usage: dict[str, int] = field(default_factory=usage_object)
    calls: dict[int, Doc] = field(default_factory=dict)
    """Function calls that arrive in pieces."""

    # ---- the run itself

    def status(self, status: str, **fields: Any) -> None:
        """Move the run to a status, store it and add the event."""
        self.run.update(fields, status=status)
        if status in _RUN_TIMES and not self.run[_RUN_TIMES[status]]:
            self.run[_RUN_TIMES[status]] = now()
        if status in TERMINAL:
            self.run.update(expires_at=None, required_action=None, usage=dict(self.usage))
        self.store.put("run", self.run, self.run["thread_id"])
        self.log.append(f"thread.run.{status}", self.run)

    def created(self) -> None:
        """The first event of a run."""
        self.store.put("run", self.run, self.run["thread_id"])
        self.log.append("thread.run.created", self.run)

    def done(self) -> None:
        """End the streams that read the log."""
        self.log.append(DONE, "[DONE]")

    def spent(self) -> tuple[int, int]:
        """Tokens of prompts and of output so far."""
        return self.usage["prompt_tokens"], self.usage["completion_tokens"]

    def spend(self, prompt: int, completion: int, reasoning: int = 0) -> None:
        """Count tokens for the run and for the open or next step. This protocol has no count of
        reasoning tokens."""
        for usage in (self.usage, self.step_usage):
            usage["prompt_tokens"] += prompt
            usage["completion_tokens"] += completion
            usage["total_tokens"] += prompt + completion

    # ---- messages

    def text(self, text: str, annotations: Sequence[Annotation] = ()) -> None:
        """Write more text in the open part; one is opened if there is none."""
        content = self._open_message()["content"]
        if not content or content[-1]["type"] != "text":
            content.append(text_part(""))
        part = content[-1]["text"]
        part["value"] += text
        delta: Doc = {"value": text}
        if annotations:
            delta["annotations"] = []
        for annotation in annotations:
            whole = self._annotation(annotation, part["value"])
            shown = {"index": len(part["annotations"]), **whole}
            if annotation.kind == "url_citation":
                shown.pop("text")
            part["annotations"].append(whole)
            delta["annotations"].append(shown)
        self._message_delta({"index": len(content) - 1, "type": "text", "text": delta})

    def new_part(self) -> None:
        """Begin another text part."""
        content = self._open_message()["content"]
        content.append(text_part(""))

    def image(self, file_id: str) -> None:
        """An image part."""
        content = self._open_message()["content"]
        part: Doc = {"type": "image_file", "image_file": {"file_id": file_id}}
        content.append(part)
        self._message_delta({"index": len(content) - 1, **part})

    def close_message(self, incomplete: str | None = None, step_status: str = "completed") -> None:
        """Finish the open message, if any, and its step."""
        if self.message is None:
            return
        status = "incomplete" if incomplete else "completed"
        self.message["status"] = status
        self.message[f"{status}_at"] = now()
        if incomplete:
            self.message["incomplete_details"] = {"reason": incomplete}
        self.store.put("message", self.message, self.run["thread_id"])
        self.log.append(f"thread.message.{status}", self.message)
        self.message = None
        self.close_step(step_status)

    def _open_message(self) -> Doc:
        if self.message is None:
            message = message_object(self.run["thread_id"], "assistant", [], run=self.run)
            creation = {"message_id": message["id"]}
            self.open_step(
                "message_creation", {"type": "message_creation", "message_creation": creation}
            )
            self.store.put("message", message, self.run["thread_id"])
            self.log.append("thread.message.created", message)
            self.log.append("thread.message.in_progress", message)
            self.message = message
        return self.message

    def _message_delta(self, content: Doc) -> None:
        assert self.message is not None
        self.log.append(
            "thread.message.delta",
            {
                "id": self.message["id"],
                "object": "thread.message.delta",
                "delta": {"content": [content]},
            },
        )

    def _annotation(self, annotation: Annotation, text: str) -> Doc:
        whole: Doc = {
            "type": annotation.kind,
            "text": annotation.marker,
            "start_index": self._length(text) - self._length(annotation.marker),
            "end_index": self._length(text),
        }
        if annotation.kind == "file_citation":
            whole["file_citation"] = {"file_id": annotation.file_id, "quote": annotation.quote}
        elif annotation.kind == "file_path":
            id = self.save_file(annotation.file) if annotation.file else annotation.file_id
            whole["file_path"] = {"file_id": id}
        else:
            whole["url_citation"] = {"url": annotation.url, "title": annotation.title}
        return whole

    def _length(self, text: str) -> int:
        return len(text.encode("utf-16-le")) // 2 if self.utf16_indices else len(text)

    # ---- steps

    def open_step(self, type: str, details: Mapping[str, Any]) -> Doc:
        """Begin a step."""
        self.step = step_object(self.run, type, details)
        self.store.put("step", self.step, self.run["id"])
        self.log.append("thread.run.step.created", self.step)
        self.log.append("thread.run.step.in_progress", self.step)
        return self.step

    def close_step(self, status: str = "completed", error: Mapping[str, str] | None = None) -> None:
        """Finish the open step, if any, with the tokens spent since the last one."""
        if self.step is None:
            return
        step, self.step = self.step, None
        step.update(status=status, usage=self.step_usage, last_error=error)
        if status in _STEP_TIMES:
            step[_STEP_TIMES[status]] = now()
            step["expires_at"] = None
        self.step_usage = usage_object()
        self.store.put("step", step, self.run["id"])
        shown = without_search_content(step, self.include_search_content)
        self.log.append(f"thread.run.step.{status}", shown)

    def _step_delta(self, call: Doc, type: str = "tool_calls") -> None:
        assert self.step is not None
        self.log.append(
            "thread.run.step.delta",
            {
                "id": self.step["id"],
                "object": "thread.run.step.delta",
                "delta": {"step_details": {"type": type, "tool_calls": [call]}},
            },
        )

    def function_calls(self, calls: Sequence[tuple[str, str]]) -> list[Doc]:
        """A step of function calls (name, arguments) without outputs; stays open."""
        for index, (name, arguments) in enumerate(calls):
            self.call_piece(index, name, "")
            for piece in pieces(arguments):
                self.call_piece(index, "", piece)
        return self.whole_calls()

    def call_piece(self, index: int, name: str, arguments: str) -> None:
        """More of a function call, in a step of calls; the first piece has the name."""
        if not self.calls:
            self.open_step("tool_calls", {"type": "tool_calls", "tool_calls": []})
        if index not in self.calls:
            id, empty = new_id("call_"), {"name": name, "arguments": "", "output": None}
            self.calls[index] = {"id": id, "type": "function", "function": dict(empty)}
            self._step_delta({"index": index, "id": id, "type": "function", "function": empty})
        if arguments:
            self.calls[index]["function"]["arguments"] += arguments
            more = {"arguments": arguments}
            self._step_delta({"index": index, "type": "function", "function": more})

    def whole_calls(self) -> list[Doc]:
        """The function calls of the open step, which is stored with them and stays open."""
        whole = list(self.calls.values())
        self.calls.clear()
        if self.step is not None and whole:
            self.step["step_details"]["tool_calls"] = whole
            self.store.put("step", self.step, self.run["id"])
        return whole

    def mcp_tools(self, server_label: str, tools: Sequence[str]) -> None:
        """A finished step that lists the tools of an MCP server."""
        parameters = {"type": "object", "properties": {"query": {"type": "string"}}}
        listed = {name: {"description": None, "parameters": parameters} for name in tools}
        activity = {
            "type": "mcp_list_tools",
            "id": new_id("mcpl_"),
            "server_label": server_label,
            "tools": listed,
        }
        self.open_step("activities", {"type": "activities", "activities": [activity]})
        self.close_step()

    def mcp_calls(self, calls: Sequence[CallMcp]) -> list[Doc]:
        """A step of MCP calls without outputs; stays open."""
        step = self.open_step("tool_calls", {"type": "tool_calls", "tool_calls": []})
        whole: list[Doc] = []
        for index, call in enumerate(calls):
            entry = {
                "id": new_id("call_"),
                "type": "mcp",
                "name": call.name,
                "arguments": call.arguments,
                "server_label": call.server_label,
            }
            self._step_delta({"index": index, **entry}, "mcp")
            whole.append(entry)
        step["step_details"]["tool_calls"] = whole
        self.store.put("step", step, self.run["id"])
        return whole

    def file_search(self, hits: Sequence[SearchHit], ranking: Mapping[str, Any]) -> str:
        """A finished file search step; returns the call's id."""
        step = self.open_step("tool_calls", {"type": "tool_calls", "tool_calls": []})
        id = new_id("call_")
        self._step_delta({"index": 0, "id": id, "type": "file_search", "file_search": {}})
        results = [
            {
                "file_id": hit.file_id,
                "file_name": hit.filename,
                "score": hit.score,
                "content": [{"type": "text", "text": hit.text}],
            }
            for hit in hits
        ]
        search = {"ranking_options": dict(ranking), "results": results}
        step["step_details"]["tool_calls"] = [
            {"id": id, "type": "file_search", "file_search": search}
        ]
        self.close_step()
        return id

    def code(self, code: str, outputs: Sequence[Logs | OutputFile]) -> tuple[str, list[Doc]]:
        """A finished code interpreter step; returns the call's id and its outputs."""
        step = self.open_step("tool_calls", {"type": "tool_calls", "tool_calls": []})
        id, kind = new_id("call_"), "code_interpreter"
        first = {"input": "", "outputs": []}
        self._step_delta({"index": 0, "id": id, "type": kind, kind: first})
        for piece in pieces(code):
            self._step_delta({"index": 0, "type": kind, kind: {"input": piece}})
        shown: list[Doc] = []
        for index, output in enumerate(outputs):
            entry: Doc = (
                {"type": "logs", "logs": output.text}
                if isinstance(output, Logs)
                else {"type": "image", "image": {"file_id": self.save_file(output)}}
            )
            shown.append(entry)
            delta = {"outputs": [{"index": index, **entry}]}
            self._step_delta({"index": 0, "type": kind, kind: delta})
        step["step_details"]["tool_calls"] = [
            {"id": id, "type": kind, kind: {"input": code, "outputs": shown}}
        ]
        self.close_step()
        return id, shown

    def hosted_tool(self, type: str, fields: Mapping[str, str]) -> str:
        """A finished step of a tool whose call is a map of strings; returns the call's id."""
        step = self.open_step("tool_calls", {"type": "tool_calls", "tool_calls": []})
        call = {"id": new_id("call_"), "type": type, type: dict(fields)}
        self._step_delta({"index": 0, **call})
        step["step_details"]["tool_calls"] = [call]
        self.close_step()
        return str(call["id"])

    def stop(self, status: str, reason: str, error: Mapping[str, str] | None = None) -> None:
        """Close what is open because the run ends in `status`; `reason` is the message's."""
        self.whole_calls()
        if self.message is not None:
            step_status = "completed" if status == "incomplete" else status
            message, self.message = self.message, None
            message.update(
                status="incomplete", incomplete_at=now(), incomplete_details={"reason": reason}
            )
            self.store.put("message", message, self.run["thread_id"])
            self.log.append("thread.message.incomplete", message)
            self.close_step(step_status, error)
        self.close_step("completed" if status == "incomplete" else status, error)
