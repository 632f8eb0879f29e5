"""Maps the events of a response to the answer (protocols B5). Does no I/O and has no clock.

`receive` reads one event. When the stream broke or the response is polled, `reconcile` reads the
response as the service stored it. Each piece of the answer is given out once either way.

This is one module because it is the table of the protocol's events: for each kind there is one
place, for its event and for its stored form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any

from msgspec import json

from ..answer.answer import Answer
from ..answer.artifacts import MAX_GROWING
from ..continuity.call_ids import CallKind, encode
from ..continuity.tool_results import APPROVAL_FUNCTION, build_approval_arguments
from ..core.actions import ServerEvent
from ..core.json_values import (
    Json,
    JsonObject,
    as_arguments,
    as_int,
    as_object,
    as_objects,
    as_text,
)
from ..protocol.machine import END_OF_STREAM, NAMELESS, EventMachine
from . import events, items
from .code_pictures import CodePictures

Key = tuple[Hashable, ...]

TERMINAL = frozenset({"completed", "failed", "cancelled", "incomplete"})
"""States in which a response does nothing more."""


class ResponseMachine(EventMachine):
    """The responses of one call, one after the other: the answer to an approval opens the next.

    ``live`` names the functions whose calls are given out as they come, None all of them. Others
    are held until the response ends: a hosted agent shows the calls that it answers itself in the
    same way as those for the client, and only an output among the items tells them apart.
    """

    text_event = "response.output_text.delta"
    text_decoder = json.Decoder(events.TextDelta)

    def __init__(
        self,
        answer: Answer,
        *,
        live: Collection[str] | None = None,
        stored: bool = True,
        run_steps: bool = False,
    ) -> None:
        super().__init__(answer)
        self.response: Json | None = None
        """The response as last seen in a state that ends it."""
        self.sequence = -1
        """Number of the last event that was read."""
        self.response_id: str | None = None
        self.created_at = 0
        """When the first response was made, in seconds of the service's clock."""
        self.acted = False
        """Whether the agent has called a tool: making the response again could run it twice."""
        self.pictures = CodePictures(answer.artifacts)
        self._live = live
        self._stored = stored
        self._run_steps = run_steps
        self._passed_on: dict[str, list[JsonObject]] = {}  # items as they are, by field
        self._round = 0
        self._latest: Key | None = None  # of the item that began last
        self._keys: dict[str, Key] = {}  # item id -> what its pieces are kept under
        self._calls: dict[Key, Json] = {}
        self._made: dict[str, Json] = {}  # the same by call id
        self._outputs: set[str] = set()  # call ids that the agent answered itself
        self._approvals: dict[str, Json] = {}

    @property
    def over(self) -> bool:
        """Whether this response has said how it ended."""
        return self.response is not None or self.error is not None

    def reopen(self) -> None:
        """Read the response once more, as it was stored."""
        self.response = None

    def expect_more(self) -> None:
        """Another response follows in the same answer."""
        self._round += 1
        self.response = None
        self.response_id = None
        self.sequence = -1
        self._latest = None
        self._keys.clear()
        self._calls.clear()
        self._made.clear()
        self._approvals.clear()

    # -- events --------------------------------------------------------------------------------

    def handles(self, event: ServerEvent) -> bool:
        if event.name == NAMELESS:
            return event.data != END_OF_STREAM
        return event.name in _HANDLERS

    def name_of(self, data: Json) -> str:
        return as_text(data.get("type"))

    def handle(self, name: str, data: Json) -> None:
        handler = _HANDLERS.get(name) or _HANDLERS.get(as_text(data.get("type")))
        if self._is_new(as_int(data.get("sequence_number"), -1)) and handler is not None:
            handler(self, data)

    def handle_text(self, event: events.TextDelta) -> None:
        if self._is_new(event.sequence_number):
            self.start()
            key = self._keys.get(event.item_id) or self._new_key(event.item_id, event.output_index)
            self.answer.text((*key, event.content_index), event.delta)

    def _is_new(self, number: int) -> bool:
        """Whether the event of this number comes for the first time; remembers the number."""
        # Numbers begin at 0; a host that doesn't count may send 0 with every event.
        if 0 < number <= self.sequence:
            return False
        self.sequence = max(number, self.sequence)
        return True

    def _on_response(self, event: Json) -> None:
        self._know(as_object(event.get("response")))

    def _on_end(self, event: Json) -> None:
        response = event.get("response")
        if not isinstance(response, Mapping):
            return  # the response is fetched when the stream ends
        status = str(event.get("type")).partition(".")[2]
        if as_text(response.get("status")) not in TERMINAL and status in TERMINAL:
            response = {**response, "status": status}
        self.reconcile(response)

    def _on_item(self, event: Json) -> None:
        item = as_object(event.get("item"))
        self.start()
        self.answer.begins()
        self.acted |= items.is_trace(str(item.get("type"))) or item.get("type") == "function_call"
        key = self._key({**event, "item_id": item.get("id")})
        if item.get("type") == "message":
            self.answer.know(message_id=item.get("id"))
        elif item.get("type") == "code_interpreter_call":
            self._code_piece(item.get("id"), item.get("code"))
        elif item.get("type") == "function_call":
            self._call(key, item)

    def _on_item_done(self, event: Json) -> None:
        item = as_object(event.get("item"))
        self._item(self._key({**event, "item_id": item.get("id")}), item)

    def _on_text(self, event: Json) -> None:
        self.start()
        self.answer.text(self._part(event), self.piece(event.get("delta")))

    def _on_text_done(self, event: Json) -> None:
        self.start()
        if isinstance(event.get("text"), str):
            self.answer.whole_text(self._part(event), event["text"])

    def _on_annotation(self, event: Json) -> None:
        self.start()
        number = as_int(event.get("annotation_index"))
        self._annotation(self._part(event), number, as_object(event.get("annotation")))

    def _on_refusal(self, event: Json) -> None:
        self.start()
        self.answer.aside("refusal", self._part(event), self.piece(event.get("delta")))

    def _on_refusal_done(self, event: Json) -> None:
        self.start()
        self.answer.whole_aside("refusal", self._part(event), as_text(event.get("refusal")))

    def _on_arguments(self, event: Json) -> None:
        self.start()
        self.answer.tool_arguments(self._key(event), self.piece(event.get("delta")))

    def _on_code(self, event: Json) -> None:
        self.start()
        self._code_piece(event.get("item_id"), event.get("delta"))

    def _code_piece(self, item_id: Any, code: Any) -> None:
        if self._run_steps and as_text(item_id):
            delta = {"code_interpreter": {"input": code}} if as_text(code) else {}
            self.answer.steps.piece(item_id, "code_interpreter", delta)

    def _on_summary(self, event: Json) -> None:
        self.start()
        part = (*self._key(event), "summary", as_int(event.get("summary_index")))
        self.answer.aside("reasoning", part, self.piece(event.get("delta")))

    def _on_reasoning(self, event: Json) -> None:
        self.start()
        part = (*self._key(event), "text", as_int(event.get("content_index")))
        self.answer.aside("reasoning", part, self.piece(event.get("delta")))

    def _on_error(self, event: Json) -> None:
        self.error = event

    # -- the response as the service stored it -------------------------------------------------

    def reconcile(self, response: Json) -> None:
        """Read a response that has ended."""
        self._know(response)
        output = [item for item in as_objects(response.get("output")) if item]
        present = {as_text(item.get("id")) for item in output}
        taken = {key for id, key in self._keys.items() if id in present}
        for index, item in enumerate(output):
            item_id = as_text(item.get("id"))
            key = self._keys.get(item_id)
            if key is None:
                key = (self._round, index)
                if key in taken:
                    key = (self._round, item_id)  # this list leaves out what the stream had
            self._item(key, item)
        self.response = response

    def pending(self) -> tuple[list[Json], list[Json]]:
        """The function calls and the approval requests that the client has to answer."""
        calls = [c for c in self._calls.values() if c.get("call_id") not in self._outputs]
        return calls, list(self._approvals.values())

    def finish_calls(self, *, ask: bool = True) -> None:
        """Give out what waits for the client: functions and approvals.

        Without ``ask`` the client is not asked for approvals that wait beside functions: the id of
        the first function call carries them, and the policy answers them with its result.
        """
        calls, _ = self.pending()
        beside: tuple[str, ...] = ()
        if not ask and calls and self._carries_state():
            beside = tuple(self._approvals)
            self._approvals.clear()
        for key, call in self._calls.items():
            if call.get("call_id") not in self._outputs:
                self.start()
                call_id = str(call.get("call_id"))
                self.answer.whole_tool_call(
                    key,
                    id=self._call_id(call_id, approvals=beside),
                    name=as_text(call.get("name")),
                    arguments=as_arguments(call.get("arguments")),
                )
                beside = ()
        for request_id, request in self._approvals.items():
            self.start()
            self.answer.whole_tool_call(
                ("approval", request_id),
                id=self._approval_id(request_id),
                name=APPROVAL_FUNCTION,
                arguments=build_approval_arguments(request),
            )
        for field, given in self._passed_on.items():
            if len(given) > MAX_GROWING:
                self.answer.fields(**{field: list(given)})

    # -- parts ---------------------------------------------------------------------------------

    def adopt(self, response: Json) -> None:
        """Take the ids of the response that was made; it may still run."""
        self._know(response)

    def _know(self, response: Json) -> None:
        self.response_id = as_text(response.get("id")) or self.response_id
        self.created_at = self.created_at or as_int(response.get("created_at"))
        conversation = response.get("conversation")
        if isinstance(conversation, Mapping):
            conversation = conversation.get("id")
        self.answer.know(
            response_id=self.response_id,
            conversation_id=conversation,
            agent_session_id=response.get("agent_session_id"),
        )
        known = self.answer.ids.get("conversation_id")
        if known or self._stored:
            self.answer.know(thread_id=known or self.response_id)

    def _key(self, event: Json) -> Key:
        item_id = as_text(event.get("item_id"))
        known = self._keys.get(item_id)
        return known or self._new_key(item_id, as_int(event.get("output_index"), -1))

    def _new_key(self, item_id: str, index: int) -> Key:
        if not item_id and index < 0:
            return self._latest or (self._round, 0)  # the host doesn't say of which item it is
        key: Key = (self._round, item_id if index < 0 else index)
        self._latest = key
        if item_id:
            self._keys[item_id] = key
        return key

    def _part(self, event: Json) -> Key:
        return (*self._key(event), as_int(event.get("content_index")))

    def _item(self, key: Key, item: Json) -> None:
        """Read an item that is complete, for the first time or again."""
        self.start()
        kind = str(item.get("type"))
        handler = _ITEMS.get(kind)
        if handler is not None:
            handler(self, key, item)
        if items.is_trace(kind):
            self._trace(item)
            if kind.endswith("_call_output"):
                self.answer.search_output(item.get("output"))
        elif handler is None and self.answer.first_time(("item", key)):
            self._pass_on("items", item)

    def _pass_on(self, field: str, item: Json) -> None:
        """Give out the item as it is; the last list of the answer has all of them."""
        given = self._passed_on.setdefault(field, [])
        given.append(dict(item))
        if len(given) <= MAX_GROWING:
            self.answer.fields(**{field: list(given)})

    def _message(self, key: Key, item: Json) -> None:
        self.answer.know(message_id=item.get("id"))
        for index, content in enumerate(as_objects(item.get("content"))):
            part = (*key, index)
            self.answer.whole_aside("refusal", part, as_text(content.get("refusal")))
            if isinstance(content.get("text"), str):
                self.answer.whole_text(part, content["text"])
                for number, annotation in enumerate(as_objects(content.get("annotations"))):
                    self._annotation(part, number, annotation)

    def _annotation(self, part: Key, number: int, annotation: Json) -> None:
        mapped = items.map_annotation(annotation)
        if mapped is not None:
            self.answer.annotation(part, number, mapped)

    def _call(self, key: Key, item: Json) -> None:
        if not as_text(item.get("call_id")):
            return  # its result could not be given
        self._calls[key] = {**self._calls.get(key, {}), **item}
        self._made[as_text(item.get("call_id"))] = self._calls[key]
        name = as_text(item.get("name"))
        if self._live is None or name in self._live:
            call_id = self._call_id(str(item.get("call_id")))
            self.answer.tool_call(key, id=call_id, name=name)

    def _whole_call(self, key: Key, item: Json) -> None:
        self._call(key, item)
        name, service_id = as_text(item.get("name")), as_text(item.get("call_id"))
        if service_id and (self._live is None or name in self._live):
            call_id, arguments = self._call_id(service_id), item.get("arguments")
            self.answer.whole_tool_call(
                key, id=call_id, name=name, arguments=as_arguments(arguments)
            )

    def _call_output(self, key: Key, item: Json) -> None:
        call_id = str(item.get("call_id"))
        self._outputs.add(call_id)
        if call_id in self._made:
            self._trace(self._made[call_id])
        self._trace(item)

    def _trace(self, item: Json) -> None:
        if self._run_steps:
            self.answer.steps.whole(items.map_trace(item))

    def _carries_state(self) -> bool:
        return bool(self.answer.ids.get("conversation_id") or (self._stored and self.response_id))

    def _call_id(self, service_id: str, *, approvals: tuple[str, ...] = ()) -> str:
        if approvals:
            kinds = (
                CallKind.CONVERSATION_CALL_WITH_APPROVALS,
                CallKind.RESPONSE_CALL_WITH_APPROVALS,
            )
        else:
            kinds = (CallKind.CONVERSATION_CALL, CallKind.RESPONSE_CALL)
        return self._encode(*kinds, service_id, *approvals)

    def _approval_id(self, request_id: str) -> str:
        kinds = (CallKind.CONVERSATION_APPROVAL, CallKind.RESPONSE_APPROVAL)
        return self._encode(*kinds, request_id)

    def _encode(self, in_conversation: CallKind, of_response: CallKind, *ids: str) -> str:
        """The id for the client. If nothing is stored it carries the service's own id alone, since
        the history will be sent whole."""
        if not self._carries_state():
            return ids[0]
        conversation = self.answer.ids.get("conversation_id")
        if conversation:
            return encode(in_conversation, conversation, *ids)
        return encode(of_response, str(self.response_id), *ids)

    def _reasoning(self, key: Key, item: Json) -> None:
        for field, name in (("summary", "summary"), ("content", "text")):
            for index, part in enumerate(as_objects(item.get(field))):
                text = as_text(part.get("text"))
                self.answer.whole_aside("reasoning", (*key, name, index), text)

    def _image(self, key: Key, item: Json) -> None:
        image = items.map_image(item)
        if image is not None:
            self.answer.artifacts.image(key, image)

    def _code(self, key: Key, item: Json) -> None:
        self.pictures.read(key, item)

    def _approval(self, key: Key, item: Json) -> None:
        if as_text(item.get("id")):
            self._approvals[item["id"]] = item

    def _approved(self, key: Key, item: Json) -> None:
        self._approvals.pop(str(item.get("approval_request_id")), None)

    def _consent(self, key: Key, item: Json) -> None:
        if self.answer.first_time(("consent", key)):
            self.answer.whole_text((*key, "consent"), items.consent_text(item))
            self._pass_on("oauth_consent_requests", item)


