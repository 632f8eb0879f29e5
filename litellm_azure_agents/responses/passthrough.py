"""One native request and its answer, nothing translated: the service's own events go by.

Only what the service refuses next to an agent is minded: fields that the agent's definition has are
left out, others are refused by name, and instructions become a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from ..core import errors
from ..core.actions import (
    Emit,
    Exchange,
    Lost,
    Read,
    Reply,
    Request,
    Send,
    ServerEvent,
    Steps,
    Stream,
)
from ..core.call import Call
from ..core.exchange import LostAnswer, object_in, succeed
from ..core.json_values import as_int, as_object, as_text
from ..core.options import OptionError
from . import payloads, refused
from .service import ResponseService, refusal_of
from .target import Target

_ENDS = frozenset(
    {"response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"}
)


class NativeTurn:
    """One request and its answer as they are; `reply` is there once the first batch is."""

    def __init__(self, call: Call, target: Target, body: dict[str, Any]) -> None:
        self.call = call
        self.target = target
        self.body = body
        self.reply = Reply(0, {})
        self._service = ResponseService(call, target)

    @property
    def ids(self) -> Mapping[str, str]:
        return {}

    def run(self) -> Steps:
        call, doing = self.call, "create the response"
        try:
            body = yield from self._checked()
        except OptionError as error:
            raise errors.bad_request(call.context, str(error), param=error.param) from None
        action = (Stream if body.get("stream") else Send)(Request("POST", self.target.url(), body))
        try:
            self.reply = yield from self._service.unlocked(action, doing=doing)
        except LostAnswer as lost:
            raise errors.connection(call.context, lost.lost, doing=doing) from None
        if not self.reply.ok:
            raise refusal_of(call, self.target, self.reply)
        if self.reply.streaming:
            yield Emit([])
            yield from self._pass_on()
            return
        response = object_in(call, self.reply, doing=doing)
        yield Emit([])
        if body.get("stream"):  # an answer at once instead of a stream
            status = as_text(response.get("status")) or "completed"
            name = f"response.{status}"
            event = {"type": name, "sequence_number": 0, "response": response}
            yield _events([ServerEvent(name, json.dumps(event))])

    def _pass_on(self) -> Steps:
        """The service's events as they come. A background response whose stream breaks is read on
        from where it broke; in the foreground it has ended with its connection."""
        place = _Place()
        attempts = self.call.max_retries
        while not place.ended:
            batch = yield Read()
            if isinstance(batch, list):
                events = place.pass_by(batch)
                if events:
                    attempts = self.call.max_retries
                    yield _events(events)
                continue
            if batch is not None and batch.timed_out:
                raise errors.timed_out(self.call.context, self.call.timeout)
            resumed = attempts > 0 and (yield from self._resume(place))
            attempts -= 1
            if not resumed:
                lost = batch or Lost("the event stream ended before its end", sent=True)
                raise errors.connection(self.call.context, lost, doing="read the response's events")

    def _resume(self, place: _Place) -> Any:
        """Open the stream again where it broke; whether that is possible."""
        response_id = place.response_id
        if response_id is not None:
            self.call.context.ids["response_id"] = response_id
        if response_id is None or not self.body.get("background"):
            return False
        reply = yield from self._service.replay(response_id, place.number)
        place.resumed = True
        return reply.ok and reply.streaming

    def _checked(self) -> Any:
        """The body without what the service refuses next to an agent, see `ResponseTurn`."""
        body = self.body
        if self.target.takes_settings:
            return body
        tools, text = body.pop("tools", None) or [], body.pop("text", None)
        _move_instructions(body)
        body = {**self.target.reference, **refused.allowed(self.call, body, names={})}
        if text in refused.HARMLESS["text"] or self.call.drop_params:
            text = None
        if tools or text is not None:
            definition = yield from self._service.definition()
            if definition is None or definition.get("kind") == "hosted":
                body.update({n: v for n, v in (("tools", tools), ("text", text)) if v})
            else:
                payloads.check_against(definition, tools, text, self.call.agent, name="text")
        return body

    def abandon(self) -> Steps:
        """A response in the foreground ends with its connection; one in the background goes on."""
        yield from ()


class _Place:
    """How far an event stream has been passed on. Events are decoded only once it has broken."""

    def __init__(self) -> None:
        self.ended = False
        self.resumed = False
        self._first: ServerEvent | None = None
        self._last: ServerEvent | None = None

    def pass_by(self, batch: list[ServerEvent]) -> list[ServerEvent]:
        """Of these events those that did not come before."""
        if self.resumed:
            number = self.number
            batch = [event for event in batch if _number(event) > number]
        if batch:
            self._first, self._last = self._first or batch[0], batch[-1]
            self.ended = any(event.name in _ENDS for event in batch)
        return batch

    @property
    def number(self) -> int:
        """That of the last event."""
        return _number(self._last)

    @property
    def response_id(self) -> str | None:
        return as_text(as_object(_decoded(self._first).get("response")).get("id")) or None


def _decoded(event: ServerEvent | None) -> dict[str, Any]:
    try:
        data = json.loads(event.data) if event is not None else None
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {}


def _number(event: ServerEvent | None) -> int:
    return as_int(_decoded(event).get("sequence_number"), -1)


def _events(batch: list[ServerEvent]) -> Emit:
    return Emit(cast(Any, batch))


def _move_instructions(body: dict[str, Any]) -> None:
    """Next to an agent the service refuses ``instructions``, which mean to OpenAI's clients a
    message to the model before the others: so they become one (agent frameworks send them always).
    """
    instructions = body.pop("instructions", None)
    if not instructions:
        return
    given = body.get("input")
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}] if given else []
    first = {"type": "message", "role": "developer", "content": instructions}
    body["input"] = [first, *(given or ())]


def stored_exchange(call: Call, request: Request, *, doing: str) -> Exchange:
    """The reply to a request about a stored response. Raises LiteLLM's exceptions."""
    repeatable = request.method == "GET"
    try:
        return (yield from succeed(call, Send(request), doing=doing, repeatable=repeatable))
    except LostAnswer as lost:
        raise errors.connection(call.context, lost.lost, doing=doing) from None
