"""Renders one response: actions become output items and their events.

The writer knows shapes and order of events; `rounds` and `engine` decide when to write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.events import EventLog, pieces
from ..core.ids import new_id
from ..core.store import Doc, public
from ..models.base import Annotation, OutputFile
from .objects import shown_response, usage_object, with_includes


@dataclass
class ResponseWriter:
    """Writes one response. `keep` stores a file that the agent made and returns its citation."""

    log: EventLog
    response: Doc
    keep: Callable[[OutputFile], Doc]
    filename: Callable[[str], str]
    cite: Callable[[str], Doc | None] = lambda id: None
    """The citation of a file that is stored already; None if it is in no container."""
    include: Collection[str] = ()
    utf16_indices: bool = False
    message: Doc | None = None
    usage: Doc = field(default_factory=usage_object)
    calls: dict[int, Doc] = field(default_factory=dict)
    """Function calls that arrive in pieces."""
    pending_citations: list[Doc] = field(default_factory=list)
    """Citations of images that the agent made, for the next text part."""

    @property
    def output(self) -> list[Doc]:
        """The items so far."""
        items: list[Doc] = self.response["output"]
        return items

    def emit(self, type: str, /, **fields: Any) -> None:
        """One event."""
        self.log.append(type, {"type": type, "sequence_number": len(self.log), **fields})

    # ---- the response itself

    def created(self) -> None:
        """The first events."""
        self._lifecycle("created")
        if self.response["background"]:
            self._lifecycle("queued")

    def in_progress(self) -> None:
        """Work begins."""
        self.response["status"] = "in_progress"
        self._lifecycle("in_progress")

    def finish(self, status: str) -> None:
        """The last event; a cancelled response ends in `response.failed` (host behaviour)."""
        self._lifecycle("failed" if status == "cancelled" else status)
        self.log.close()

    def _lifecycle(self, name: str) -> None:
        self.emit(f"response.{name}", response=shown_response(self.response))

    def spent(self) -> tuple[int, int]:
        """Tokens of prompts and of output so far."""
        return self.usage["input_tokens"], self.usage["output_tokens"]

    def spend(self, prompt: int, output: int, reasoning: int = 0) -> None:
        """Count tokens."""
        usage = self.usage
        usage["input_tokens"] += prompt
        usage["output_tokens"] += output
        usage["output_tokens_details"]["reasoning_tokens"] += reasoning
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]

    # ---- items

    def add(self, item: Mapping[str, Any], **shown_empty: Any) -> Doc:
        """Begin an item; `shown_empty` are the first values of fields that arrive in deltas."""
        full = {
            **item,
            "agent_reference": self.response["agent_reference"],
            "response_id": self.response["id"],
        }
        self.output.append(full)
        self.emit(
            "response.output_item.added",
            output_index=len(self.output) - 1,
            item=public({**full, **shown_empty}),
        )
        return full

    def done(self, item: Doc, **fields: Any) -> None:
        """Finish the newest item."""
        item.update(fields)
        shown = with_includes(item, self.include)
        item.update({k: shown[k] for k in ("results", "outputs") if k in shown})
        self._on_item("output_item.done", item, item=public(item))

    def whole(self, item: Mapping[str, Any]) -> Doc:
        """Write an item that arrives in one piece."""
        full = self.add(item)
        self.done(full)
        return full

    def progress(self, item: Doc, family: str, *steps: str) -> None:
        """Events such as `response.file_search_call.searching`."""
        for step in steps:
            self._on_item(f"{family}.{step}", item, item_id=item["id"])

    def deltas(self, item: Doc, family: str, key: str, text: str, /, **fields: Any) -> None:
        """Write a text in deltas, and then whole under `key`."""
        for piece in pieces(text):
            self._on_item(f"{family}.delta", item, item_id=item["id"], delta=piece)
        self._on_item(f"{family}.done", item, item_id=item["id"], **{key: text}, **fields)

    def _on_item(self, type: str, of: Doc, /, **fields: Any) -> None:
        index = next(n for n in range(len(self.output) - 1, -1, -1) if self.output[n] is of)
        self.emit(f"response.{type}", output_index=index, **fields)

    # ---- messages

    def text(self, text: str, annotations: Sequence[Annotation] = ()) -> None:
        """Write more text in the open part; one is opened if there is none."""
        message, part = self._open_part("output_text")
        part["text"] += text
        self._on_part("output_text.delta", message, delta=text, logprobs=[])
        for citation in self.pending_citations:
            self._annotate(message, part, citation)
        self.pending_citations.clear()
        for annotation in annotations:
            self._annotate(message, part, self._citation(annotation, part["text"]))

    def refusal(self, text: str) -> None:
        """More of a refusal."""
        message, part = self._open_part("refusal")
        part["refusal"] += text
        self._on_part("refusal.delta", message, delta=text)

    def image(self, file: OutputFile) -> None:
        """Cite an image of the answer: messages of this protocol have no image parts."""
        self.pending_citations.append({**self.keep(file), "start_index": 0, "end_index": 0})

    def cite_image(self, citation: Mapping[str, Any]) -> None:
        """Cite an image that code made and that is stored already."""
        self.pending_citations.append({**citation, "start_index": 0, "end_index": 0})

    def new_part(self) -> None:
        """The next text begins another part."""
        self._close_part()

    def close_message(self, status: str = "completed") -> None:
        """Finish the open message, if any."""
        if self.pending_citations and status == "completed":
            self.text("")
        if self.message is None:
            return
        self._close_part()
        message, self.message = self.message, None
        self.done(message, status=status)

    def _open_part(self, kind: str) -> tuple[Doc, Doc]:
        if self.message is None:
            self.message = self.add(
                {
                    "id": new_id("msg_"),
                    "type": "message",
                    "role": "assistant",
                    "status": "in_progress",
                    "content": [],
                    "_open": False,
                }
            )
        message = self.message
        if message["_open"] and message["content"][-1]["type"] != kind:
            self._close_part()
        if not message["_open"]:
            part: Doc = {"type": kind, "refusal": ""}
            if kind == "output_text":
                part = {"type": kind, "text": "", "annotations": [], "logprobs": []}
            message["content"].append(part)
            message["_open"] = True
            self._on_part("content_part.added", message, part=part)
        return message, message["content"][-1]

    def _close_part(self) -> None:
        message = self.message
        if message is None or not message["_open"]:
            return
        part = message["content"][-1]
        if part["type"] == "output_text":
            self._on_part("output_text.done", message, text=part["text"], logprobs=[])
        else:
            self._on_part("refusal.done", message, refusal=part["refusal"])
        self._on_part("content_part.done", message, part=part)
        message["_open"] = False

    def _on_part(self, type: str, message: Doc, /, **fields: Any) -> None:
        index = len(message["content"]) - 1
        self._on_item(type, message, item_id=message["id"], content_index=index, **fields)

    def _annotate(self, message: Doc, part: Doc, citation: Doc) -> None:
        self._on_part(
            "output_text.annotation.added",
            message,
            annotation_index=len(part["annotations"]),
            annotation=citation,
        )
        part["annotations"].append(citation)

    def _citation(self, annotation: Annotation, text: str) -> Doc:
        end = self._length(text)
        start = end - self._length(annotation.marker)
        if annotation.kind == "file_citation":
            return {
                "type": "file_citation",
                "file_id": annotation.file_id,
                "filename": self.filename(annotation.file_id),
                "index": start,
            }
        if annotation.kind == "url_citation":
            return {
                "type": "url_citation",
                "url": annotation.url,
                "title": annotation.title,
                "start_index": start,
                "end_index": end,
            }
        kept = self.keep(annotation.file) if annotation.file else self.cite(annotation.file_id)
        if kept is not None:
            return {**kept, "start_index": start, "end_index": end}
        return {"type": "file_path", "file_id": annotation.file_id, "index": start}

    def _length(self, text: str) -> int:
        return len(text.encode("utf-16-le")) // 2 if self.utf16_indices else len(text)

    # ---- calls and reasoning

    def function_call(self, name: str, arguments: str) -> None:
        """A call that the client must answer."""
        self.call_piece(0, name, "")
        for piece in pieces(arguments):
            self.call_piece(0, "", piece)
        self.whole_calls()

    def call_piece(self, index: int, name: str, arguments: str) -> None:
        """More of a call that the client must answer; the first piece has the name."""
        if index not in self.calls:
            self.calls[index] = self.add(
                {
                    "id": new_id("fc_"),
                    "type": "function_call",
                    "call_id": new_id("call_"),
                    "name": name,
                    "arguments": "",
                    "status": "in_progress",
                }
            )
        item = self.calls[index]
        if arguments:
            item["arguments"] += arguments
            type = "function_call_arguments.delta"
            self._on_item(type, item, item_id=item["id"], delta=arguments)

    def whole_calls(self) -> bool:
        """Finish the calls that came in pieces; whether there were any."""
        calls = list(self.calls.values())
        self.calls.clear()
        for item in calls:
            whole = {"arguments": item["arguments"], "name": item["name"]}
            self._on_item("function_call_arguments.done", item, item_id=item["id"], **whole)
            self.done(item, status="completed")
        return bool(calls)

    def custom_call(self, name: str, input: str) -> Doc:
        """A call of a custom tool, which the client must answer too."""
        item = self.add(
            {
                "id": new_id("ctc_"),
                "type": "custom_tool_call",
                "call_id": new_id("call_"),
                "name": name,
                "input": input,
                "status": "in_progress",
            },
            input="",
        )
        self.deltas(item, "custom_tool_call_input", "input", input)
        self.done(item, status="completed")
        return item

    def reasoning(self, summary: str, text: str) -> Doc:
        """Write reasoning: its summary in one part a paragraph, and its text."""
        item = self.add(
            {
                "id": new_id("rs_"),
                "type": "reasoning",
                "summary": [],
                "content": [],
                "status": "in_progress",
            }
        )
        id = item["id"]
        paragraphs = [p for p in summary.split("\n\n") if p]
        for index, paragraph in enumerate(paragraphs):
            place = {"item_id": id, "summary_index": index}
            part: Doc = {"type": "summary_text", "text": ""}
            self._on_item("reasoning_summary_part.added", item, **place, part=part)
            for piece in pieces(paragraph):
                self._on_item("reasoning_summary_text.delta", item, **place, delta=piece)
            self._on_item("reasoning_summary_text.done", item, **place, text=paragraph)
            part = {"type": "summary_text", "text": paragraph}
            self._on_item("reasoning_summary_part.done", item, **place, part=part)
            item["summary"].append(part)
        if text:
            place = {"item_id": id, "content_index": 0}
            part = {"type": "reasoning_text", "text": ""}
            self._on_item("content_part.added", item, **place, part=part)
            for piece in pieces(text):
                self._on_item("reasoning_text.delta", item, **place, delta=piece)
            self._on_item("reasoning_text.done", item, **place, text=text)
            part = {"type": "reasoning_text", "text": text}
            self._on_item("content_part.done", item, **place, part=part)
            item["content"].append(part)
        self.done(item, status="completed")
        return item

    def stop(self) -> None:
        """Mark the open message as incomplete, without events: the response failed."""
        if self.message is not None:
            self.message.update(status="incomplete", _open=False)
            self.message = None
