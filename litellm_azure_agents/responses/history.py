"""Maps the chat history to input items, and finds the stored state they continue (protocols B2).

Without a known state the whole history is sent. With one (from an option, or from the ids of tool
calls) only what came after it is sent. Calls that nobody answered get an output here, because the
service demands one for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..content.messages import NOTHING, about
from ..content.parts import assistant_text, says_nothing, text_of
from ..continuity.call_ids import CallRef, Owner, decode
from ..continuity.history import HistoryError, read_history
from ..continuity.tool_results import APPROVAL_FUNCTION, parse_approval, result_text
from ..core.call import Call
from ..core.json_values import JsonObject
from ..core.options import OptionError
from .content import Inputs
from .payloads import is_system
from .target import Target

Message = Mapping[str, Any]

CANCELLED = "The call was cancelled: the user went on without its result."
_NOT_TEXT = ("image_url", "image_file", "file", "input_image", "input_file")
_ROLES = "messages have the roles system, developer, user, assistant and tool"


@dataclass(frozen=True, slots=True)
class State:
    """A stored response or conversation."""

    kind: Owner
    id: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the thread store says of a history."""

    state: State | None
    other_instructions: bool = False
    """Whether the state has other system messages than the history, so that these are sent."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call sends: the body's fields for the state, and the input items."""

    body: JsonObject
    items: list[JsonObject]
    conversation_id: str | None = None
    found: bool = False
    """Whether the caller didn't name the state, so that sending the whole history is an option."""
    state: State | None = None


def plan(
    call: Call,
    target: Target,
    inputs: Inputs | None = None,
    *,
    whole: bool = False,
    remembered: Remembered | None = None,
) -> Plan:
    """How the call's messages continue what the service has.

    ``whole`` ignores the ids in the messages. ``remembered`` is what the thread store says of the
    history, if there is a store: it replaces what ids in old turns say, not those of results.
    ``inputs`` collects what is to be uploaded. Raises HistoryError, OptionError, ValueError.
    """
    messages = call.messages
    history = read_history(messages)
    given = _given_state(call, target)
    waiting = history.results[0].ref if history.results else None
    ref = history.ref
    unstored = whole or target.is_stateless or call.params.store is False
    found = None if unstored and given is None else _state_of(ref)
    if remembered is not None and waiting is None:
        found = remembered.state
    if given is not None and waiting is not None and _state_of(waiting) not in (None, given):
        raise HistoryError(
            f"the call continues {given.kind} {given.id}, but the tool results belong to "
            f"{' '.join(waiting.owner)}; leave it out or give the one of the calls"
        )
    state = given or found
    start = _start(messages, state, history.new, unstored=unstored) if state else 0
    items = _Items(call, inputs or Inputs(call), known=state is not None)
    if call.options.additional_instructions:
        items.add_text("developer", call.options.additional_instructions)
    if remembered is not None and remembered.other_instructions and waiting is None:
        items.add_system(messages[:start])
    items.add_all(messages, start)
    body: JsonObject = {}
    conversation = call.options.conversation_id
    if state is not None:
        field = "conversation" if state.kind == "conversation" else "previous_response_id"
        body[field] = state.id
        if state.kind == "conversation":
            conversation = state.id
    if conversation and call.options.previous_response_id and target.takes_settings:
        body["conversation"] = conversation  # a container takes both (protocols C)
    found_out = state is not None and given is None
    return Plan(body, items.built, conversation, found=found_out, state=state)


def _given_state(call: Call, target: Target) -> State | None:
    options = call.options
    both = options.conversation_id and options.previous_response_id
    if both and not target.takes_settings:
        raise OptionError(
            "conversation_id and previous_response_id exclude each other: a conversation knows its "
            "responses",
            "previous_response_id",
        )
    state: State | None = None
    if options.previous_response_id:
        state = State("response", options.previous_response_id)
    elif options.conversation_id:
        state = State("conversation", options.conversation_id)
    if options.thread_id:
        named = state_named(options.thread_id)
        if state is not None and named not in (
            state, State("conversation", options.conversation_id or "")
        ):  # fmt: skip
            raise OptionError(
                f"thread_id is {named.id}, but {state.kind} {state.id} is given too; give one",
                "thread_id",
            )
        state = state or named
    if state is not None and target.is_stateless:
        raise OptionError(
            "a published application keeps no state: leave the id out and send the whole history",
            "thread_id",
        )
    return state


