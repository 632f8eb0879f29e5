"""A native request (``litellm.responses``): the service's own events are passed on.

Only what the service refuses next to an agent is changed: fields that the agent's definition has
are left out, others are refused by name, and instructions become a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from ..continuity.isolation import ids_of_response
from ..core import errors
from ..core.actions import (
    Actions,
    Emit,
    Exchange,
    Lost,
    Reply,
    Request,
    Send,
    ServerEvent,
    Silence,
    Steps,
    Stream,
)
from ..core.call import Call
from ..core.exchange import LostAnswer, object_in, succeed
from ..core.json_values import Json, JsonObject, as_object, as_text
from ..core.options import OptionError
from ..protocol import ownership
from ..protocol.turn import next_events
from . import payloads, refused
from .machine import TERMINAL
from .native_events import NativeEvents
from .service import ResponseService, refusal_of
from .target import Target


class NativeTurn:
    """One request and its answer; `reply` is set before the first batch is emitted."""

    def __init__(self, call: Call, target: Target, body: JsonObject) -> None:
        self._ids: dict[str, str] = {}
        self.call = call.with_ids(self._ids)
        self.target = target
        self.body = body
        self.reply = Reply(0, {})
        self._service = ResponseService(self.call, target)

    @property
    def ids(self) -> Mapping[str, str]:
        return self._ids

    def run(self) -> Steps:
        call, doing = self.call, "create the response"
        yield from self._check_references()
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
        if response.get("status") == "failed":
            self.reply = without_secrets(call, self.reply)
            response = object_in(call, self.reply, doing=doing)
        yield from self._hand_over(response)
        yield Emit([])
        if body.get("stream"):  # an answer at once instead of a stream
            yield Emit([end_event(response, 0)])

    def _pass_on(self) -> Steps:
        """The service's events as they come.

        A background response whose stream breaks is resumed. One in the foreground has ended with
        its connection, so that is an error.
        """
        native, call = NativeEvents(), self.call
        attempts = call.max_retries
        while not native.ended:
            batch = yield from next_events(self.call)
            if isinstance(batch, Silence):
                batch = yield from self._look(native)
            if isinstance(batch, list):
                events = native.receive(batch)
                if native.ended and events:  # it may be an error that repeats the token
                    end = events[-1]
                    events[-1] = replace(end, data=call.context.without_secrets(end.data))
                if native.response_id:
                    self._ids["response_id"] = native.response_id
                if native.ended and events and self.call.owner is not None:
                    yield from self._hand_over(_response_of(events[-1]))
                if events:
                    attempts = self.call.max_retries
                    yield Emit(events)
                continue
            resumed = attempts > 0 and (yield from self._resume(native))
            attempts -= 1
            if not resumed:
                lost = batch or Lost("the event stream ended before its end", sent=True)
                raise errors.connection(self.call.context, lost, doing="read the response's events")

    def _check_references(self) -> Steps:
        """What the request continues and names has to be the caller's, with isolation."""
        if self.call.owner is None:
            return
        yield from ownership.check_given(self.call, self.call.brought)
        for name in ("previous_response_id", "conversation"):
            state = self.body.get(name)
            state_id = as_text(state) or as_text(as_object(state).get("id"))
            if state_id:
                yield from self._service.check_owned(state_id, name)

    def _hand_over(self, response: Json) -> Steps:
        """With isolation: what the caller has been given is his, so that he can name it."""
        response_id = as_text(response.get("id"))
        if self.call.owner is None or not response_id:
            return
        ownership.learn(self.call, self._service.state_url(response_id))
        yield from ownership.give(self.call, ids_of_response(response))

    def _look(self, native: NativeEvents) -> Actions[list[ServerEvent]]:
        """The stream is silent: the event of the response's end, if it has ended."""
        try:
            response = yield from self._service.peek(native.response_id or "-")
        except errors.APIConnectionError:
            return []  # the stream may still bring the end
        if response is None or response.get("status") not in TERMINAL:
            return []
        return [end_event(response, native.sequence + 1)]

    def _resume(self, native: NativeEvents) -> Actions[bool]:
        """Open the stream again where it broke; False if that is not possible."""
        if not native.response_id or not self.body.get("background"):
            return False
        reply = yield from self._service.replay(native.response_id, native.sequence)
        return reply.ok and reply.streaming

    def _checked(self) -> Actions[JsonObject]:
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
                drop, agent = self.call.drop_params, self.call.agent
                payloads.check_against(definition, tools, text, agent, drop=drop, name="text")
        return body

    def abandon(self) -> Steps:
        """A response in the foreground ends with its connection; one in the background goes on."""
        yield from ()


def end_event(response: Json, number: int) -> ServerEvent:
    """The event that ends the stream of a response, made from the response."""
    name = f"response.{as_text(response.get('status')) or 'completed'}"
    event = {"type": name, "sequence_number": number, "response": response}
    return ServerEvent(name, json.dumps(event))


def _move_instructions(body: JsonObject) -> None:
    """Turn ``instructions`` into a message before the others.

    The service refuses them next to an agent, and agent frameworks always send them.
    """
    instructions = body.pop("instructions", None)
    if not instructions:
        return
    given = body.get("input")
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}] if given else []
    first = {"type": "message", "role": "developer", "content": instructions}
    body["input"] = [first, *(given or ())]


def _response_of(event: ServerEvent) -> Json:
    """The response in the event that ends its stream."""
    try:
        return as_object(as_object(json.loads(event.data)).get("response"))
    except (ValueError, RecursionError):
        return {}


def without_secrets(call: Call, reply: Reply) -> Reply:
    """``reply`` without the tokens that were sent; a stored failure may repeat one."""
    text = reply.content.decode("utf-8", "surrogateescape")
    clean = call.context.without_secrets(text)
    return replace(reply, content=clean.encode("utf-8", "surrogateescape"))


def stored_exchange(
    call: Call, target: Target, response_id: str, request: Request, *, doing: str
) -> Exchange:
    """The reply to a request about a stored response, if it is the caller's.

    Raises LiteLLM's exceptions.
    """
    repeatable = request.method == "GET"
    try:
        yield from ResponseService(call, target).check_owned(response_id, "response_id")
        reply = yield from succeed(call, Send(request), doing=doing, repeatable=repeatable)
        return without_secrets(call, reply)
    except LostAnswer as lost:
        raise errors.connection(call.context, lost.lost, doing=doing) from None
