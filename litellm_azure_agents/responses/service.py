"""Requests beside the one that makes a response: definition, reading, cancelling, deleting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core import errors
from ..core.actions import Actions, Exchange, Lookup, Reply, Request, Send, Steps, Stream, Wait
from ..core.attempts import NONCE_KEY
from ..core.call import Call
from ..core.exchange import ask, find_recent, insist, object_in, request
from ..core.json_values import Json, JsonObject, as_object, as_text
from ..core.owner import Reference
from ..core.retry import poll_intervals
from ..core.service_errors import parse_error
from ..protocol import ownership
from . import refused
from .machine import TERMINAL
from .target import Target


class ResponseService:
    """Generators over the endpoints of protocols B; each raises LiteLLM's exceptions."""

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target

    def definition(self) -> Actions[Json | None]:
        """The agent's definition, None if it can't be read. The reply is cached for
        ``agent_cache_ttl`` seconds."""
        call, url = self._call, self._target.definition_url
        if url is None:
            return None
        action = Lookup(url, Request("GET", url), call.options.agent_cache_ttl)
        doing, having = "read the agent's definition", ("name",)
        return definition_of(
            (yield from ask(call, action, doing=doing, repeatable=True, having=having))
        )

    def check_owned(self, state_id: str, param: str) -> Steps:
        """Raise NotFoundError unless the conversation or response is the caller's."""
        yield from ownership.check_owned(
            self._call,
            self.state_url(state_id),
            Reference("conversation" if is_conversation(state_id) else "response", state_id, param),
        )

    def state_url(self, state_id: str) -> str:
        """The URL of a conversation or response."""
        if is_conversation(state_id):
            return self._target.endpoint.url("conversations", state_id)
        return self._target.url(state_id)

    @property
    def can_list(self) -> bool:
        """Whether the endpoint's project lists its responses."""
        return self._target.project is not None and not self._target.is_stateless

    def find(self) -> Actions[JsonObject | None]:
        """The newest response of this request's nonce that was not cut off, or None."""
        project, nonce = self._target.project, self._call.attempt.nonce
        if project is None:
            return None
        listed = project.openai
        agent = ("agent_name", self._target.name)

        def is_ours(response: Json) -> bool:
            marked = as_object(response.get("metadata")).get(NONCE_KEY) == nonce
            return marked and response.get("status") != "cancelled"

        return (
            yield from find_recent(
                self._call,
                lambda query: listed.url("responses", query=[agent, *query]),
                is_ours,
                doing="list the agent's responses",
            )
        )

    def replay(self, response_id: str, after: int) -> Exchange:
        """The events of a background response that come after number ``after``, as a stream."""
        query = [("stream", "true"), ("starting_after", str(max(after, 0)))]
        action = Stream(Request("GET", self._target.url(response_id, query=query)))
        return request(self._call, action, doing="resume the response", repeatable=True)

    def read(self, response_id: str) -> Exchange:
        """The reply with the response, or with an error."""
        action = Send(Request("GET", self._target.url(response_id)))
        return request(self._call, action, doing="read the response", repeatable=True)

    def peek(self, response_id: str) -> Actions[JsonObject | None]:
        """The response as it is now, or None if it can't be read."""
        reply: Reply = yield from self.read(response_id)
        return reply.object() if reply.ok else None

    def wait_for(
        self, response_id: str, first: Json | None, next_interval: Callable[[], float]
    ) -> Actions[Json | Reply]:
        """The response once it has ended, or the error reply for reading it.

        Begins with ``first`` if that is given. Raises Timeout.
        """
        call = self._call
        response = first
        while True:
            if response is None:
                reply = yield from self.read(response_id)
                if not reply.ok:
                    return reply
                having = ("id", "status")
                response = object_in(call, reply, doing="read the response", having=having)
            if as_text(response.get("status")) in TERMINAL:
                return response
            if call.remaining() <= 0:
                raise errors.timed_out(call.context, call.timeout)
            yield Wait(min(next_interval(), max(call.remaining(), 0.01)))
            response = None

    def cancel(self, response_id: str) -> Steps:
        """Cancel a background response. Ignores the reply: it may have ended already."""
        action = Send(Request("POST", self._target.url(response_id, "cancel")))
        yield from insist(action, random=self._call.random)

    def forget(self, ids: Mapping[str, str]) -> Steps:
        """Delete the conversation or the response. Ignores a failure: the answer is complete."""
        if self._target.is_stateless:
            return
        conversation = ids.get("conversation_id")
        if conversation:
            url = self._target.endpoint.url("conversations", conversation)
        else:
            url = self._target.url(ids["response_id"])
        yield Send(Request("DELETE", url))

    # -- a locked conversation -----------------------------------------------------------------

    def unlocked(self, action: Any, *, doing: str) -> Exchange:
        """The reply to ``action``, repeated within the timeout while the conversation is locked."""
        next_interval = poll_intervals(None)
        while True:
            reply = yield from request(self._call, action, doing=doing)
            wait = next_interval()
            if not is_locked(reply) or wait > self._call.remaining():
                return reply
            yield Wait(wait)


def is_conversation(state_id: str) -> bool:
    """Whether an id is that of a conversation; others are taken for a response's."""
    return state_id.startswith("conv")


def refusal_of(call: Call, target: Target, reply: Reply) -> Exception:
    """The exception for a refused response; refused fields have the caller's names."""
    named = refused.fields_in(reply)
    if not named:
        doing = "create the response"
        hint = (
            "Check the agent's name and version, the ids of the call, and api_base, which is taken "
            f"for endpoint_style {target.style!r}: the request went to {target.url()}"
        )
        return errors.from_reply(
            call.context, reply, doing=doing, hint=hint if reply.status == 404 else None
        )
    text = "; ".join(refused.refusal(name) for name in named)
    param = refused.CALLERS_NAMES.get(named[0], named[0])
    return errors.bad_request(call.context, f"{text} ({call.context.where()})", param=param)


def definition_of(agent: Json) -> Json:
    """The definition in an agent (that of its latest version) or in a version."""
    latest = as_object(as_object(agent.get("versions")).get("latest")) or agent
    return as_object(latest.get("definition"))


def is_locked(reply: Reply) -> bool:
    """Whether the service refused because another response uses the conversation."""
    if reply.status not in (400, 409):
        return False
    return "conversation_locked" in (parse_error(reply).code or "")


def is_unknown_state(reply: Reply) -> bool:
    """Whether the service has no such response or conversation to continue."""
    if reply.status == 404:
        return True
    error = parse_error(reply) if reply.status == 400 else None
    return error is not None and (error.code or "").endswith(("response_not_found", "_not_found"))
