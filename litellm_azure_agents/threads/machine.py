"""Maps the events of a run to the answer (protocols A5). Does no I/O and has no clock.

`receive` reads one event. When the stream broke or the run is polled, `reconcile` reads the run and
its messages as the service lists them. Each piece of the answer is given out once either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..answer.answer import Answer
from ..continuity.call_ids import CallKind, encode
from ..continuity.tool_results import APPROVAL_FUNCTION, build_approval_arguments
from ..core.actions import ServerEvent
from ..core.deltas import Usage, read_usage
from ..core.json_values import Json, as_arguments, as_int, as_object, as_objects, as_text
from ..protocol.machine import END_OF_STREAM, NAMELESS, EventMachine
from .annotations import map_annotation
from .steps import StepReader, made_by

TERMINAL = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})
"""States in which a run does nothing more and no longer holds its thread."""
_STANDING = TERMINAL | {"requires_action"}


class RunMachine(EventMachine):
    """One run, over all the streams that it takes: a submit opens the next one."""

    def __init__(self, answer: Answer, *, trace: bool = False) -> None:
        super().__init__(answer)
        self.steps = StepReader(answer, traced=trace)
        self.run: Json | None = None
        """The run as last seen in a state that ends a stream: terminal or requires_action."""
        self._known_calls: dict[tuple[str, int], str] = {}

    @property
    def over(self) -> bool:
        """Whether the stream has said how the run ended or that it waits."""
        return self.run is not None or self.error is not None

    @property
    def run_id(self) -> str | None:
        return self.answer.ids.get("run_id")

    def expect_more(self) -> None:
        """A submit is sent: the run goes on in another stream."""
        self.run = None

    # -- events --------------------------------------------------------------------------------

    def handles(self, event: ServerEvent) -> bool:
        handler = _HANDLERS.get(event.name)
        if handler is None:
            return event.name == NAMELESS and event.data != END_OF_STREAM
        return handler is not RunMachine._on_step_end or self.steps.wants(event.data)

    def name_of(self, data: Json) -> str:
        kind, status = as_text(data.get("object")), as_text(data.get("status"))
        return "thread.created" if kind == "thread" else f"{kind}.{status}" if status else kind

    def handle(self, name: str, data: Json) -> None:
        handler = _HANDLERS.get(self.name_of(data) if name == NAMELESS else name)
        if handler is not None:
            handler(self, data)

    def _on_thread(self, thread: Json) -> None:
        self.answer.know(thread_id=thread.get("id"))

    def _on_run(self, run: Json) -> None:
        self.answer.know(thread_id=run.get("thread_id"), run_id=run.get("id"))

    def _on_run_end(self, run: Json) -> None:
        self._on_run(run)
        if as_text(run.get("status")) in _STANDING:
            self.run = run  # else the run is fetched when the stream ends

    def _on_message(self, message: Json) -> None:
        self.start()
        self.answer.begins()
        self.answer.know(message_id=message.get("id"))

    def _on_message_delta(self, event: Json) -> None:
        self.start()
        message_id = self._message_id(event)
        for part in as_objects(as_object(event.get("delta")).get("content")):
            key = (message_id, as_int(part.get("index")))
            if "text" in part:
                value = self.piece(_value(part))
                if value:
                    self.answer.text(key, value)
                self._annotations(key, part)
            self._image(part)
            self.answer.aside("refusal", key, self.piece(part.get("refusal")))

    def _on_message_end(self, message: Json) -> None:
        self.start()
        message_id = self._message_id(message)
        for index, part in enumerate(as_objects(message.get("content"))):
            key = (message_id, index)
            if "text" in part:
                value = _value(part)
                if isinstance(value, str):
                    self.answer.whole_text(key, value)
                self._annotations(key, part)
            self._image(part)
            self.answer.whole_aside("refusal", key, as_text(part.get("refusal")))

    def _message_id(self, message: Json) -> str:
        """The id of a message, or of the latest one if an event has none."""
        self.answer.know(message_id=message.get("id"))
        return self.answer.ids.get("message_id", "")

    def _on_step_end(self, step: Json) -> None:
        self.start()
        self.steps.ended(step)

    def _on_step(self, step: Json) -> None:
        self.start()

    def _on_step_delta(self, event: Json) -> None:
        self.start()
        step_id = as_text(event.get("id"))
        details = as_object(as_object(event.get("delta")).get("step_details"))
        for call in as_objects(details.get("tool_calls")):
            if call.get("type") == "function":
                function = as_object(call.get("function"))
                # Later deltas of a call have neither id nor name (A5): the position counts.
                key = (step_id, as_int(call.get("index")))
                call_id = as_text(call.get("id"))
                if call_id:
                    self._known_calls[key] = call_id
                    client_id = self._call_id(CallKind.RUN_CALL, call_id)
                    name = as_text(function.get("name"))
                    self.answer.tool_call(call_id, id=client_id, name=name)
                service_id = self._known_calls.get(key)
                if service_id:
                    self.answer.tool_arguments(service_id, self.piece(function.get("arguments")))
            else:
                self.steps.delta(step_id, call)

    def _on_error(self, data: Json) -> None:
        self.error = data

    # -- the run as the service lists it -------------------------------------------------------

    def reconcile(self, run: Json, messages: Iterable[Json], steps: Iterable[Json] = ()) -> None:
        """Read a run that has ended or waits: its messages, oldest first, and its steps.

        Steps are optional; they tell in which order messages and tools came.
        """
        self._on_run(run)
        rest = {as_text(m.get("id")): m for m in messages if m.get("role") != "user"}
        for step in steps:
            message = rest.pop(made_by(step), None)
            if message is not None:
                self._on_message_end(message)
            else:
                self._on_step_end(step)
        for message in rest.values():
            self._on_message_end(message)
        self._on_run_end(run)

    def finish_calls(self, run: Json) -> None:
        """Give out the calls that the run waits for, functions and approvals alike."""
        for call in pending_calls(run):
            self.start()
            if call["type"] == "mcp":
                arguments = build_approval_arguments(call)
                name, kind = APPROVAL_FUNCTION, CallKind.RUN_APPROVAL
            else:
                function = as_object(call.get("function"))
                name, kind = as_text(function.get("name")), CallKind.RUN_CALL
                arguments = as_arguments(function.get("arguments"))
            self.answer.whole_tool_call(
                call["id"], id=self._call_id(kind, call["id"]), name=name, arguments=arguments
            )

    def _call_id(self, kind: CallKind, service_id: str) -> str:
        ids = self.answer.ids
        return encode(kind, ids.get("thread_id", ""), ids.get("run_id", ""), service_id)

    # -- parts ---------------------------------------------------------------------------------

    def _annotations(self, key: tuple[str, int], part: Json) -> None:
        annotations = as_objects(as_object(part.get("text")).get("annotations"))
        for position, annotation in enumerate(annotations):
            number = as_int(annotation.get("index"), position)
            mapped = map_annotation(annotation)
            if mapped is not None:
                self.answer.annotation(key, number, mapped)

    def _image(self, part: Json) -> None:
        file_id = as_text(as_object(part.get("image_file")).get("file_id"))
        if file_id:
            self.answer.artifacts.image_file(file_id)


def _value(part: Json) -> Any:
    """The text of a text part; some hosts leave out the object around it."""
    text = part.get("text")
    return text.get("value") if isinstance(text, Mapping) else text


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
"""The events that are read; every other one (queued, in_progress, new names) is ignored."""


def pending_calls(run: Json) -> list[Json]:
    """The calls that a run waits for, functions or approvals; empty if it waits for none."""
    return [call for call in _required(run) if as_text(call.get("id"))]


def waits_for_us(run: Json) -> bool:
    """Whether a run waits for something that the service doesn't do itself."""
    return bool(_required(run)) or why_stuck(run) is not None


