"""Run steps -> traces of server-side tools, and the images that code interpreter makes (A4, A5).

The caller's own functions are left out: they are the answer's tool calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..answer.answer import Answer
from ..core.json_values import Json, as_int, as_object, as_objects, as_text

SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
"""The one value of ``include[]`` (protocols A2): without it a search tells no passages."""


SEARCH_TOOL = "azure_ai_search"
"""The tool whose output has the addresses of what its citations call ``doc_0``."""


class StepReader:
    """Reads steps as they are told; ``traced`` says whether the caller wants to see them."""

    def __init__(self, answer: Answer, *, traced: bool) -> None:
        self.traced = traced
        self._answer = answer
        self._ids: dict[tuple[str, int], str] = {}

    def wants(self, data: str) -> bool:
        """Whether the (undecoded) end of a step says something that is of use."""
        return (
            self.traced
            or ('"code_interpreter"' in data and '"image"' in data)
            or f'"{SEARCH_TOOL}"' in data
        )

    def delta(self, step_id: str, call: Json) -> None:
        """A piece of a call; only the first of a call has its id (protocols A5)."""
        kind = str(call.get("type"))
        self._images(call)
        if not self.traced:
            return
        key, id = (step_id, as_int(call.get("index"))), as_text(call.get("id"))
        id = self._ids.setdefault(key, id) if id else self._ids.get(key, "")
        if id:
            piece = _without(call, "id", "type", "index")
            self._answer.steps.piece(id, kind, piece, step_id=step_id)

    def ended(self, step: Json) -> None:
        """A step with all that it did."""
        self._searched(step)
        details = as_object(step.get("step_details"))
        kind = as_text(details.get("type")) or as_text(step.get("type"))
        if kind == "message_creation":
            return
        items = details.get("tool_calls" if kind == "tool_calls" else kind)
        if not isinstance(items, list):  # a kind of step that we don't know, as it is
            content = _without(details, "type")
            items = [{"id": step.get("id"), "type": kind, **content}] if content else []
        for item in as_objects(items):
            if item.get("type") == "function":
                continue
            self._images(item)
            id = as_text(item.get("id"))
            if self.traced and id:
                entry = {
                    "id": id,
                    "type": str(item.get("type")),
                    "status": as_text(step.get("status")) or "completed",
                    "step_id": step.get("id"),
                    **_without(item, "id", "type"),
                }
                if step.get("last_error"):
                    entry["error"] = step["last_error"]
                self._answer.steps.whole(entry)

    def complete(self, step: Json) -> None:
        """Read a step once more, as the service lists it: what its event left out."""
        known = {entry["id"] for entry in self._answer.steps.entries}
        if known & calls_of(step):
            self.ended(step)
        else:
            self._searched(step)

    def lacks_content(self) -> bool:
        """Whether a search was told without its passages (a new thread's run can't ask for them,
        nor can a submit)."""
        return any(
            "content" not in result
            for entry in self._answer.steps.entries
            for result in as_objects(as_object(entry.get("file_search")).get("results"))
        )

    def _searched(self, step: Json) -> None:
        for call in as_objects(as_object(step.get("step_details")).get("tool_calls")):
            self._answer.search_output(as_object(call.get(SEARCH_TOOL)).get("output"))

    def _images(self, call: Json) -> None:
        for output in as_objects(as_object(call.get("code_interpreter")).get("outputs")):
            file_id = as_text(as_object(output.get("image")).get("file_id"))
            if file_id:
                self._answer.artifacts.image_file(file_id)


def split_steps(steps: Sequence[Json], calls: Iterable[str]) -> tuple[set[str], list[Json]]:
    """The messages made before the step of ``calls``, and the steps from that one on: what came
    before was told in the call of ours that ended with those calls."""
    wanted = set(calls)
    told: set[str] = set()
    for number, step in enumerate(steps):
        if wanted & calls_of(step):
            return told, list(steps[number:])
        told.add(made_by(step))
    return set(), list(steps)


def calls_of(step: Json) -> set[str]:
    """The ids of the calls that a step makes."""
    calls = as_object(step.get("step_details")).get("tool_calls")
    return {as_text(call.get("id")) for call in as_objects(calls)}


def made_by(step: Json) -> str:
    """The id of the message that a step writes, "" if it writes none."""
    made = as_object(as_object(step.get("step_details")).get("message_creation"))
    return as_text(made.get("message_id"))


def _without(values: Json, *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
