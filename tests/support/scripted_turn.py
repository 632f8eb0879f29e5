"""Plays a turn of either protocol on given events, without a socket or LiteLLM's wrappers.

So thousands of streams take seconds.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from litellm.types.utils import ModelResponse

from litellm_azure_agents.answer.answer import Delta
from litellm_azure_agents.core import errors
from litellm_azure_agents.core.actions import (
    Emit,
    Gather,
    Lookup,
    Read,
    Reply,
    Send,
    ServerEvent,
    Stream,
)
from litellm_azure_agents.core.call import Call
from litellm_azure_agents.core.endpoint import Endpoint
from litellm_azure_agents.core.options import Options, Params
from litellm_azure_agents.host.chunks import ChunkFactory
from litellm_azure_agents.responses.target import resolve_target
from litellm_azure_agents.responses.turn import ResponseTurn
from litellm_azure_agents.threads.turn import ThreadTurn
from tests.support.malformed import Events, mutate
from tests.support.playing import BASE
from tests.support.stream_service import ThreadService


class ScriptedService:
    """Answers a turn's actions: the stream from ``events``, all else by ``answer``."""

    def __init__(self, events: Events, answer: Any, dice: random.Random) -> None:
        texts = [(n, d if isinstance(d, str) else json.dumps(d)) for n, d in events]
        self._batches = _batches([ServerEvent(n, text) for n, text in texts], dice)
        self._answer = answer
        self.emitted: list[Delta] = []

    def play(self, actions: Any) -> Any:
        result: Any = None
        while True:
            try:
                action = actions.send(result)
            except StopIteration as end:
                return end.value
            result = None
            if isinstance(action, Emit):
                self.emitted += action.items
            elif isinstance(action, Stream) and (action.request.body or {}).get("stream"):
                result = Reply(200, {"content-type": "text/event-stream"}, streaming=True)
            elif isinstance(action, (Send, Lookup, Stream)):
                result = self._answer(action.request)
            elif isinstance(action, Read):
                result = next(self._batches, None)
            elif isinstance(action, Gather):
                result = [self._outcome(job) for job in action.jobs]

    def _outcome(self, job: Any) -> Any:
        try:
            return self.play(job)
        except Exception as error:
            return error


def _batches(events: list[ServerEvent], dice: random.Random) -> Iterator[list[ServerEvent]]:
    while events:
        size = dice.randint(1, 4)
        yield events[:size]
        events = events[size:]


def call_of(agent: str, options: Mapping[str, Any]) -> Call:
    now = time.monotonic()
    ticks = iter(range(1000))  # every look at the clock is a second later: nothing lasts for ever
    return Call(
        agent=agent, endpoint=Endpoint(BASE), messages=[{"role": "user", "content": "Go."}],
        options=Options(**options), params=Params(), context=errors.Context("m", "azure_ai", agent),
        clock=lambda: now + next(ticks, 1000), started=now, timeout=60.0, random=random.random,
        max_retries=0, call_id="call-id",
    )  # fmt: skip


def outcome(turn: Any, service: ScriptedService) -> tuple[str, Exception | None]:
    """The text that a caller got, and the exception, if it ended in one: LiteLLM's own."""
    failure = _failure(service, turn.run())
    if failure is not None:
        _failure(service, turn.abandon())  # drivers ignore how this one ends
    factory = ChunkFactory("azure_ai/agents/x")
    for delta in service.emitted:
        factory.chunk(delta, turn.ids).model_dump_json()
    folded = factory.fold(service.emitted, turn.ids, ModelResponse())
    folded.model_dump_json()
    return "".join(delta.text for delta in service.emitted), failure


def play_run(
    name: str, events: Events, dice: random.Random, mode: Mapping[str, Any], *, broken: bool
) -> tuple[str, Exception | None]:
    """A classic turn; ``broken``: what is asked for is mutated as well."""
    service = ThreadService(name)

    def answer(request: Any) -> Reply:
        given = httpx.Request(request.method, request.url, json=request.body)
        reply = service.answer(given)
        content = reply.content
        if broken and reply.headers.get("content-type") == "application/json":
            content = json.dumps(mutate(json.loads(content), dice)).encode()
        return Reply(reply.status_code, dict(reply.headers), content)

    return outcome(ThreadTurn(call_of("asst_x", mode)), ScriptedService(events, answer, dice))


def play_response(
    events: Events, end: Any, dice: random.Random, mode: Mapping[str, Any], *, broken: bool
) -> tuple[str, Exception | None]:
    """A turn of a new agent, likewise."""

    def answer(request: Any) -> Reply:
        found = mutate(end, dice) if broken else end
        return Reply(200, {"content-type": "application/json"}, json.dumps(found).encode())

    turn = ResponseTurn(call_of("bob", mode), resolve_target(BASE, "bob"))
    return outcome(turn, ScriptedService(events, answer, dice))


def _failure(service: ScriptedService, actions: Any) -> Exception | None:
    """The exception of LiteLLM's that ``actions`` end in; any other is raised."""
    try:
        service.play(actions)
    except Exception as error:
        if not type(error).__module__.startswith("litellm."):
            raise
        return error
    return None