def why_stuck(run: Json) -> str | None:
    """What a run waits for that nobody here can answer, None if there is no such thing."""
    action = as_object(run.get("required_action"))
    kind = as_text(action.get("type"))
    if not action:
        return None
    calls = _all_required(run)
    if not calls:
        return f"an action of type {kind!r} without calls"
    strange = [c for c in calls if c.get("type") not in (*_OURS, *_SERVICES_OWN)]
    named = [f"{c.get('type')!r} ({as_text(c.get('id')) or 'without id'})" for c in strange]
    return f"a call of type {', '.join(named)}" if named else None


_OURS = ("function", "mcp")
_SERVICES_OWN = ("azure_function",)
"""Calls that pass through requires_action and that the service answers itself (protocols A4)."""


def _required(run: Json) -> list[Json]:
    return [call for call in _all_required(run) if call.get("type") in _OURS]


def _all_required(run: Json) -> list[Json]:
    action = as_object(run.get("required_action"))
    return as_objects(as_object(action.get(as_text(action.get("type")))).get("tool_calls"))


def has_stopped(run: Json) -> bool:
    """Whether the run has ended or waits for results of ours.

    Calls of Azure Functions pass through requires_action and need nothing from us (A4).
    """
    return run.get("status") in TERMINAL or (
        run.get("status") == "requires_action" and waits_for_us(run)
    )


def map_usage(usage: Any) -> Usage | None:
    """The run's token counts, or None if the service gives none."""
    return read_usage(
        usage,
        prompt="prompt_tokens",
        completion="completion_tokens",
        # The first spelling was seen on Azure OpenAI runs (protocols A4).
        prompt_details=("prompt_token_details", "prompt_tokens_details"),
        completion_details=("completion_token_details", "completion_tokens_details"),
    )