_HANDLERS: dict[str, Callable[[ResponseMachine, Json], None]] = {
    "response.created": ResponseMachine._on_response,
    "response.queued": ResponseMachine._on_response,
    "response.in_progress": ResponseMachine._on_response,
    "response.completed": ResponseMachine._on_end,
    "response.incomplete": ResponseMachine._on_end,
    "response.failed": ResponseMachine._on_end,
    "response.cancelled": ResponseMachine._on_end,
    "response.output_item.added": ResponseMachine._on_item,
    "response.output_item.done": ResponseMachine._on_item_done,
    "response.output_text.delta": ResponseMachine._on_text,
    "response.output_text.done": ResponseMachine._on_text_done,
    "response.output_text.annotation.added": ResponseMachine._on_annotation,
    "response.refusal.delta": ResponseMachine._on_refusal,
    "response.refusal.done": ResponseMachine._on_refusal_done,
    "response.function_call_arguments.delta": ResponseMachine._on_arguments,
    "response.code_interpreter_call_code.delta": ResponseMachine._on_code,
    "response.reasoning_summary_text.delta": ResponseMachine._on_summary,
    "response.reasoning_text.delta": ResponseMachine._on_reasoning,
    "error": ResponseMachine._on_error,
}
"""The events that are read; every other one (progress of tools, new names) is ignored."""

_ITEMS: dict[str, Callable[[ResponseMachine, Key, Json], None]] = {
    "message": ResponseMachine._message,
    "function_call": ResponseMachine._whole_call,
    "function_call_output": ResponseMachine._call_output,
    "reasoning": ResponseMachine._reasoning,
    "image_generation_call": ResponseMachine._image,
    "code_interpreter_call": ResponseMachine._code,
    "mcp_approval_request": ResponseMachine._approval,
    "mcp_approval_response": ResponseMachine._approved,
    "mcp_call": ResponseMachine._approved,
    "oauth_consent_request": ResponseMachine._consent,
}
