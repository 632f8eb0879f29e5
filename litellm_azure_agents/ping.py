"""LiteLLM's health check: is the agent there, and may we use it? Leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping

from . import errors
from .actions import Emit, Request, Send, Steps
from .answer import Answer, Usage
from .call import Call
from .exchange import fetch, request
from .responses.service import definition_of
from .responses.target import Target


class Ping:
    """A turn that reads the agent's definition instead of starting a run."""

    def __init__(self, call: Call, target: Target | None = None) -> None:
        self._call = call
        self._target = target
        self._answer = Answer()

    @property
    def ids(self) -> Mapping[str, str]:
        return self._answer.ids

    def run(self) -> Steps:
        """GET of the agent; "ok" as the answer."""
        call, target = self._call, self._target
        if target is None:
            url = call.endpoint.url("assistants", call.agent)
            agent = (yield from fetch(call, url, doing="read the agent")).json() or {}
        elif target.definition_url is not None:
            url = target.definition_url
            agent = definition_of(
                (yield from fetch(call, url, doing="read the agent")).json() or {}
            )
        else:
            yield from self._knock(target)
            agent = {}
        self._answer.text("ping", "ok")
        self._answer.finish("stop", usage=Usage(0, 0, 0), model=agent.get("model"))
        yield Emit(self._answer.take())

    def _knock(self, target: Target) -> Steps:
        """A container says whether it is ready; a published application only whether it lets us
        in, since it has nothing to read: that the response isn't there is a good answer."""
        doing = "reach the agent"
        if target.style == "container":
            yield from fetch(self._call, target.endpoint.url("readiness"), doing=doing)
            return
        action = Send(Request("GET", target.url("resp_ping")))
        reply = yield from request(self._call, action, doing=doing, repeatable=True)
        if not reply.ok and reply.status not in (400, 404, 405):
            raise errors.from_reply(self._call.context, reply, doing=doing)

    def abandon(self) -> Steps:
        """Nothing is owed."""
        yield from ()
