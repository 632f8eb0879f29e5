"""LiteLLM's health check: whether the agent exists and may be used. Leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..answer.answer import Answer
from ..core import errors
from ..core.actions import Emit, Request, Send, Steps
from ..core.call import Call
from ..core.deltas import Usage
from ..core.exchange import fetch, read, request
from ..core.json_values import as_text
from ..responses.service import definition_of
from ..responses.target import Target


class HealthCheck:
    """A turn that reads the agent's definition instead of starting a run."""

    def __init__(self, call: Call, target: Target | None = None) -> None:
        self.call = call
        self._target = target
        self._answer = Answer()

    @property
    def ids(self) -> Mapping[str, str]:
        return self._answer.ids

    def run(self) -> Steps:
        """Read the agent; the answer is "ok". Raises what reading it raises."""
        call, target, doing = self.call, self._target, "read the agent"
        agent: Mapping[str, Any] = {}
        if target is None:
            url = call.endpoint.url("assistants", call.agent)
            agent = yield from read(call, url, doing=doing)
        elif target.definition_url is not None:
            agent = definition_of(
                (yield from read(call, target.definition_url, doing=doing, having=("name",)))
            )
        else:
            yield from self._probe(target)
        self._answer.text("ping", "ok")
        self._answer.finish("stop", usage=Usage(0, 0, 0), model=as_text(agent.get("model")))
        yield Emit(self._answer.take())

    def _probe(self, target: Target) -> Steps:
        """Check an endpoint that has no definition to read.

        A container has a readiness route. A published application has only its responses: a reply
        that there is no such response shows that it is reachable and accepts the credential.
        """
        doing = "reach the agent"
        if target.style == "container":
            yield from fetch(self.call, target.endpoint.url("readiness"), doing=doing)
            return
        action = Send(Request("GET", target.url("resp_ping")))
        reply = yield from request(self.call, action, doing=doing, repeatable=True)
        if not reply.ok and reply.status not in (400, 404, 405):
            raise errors.from_reply(self.call.context, reply, doing=doing)

    def abandon(self) -> Steps:
        """Nothing is owed."""
        yield from ()
