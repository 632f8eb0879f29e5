"""Run steps -> traces of server-side tools, and the images that code interpreter makes (A4, A5).

The caller's own functions are left out: they are the answer's tool calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..answer import Answer

Json = Mapping[str, Any]

SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
"""The one value of ``include[]`` (protocols A2): without it a search tells no passages."""


class StepReader:
    """Reads steps as they are told; ``traced`` says whether the caller wants to see them."""

    def __init__(self, answer: Answer, *, traced: bool) -> None:
        self.traced = traced
        self._answer = answer
        self._ids: dict[tuple[Any, Any], str] = {}

    def wants(self, data: str) -> bool:
        """Whether the (undecoded) end of a step says something that is of use."""
        return self.traced or ('"code_interpreter"' in data and '"image"' in data)

    def delta(self, step_id: Any, call: Json) -> None:
        """A piece of a call; only the first of a call has its id (protocols A5)."""
        kind = str(call.get("type"))
        self._images(call)
        if not self.traced:
            return
        key = (step_id, call.get("index", 0))
        id = self._ids.setdefault(key, str(call["id"])) if call.get("id") else self._ids.get(key)
        if id is not None:
            piece = _without(call, "id", "type", "index")
            self._answer.steps.piece(id, kind, piece, step_id=step_id)

    def ended(self, step: Json) -> None:
        """A step with all that it did."""
        details = step.get("step_details") or {}
        kind = details.get("type") or step.get("type")
        if kind == "message_creation":
            return
        items = details.get("tool_calls" if kind == "tool_calls" else kind)
        if not isinstance(items, list):  # a kind of step that we don't know, as it is
            content = _without(details, "type")
            items = [{"id": step.get("id"), "type": kind, **content}] if content else []
        for item in items:
            if item.get("type") == "function":
                continue
            self._images(item)
            if self.traced and item.get("id"):
                fields = {"step_id": step.get("id"), **_without(item, "id", "type")}
                if step.get("last_error"):
                    fields["error"] = step["last_error"]
                status = str(step.get("status") or "completed")
                self._answer.steps.whole(str(item["id"]), str(item.get("type")), status, **fields)

    def lacks_content(self) -> bool:
        """Whether a search was told without its passages (a new thread's run can't ask for them,
        nor can a submit)."""
        return any(
            "content" not in result
            for entry in self._answer.steps.entries
            for result in (entry.get("file_search") or {}).get("results") or ()
        )

    def _images(self, call: Json) -> None:
        interpreter = call.get("code_interpreter")
        if isinstance(interpreter, Mapping):
            for output in interpreter.get("outputs") or ():
                file_id = (output.get("image") or {}).get("file_id")
                if file_id:
                    self._answer.image_file(file_id)


def split_steps(steps: Sequence[Json], calls: Iterable[str]) -> tuple[set[Any], list[Json]]:
    """The messages made before the step of ``calls``, and the steps from that one on: what came
    before was told in the call of ours that ended with those calls."""
    wanted = set(calls)
    told: set[Any] = set()
    for number, step in enumerate(steps):
        details = step.get("step_details") or {}
        if wanted & {call.get("id") for call in details.get("tool_calls") or ()}:
            return told, list(steps[number:])
        told.add((details.get("message_creation") or {}).get("message_id"))
    return set(), list(steps)


def _without(values: Json, *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
