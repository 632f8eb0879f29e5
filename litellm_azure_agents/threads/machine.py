"""The events of a run -> the answer (protocols A5). Plain object: no I/O, no clock.

Feed it with `receive`, event by event, or, when the stream broke or the run is polled, with
`reconcile`: the run and its messages as asked for. Both give out each piece of the answer once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..actions import ServerEvent
from ..answer import Answer, Usage
from ..continuity import encode
from ..tool_results import APPROVAL_FUNCTION, build_approval_arguments
from .annotations import map_annotation
from .steps import StepReader

Json = Mapping[str, Any]

TERMINAL = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})
"""States in which a run does nothing more and no longer holds its thread."""


class RunMachine:
    """One run as it goes on, over the streams that it takes (a submit opens the next)."""

    def __init__(self, answer: Answer, *, trace: bool = False) -> None:
        self.answer = answer
        self.steps = StepReader(answer, traced=trace)
        self.run: Json | None = None
        """The run as last seen in a state that ends a stream: terminal or requires_action."""
        self.error: Json | None = None
        """Payload of an ``error`` event."""
        self.started = False
        """Whether the run has begun to answer: an error after this is one in mid-stream."""
        self._known_calls: dict[tuple[Any, Any], str] = {}

    @property
    def over(self) -> bool:
        """Whether this stream has said how the run stands."""
        return self.run is not None or self.error is not None

    @property
    def run_id(self) -> str | None:
        return self.answer.ids.get("run_id")

    def expect_more(self) -> None:
        """A submit is going out: the run goes on in another stream."""
        self.run = None

    # -- events --------------------------------------------------------------------------------

    def receive(self, event: ServerEvent) -> None:
        """One event. Those that say nothing new are not even decoded."""
        handler = _HANDLERS.get(event.name)
        if handler is RunMachine._on_step_end and not self.steps.wants(event.data):
            return
        if handler is not None:
            try:
                data = json.loads(event.data)
            except ValueError:
                if event.name != "error":
                    return  # cut in mid-event; the stream's end shows what is missing
                data = {"message": event.data}
            handler(self, data if isinstance(data, dict) else {"message": str(data)})

    def _on_thread(self, thread: Json) -> None:
        self.answer.know(thread_id=thread.get("id"))

    def _on_run(self, run: Json) -> None:
        self.answer.know(thread_id=run.get("thread_id"), run_id=run.get("id"))

    def _on_run_end(self, run: Json) -> None:
        self._on_run(run)
        self.run = run

    def _on_message(self, message: Json) -> None:
        self._start()
        self.answer.know(message_id=message.get("id"))

    def _on_message_delta(self, event: Json) -> None:
        self._start()
        message_id = str(event.get("id"))
        self.answer.know(message_id=message_id)
        for part in (event.get("delta") or {}).get("content") or ():
            key = (message_id, part.get("index", 0))
            if part.get("type") == "text":
                text = part.get("text") or {}
                if text.get("value"):
                    self.answer.text(key, text["value"])
                self._annotations(key, text.get("annotations") or ())
            elif part.get("type") == "image_file":
                self._image(part.get("image_file") or {})
            elif part.get("type") == "refusal":
                self.answer.refusal(key, part.get("refusal") or "")

    def _on_message_end(self, message: Json) -> None:
        self._start()
        message_id = str(message.get("id"))
        self.answer.know(message_id=message_id)
        for index, part in enumerate(message.get("content") or ()):
            key = (message_id, index)
            if part.get("type") == "text":
                text = part.get("text") or {}
                self.answer.whole_text(key, text.get("value") or "")
                self._annotations(key, text.get("annotations") or ())
            elif part.get("type") == "image_file":
                self._image(part.get("image_file") or {})
            elif part.get("type") == "refusal":
                self.answer.whole_refusal(key, part.get("refusal") or "")

    def _on_step_end(self, step: Json) -> None:
        self._start()
        self.steps.ended(step)

    def _on_step(self, step: Json) -> None:
        self._start()

    def _on_step_delta(self, event: Json) -> None:
        self._start()
        details = (event.get("delta") or {}).get("step_details") or {}
        for call in details.get("tool_calls") or ():
            if call.get("type") == "function":
                function = call.get("function") or {}
                # Later deltas of a call have neither id nor name (A5): the position counts.
                key = (event.get("id"), call.get("index", 0))
                if call.get("id"):
                    self._known_calls[key] = call["id"]
                    self.answer.tool_call(
                        call["id"],
                        id=self._call_id("t", call["id"]),
                        name=function.get("name") or "",
                    )
                service_id = self._known_calls.get(key)
                if service_id and function.get("arguments"):
                    self.answer.tool_arguments(service_id, function["arguments"])
            else:
                self.steps.delta(event.get("id"), call)

    def _on_error(self, data: Json) -> None:
        self.error = data

    def _start(self) -> None:
        if not self.started:
            self.started = True
            self.answer.announce()

    # -- the run as asked for ------------------------------------------------------------------

    def reconcile(self, run: Json, messages: Iterable[Json], steps: Iterable[Json] = ()) -> None:
        """The run has ended or waits, and these are its messages, oldest first; its steps, where
        they were asked for, say what came in between."""
        self._on_run(run)
        rest = {str(m.get("id")): m for m in messages if m.get("role") == "assistant"}
        for step in steps:
            made = (step.get("step_details") or {}).get("message_creation") or {}
            message = rest.pop(str(made.get("message_id")), None)
            if message is not None:
                self._on_message_end(message)
            else:
                self._on_step_end(step)
        for message in rest.values():
            self._on_message_end(message)
        self._on_run_end(run)

    def finish_calls(self, run: Json) -> None:
        """Give out the calls for which the run waits, functions and approvals alike."""
        for call in pending_calls(run):
            self._start()
            if call["type"] == "mcp":
                arguments = build_approval_arguments(call)
                name, kind = APPROVAL_FUNCTION, "a"
            else:
                function = call.get("function") or {}
                name, kind = function.get("name") or "", "t"
                arguments = function.get("arguments") or ""
            self.answer.whole_tool_call(
                call["id"], id=self._call_id(kind, call["id"]), name=name, arguments=arguments
            )

    def _call_id(self, kind: str, service_id: str) -> str:
        ids = self.answer.ids
        return encode(kind, ids.get("thread_id", ""), ids.get("run_id", ""), service_id)

    # -- parts ---------------------------------------------------------------------------------

    def _annotations(self, part: tuple[str, int], annotations: Iterable[Json]) -> None:
        for position, annotation in enumerate(annotations):
            number = annotation.get("index", position)
            mapped = map_annotation(annotation)
            if mapped is not None:
                self.answer.annotation(part, number, mapped)

    def _image(self, image: Json) -> None:
        file_id = image.get("file_id")
        if file_id:
            self.answer.image_file(file_id)


_HANDLERS: dict[str, Callable[[RunMachine, Json], None]] = {
    "thread.created": RunMachine._on_thread,
    "thread.run.created": RunMachine._on_run,
    "thread.run.requires_action": RunMachine._on_run_end,
    "thread.run.completed": RunMachine._on_run_end,
    "thread.run.incomplete": RunMachine._on_run_end,
    "thread.run.failed": RunMachine._on_run_end,
    "thread.run.cancelled": RunMachine._on_run_end,
    "thread.run.expired": RunMachine._on_run_end,
    "thread.run.step.created": RunMachine._on_step,
    "thread.run.step.delta": RunMachine._on_step_delta,
    "thread.run.step.completed": RunMachine._on_step_end,
    "thread.run.step.failed": RunMachine._on_step_end,
    "thread.run.step.cancelled": RunMachine._on_step_end,
    "thread.run.step.expired": RunMachine._on_step_end,
    "thread.message.created": RunMachine._on_message,
    "thread.message.delta": RunMachine._on_message_delta,
    "thread.message.completed": RunMachine._on_message_end,
    "thread.message.incomplete": RunMachine._on_message_end,
    "error": RunMachine._on_error,
}
"""What is read of the stream; every other event (queued, in_progress, new names) is passed over."""


def pending_calls(run: Json) -> list[Json]:
    """The calls for which a run waits, functions or approvals; empty if it waits for none."""
    action = run.get("required_action") or {}
    kind = action.get("type")
    calls = (action.get(kind) or {}).get("tool_calls") if kind else None
    return [call for call in calls or () if call.get("type") in ("function", "mcp")]


def map_usage(usage: Json | None) -> Usage | None:
    """The run's token counts, or None where the service gives none."""
    if not usage or usage.get("total_tokens") is None:
        return None
    # The first spelling was seen on Azure OpenAI runs (protocols A4).
    details = usage.get("prompt_token_details") or usage.get("prompt_tokens_details") or {}
    completion = (
        usage.get("completion_token_details") or usage.get("completion_tokens_details") or {}
    )
    return Usage(
        prompt_tokens=usage.get("prompt_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
        total_tokens=usage["total_tokens"],
        cached_tokens=details.get("cached_tokens"),
        reasoning_tokens=completion.get("reasoning_tokens"),
    )


def finish_reason(run: Json) -> str:
    """``stop``, ``length`` or ``content_filter`` for a run that completed or ended incomplete."""
    if run.get("status") != "incomplete":
        return "stop"
    reason = str((run.get("incomplete_details") or {}).get("reason") or "")
    return "length" if "token" in reason else "content_filter"
