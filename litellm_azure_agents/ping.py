"""LiteLLM's health check: is the agent there, and may we use it? Leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping

from .actions import Emit, Steps
from .answer import Answer, Usage
from .call import Call
from .exchange import fetch


class Ping:
    """A turn that reads the agent's definition instead of starting a run."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._answer = Answer()

    @property
    def ids(self) -> Mapping[str, str]:
        return self._answer.ids

    def run(self) -> Steps:
        """GET of the agent; "ok" as the answer."""
        call = self._call
        reply = yield from fetch(
            call, call.endpoint.url("assistants", call.agent), doing="read the agent"
        )
        agent = reply.json() or {}
        self._answer.text("ping", "ok")
        self._answer.finish("stop", usage=Usage(0, 0, 0), model=agent.get("model"))
        yield Emit(self._answer.take())

    def abandon(self) -> Steps:
        """Nothing is owed."""
        yield from ()