def state_named(thread_id: str) -> State:
    """The conversation or response with this id. Raises OptionError for a thread's."""
    if thread_id.startswith("thread_"):
        raise OptionError(
            f"{thread_id} is a thread of a classic agent; new agents continue conversations "
            "(conv_…) and responses (resp_…)",
            "thread_id",
        )
    return State("conversation" if thread_id.startswith("conv") else "response", thread_id)


def _state_of(ref: CallRef | None) -> State | None:
    return None if ref is None or ref.of_run else State(ref.kind.owner, ref.owner[0])


def _start(messages: Sequence[Message], state: State, new: int, *, unstored: bool) -> int:
    """The first message that ``state`` doesn't have."""
    if state.kind == "response":
        # The response whose calls are in the history ends with them: all after it is new.
        for index in range(len(messages) - 1, -1, -1):
            refs = [decode(call.get("id")) for call in _calls_of(messages[index])]
            if any(_state_of(ref) == state for ref in refs):
                return index + 1
    if unstored and new and any(m.get("role") in ("tool", "function") for m in messages[new:]):
        return new - 1  # the turn that made the calls was not kept
    return new


def _calls_of(message: Message) -> list[Message]:
    calls = [call for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
    if message.get("function_call"):
        name = str((message["function_call"] or {}).get("name"))
        calls.append({"id": f"call_{name}", "function": message["function_call"]})
    return calls


def _service_id(client_id: Any) -> str:
    ref = decode(client_id)
    return ref.call_id if ref is not None else str(client_id)


class _Items:
    """Builds input items message by message, minding which calls wait for their result."""

    def __init__(self, call: Call, inputs: Inputs, *, known: bool) -> None:
        self.built: list[JsonObject] = []
        self._inputs = inputs
        self._options = call.options
        self._known = known
        self._open: dict[str, Message] = {}  # the calls without a result yet, by service id
        self._approvals: set[str] = set()

    def add_all(self, messages: Sequence[Message], start: int) -> None:
        if self._known and start > 0 and messages[start - 1].get("role") == "assistant":
            for call in _calls_of(messages[start - 1]):
                self._wait_for(call)
        last = max((i for i, m in enumerate(messages) if m.get("role") == "assistant"), default=-1)
        newest = max((i for i, m in enumerate(messages) if not is_system(m)), default=-1)
        for index in range(start, len(messages)):
            with about(messages[index]):
                self._add(messages[index], pending=index > last, newest=index == newest)
        if self._open:
            raise HistoryError(f"results are missing for {self._names()}")

    def add_text(self, role: str, text: str) -> None:
        if text:
            self.built.append({"type": "message", "role": role, "content": text})

    def add_system(self, messages: Sequence[Message]) -> None:
        """The system messages among these, if the option wants them."""
        for message in messages:
            if is_system(message) and self._options.system_messages == "additional":
                self.add_text(str(message.get("role")), text_of(message.get("content")))

    def _add(self, message: Message, *, pending: bool, newest: bool) -> None:
        role = message.get("role")
        if is_system(message):
            self.add_system([message])
        elif role == "user" and says_nothing(message.get("content")):
            if newest:
                raise ValueError(NOTHING)
        elif role == "user":
            self._cancel_open(pending=pending)
            content = self._inputs.content(message.get("content"))
            self.built.append({"type": "message", "role": "user", "content": content})
        elif role == "assistant":
            self._cancel_open(pending=False)
            self.add_text("assistant", assistant_text(message))
            for call in _calls_of(message):
                self.built.append(_call_item(call))
                self._wait_for(call)
        elif role in ("tool", "function"):
            self._add_result(message)
        else:
            raise ValueError(f"{_ROLES}, not {role!r}")

    def _wait_for(self, call: Message) -> None:
        service_id = _service_id(call.get("id"))
        self._open[service_id] = call
        if (call.get("function") or {}).get("name") == APPROVAL_FUNCTION:
            self._approvals.add(service_id)

    def _add_result(self, message: Message) -> None:
        client_id = message.get("tool_call_id") or f"call_{message.get('name')}"
        service_id, ref = _service_id(client_id), decode(client_id)
        if self._open.pop(service_id, None) is None and not self._known:
            # A trimmed history: the service refuses outputs without their calls.
            name = message.get("name") or "tool"
            self.add_text("assistant", f"[{name} returned: {result_text(message.get('content'))}]")
        elif service_id in self._approvals or (ref is not None and ref.is_approval):
            approve = parse_approval(result_text(message.get("content")), message)
            self.built.append(_approval_response(service_id, approve))
        else:
            self.built.append(_output(service_id, self._output(message.get("content"))))
        self._answer_beside(ref, approve=self._options.approvals == "approve")

    def _answer_beside(self, ref: CallRef | None, *, approve: bool) -> None:
        """Approvals that waited beside a call, and of which the client was not asked."""
        for request_id in ref.approvals if ref is not None else ():
            self.built.append(_approval_response(request_id, approve))

    def _output(self, content: Any) -> str | list[JsonObject]:
        """A result: text, or parts if it has pictures or files."""
        if isinstance(content, list) and any(
            isinstance(part, Mapping) and part.get("type") in _NOT_TEXT for part in content
        ):
            return self._inputs.content(content)
        return result_text(content)

    def _cancel_open(self, *, pending: bool) -> None:
        """A new turn begins: calls without a result get one that says so."""
        if self._open and pending and self._options.on_pending_tools == "error":
            raise HistoryError(
                f"calls wait for their results: {self._names()}; give them as tool messages, or "
                "set on_pending_tools='cancel'"
            )
        for service_id, call in self._open.items():
            if service_id in self._approvals:
                self.built.append(_approval_response(service_id, False))
            else:
                self.built.append(_output(service_id, CANCELLED))
            self._answer_beside(decode(call.get("id")), approve=False)
        self._open.clear()

    def _names(self) -> str:
        return ", ".join(
            f"{(call.get('function') or {}).get('name')} ({call.get('id')})"
            for call in self._open.values()
        )


def _output(call_id: str, output: str | list[JsonObject]) -> JsonObject:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _approval_response(request_id: str, approve: bool) -> JsonObject:
    return {
        "type": "mcp_approval_response",
        "approval_request_id": request_id,
        "approve": approve,
    }


def _call_item(call: Message) -> JsonObject:
    function = call.get("function") or {}
    service_id = _service_id(call.get("id"))
    arguments = str(function.get("arguments") or "").strip() or "{}"
    if function.get("name") == APPROVAL_FUNCTION:
        try:
            asked = json.loads(arguments)
        except ValueError:
            asked = {}
        return {
            "type": "mcp_approval_request",
            "id": service_id,
            **{n: str(asked.get(n) or "") for n in ("server_label", "name", "arguments")},
        }
    return {
        "type": "function_call",
        "call_id": service_id,
        "name": str(function.get("name") or ""),
        "arguments": arguments,
    }


def build_approvals(requests: Sequence[Message], *, approve: bool) -> list[JsonObject]:
    """The answers of a policy to approval requests."""
    return [_approval_response(str(request.get("id")), approve) for request in requests]


def repeat_approvals(requests: Sequence[Message]) -> list[JsonObject]:
    """The requests themselves, for an endpoint that kept nothing of them."""
    fields = ("type", "id", "server_label", "name", "arguments")
    return [{name: request.get(name) for name in fields} for request in requests]
