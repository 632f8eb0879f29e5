"""Events as no service should send them: both turns end in an answer or in LiteLLM's exceptions.

The recorded streams are mutated: fields deleted, types swapped, values replaced by null, events
doubled, dropped and moved. The turns are played without a socket or LiteLLM's wrappers, so that
some thousand mutations take seconds.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import litellm
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litellm.types.utils import ModelResponse

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
from litellm_azure_agents.core.deltas import Delta
from litellm_azure_agents.core.endpoint import Endpoint
from litellm_azure_agents.core.options import Options, Params
from litellm_azure_agents.host.chunks import ChunkFactory
from litellm_azure_agents.responses.target import resolve_target
from litellm_azure_agents.responses.turn import ResponseTurn
from litellm_azure_agents.threads.turn import ThreadTurn
from tests.replay import NAMES, Replay
from tests.responses.test_machine import ITEMS, events_of

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
Events = list[tuple[str, Any]]

RECORDED: dict[str, Events] = {name: list(Replay(name).events()) for name in NAMES}
RESPONSES: dict[str, Events] = {
    name: [(event["type"], event) for event in events_of(output)] for name, output in ITEMS.items()
}

JUNK: list[Any] = [
    None, [], {}, "", "x", 0, -1, 7, 1.5, True, [None], [[]], [1, "a"], {"a": None}, [{}],
    {"type": "text"}, {"id": {}}, "\ud83d", 10**30, {"text": {"value": 3}},
    {"self": 1, "status": 2},
]  # fmt: skip
MODES: list[dict[str, Any]] = [
    {},
    {"include_run_steps": True, "citations": "footnotes"},
    {"include_images": "inline", "citations": "strip", "include_run_steps": True},
]


# -- mutations -----------------------------------------------------------------------------------


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutate(data: Any, dice: random.Random) -> Any:
    """``data`` with one thing in it deleted or replaced."""
    if not isinstance(data, (dict, list)) or not data:
        return dice.choice(JUNK)
    path = dice.choice(list(places(data)))
    mutated = copy.deepcopy(data)
    holder = mutated
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and dice.random() < 0.3:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(dice.choice(JUNK))
    return mutated


def disturb(events: Events, dice: random.Random) -> Events:
    """``events`` with up to three of them changed, doubled, dropped, moved or renamed."""
    disturbed = list(events)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(disturbed))
        name, data = disturbed[at]
        kind = dice.randrange(10)
        if kind < 6:
            disturbed[at] = (name, mutate(data, dice))
        elif kind == 6:
            disturbed.insert(dice.randrange(len(disturbed)), disturbed[at])
        elif kind == 7 and len(disturbed) > 1:
            del disturbed[at]
        elif kind == 8:
            disturbed.insert(dice.randrange(len(disturbed)), disturbed.pop(at))
        else:
            disturbed[at] = (dice.choice(["", "no.such.event", *(n for n, _ in events)]), data)
    return disturbed


SPOKEN = ("thread.message.delta", "response.output_text.delta")


def disturb_beside_the_text(events: Events, dice: random.Random) -> Events:
    """``events`` with one changed or dropped that text doesn't come by."""
    spoken = SPOKEN if any(n in SPOKEN for n, _ in events) else ("thread.message.completed",)
    beside = [i for i, (name, _) in enumerate(events) if name not in spoken]
    at = dice.choice(beside)
    name, data = events[at]
    if dice.random() < 0.2:
        return [*events[:at], *events[at + 1 :]]
    return [*events[:at], (name, mutate(data, dice)), *events[at + 1 :]]


# -- playing a turn ------------------------------------------------------------------------------


class Service:
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


def outcome(turn: Any, service: Service) -> tuple[str, Exception | None]:
    """The text that a caller got, and the exception, if it ended in one: LiteLLM's own."""
    failure: Exception | None = None
    try:
        service.play(turn.run())
    except Exception as error:
        if not type(error).__module__.startswith("litellm."):
            raise
        failure = error
        service.play(turn.abandon())
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
    replay = Replay(name)

    def answer(request: Any) -> Reply:
        given = httpx.Request(request.method, request.url, json=request.body)
        reply = replay.answer(given)
        content = reply.content
        if broken and reply.headers.get("content-type") == "application/json":
            content = json.dumps(mutate(json.loads(content), dice)).encode()
        return Reply(reply.status_code, dict(reply.headers), content)

    return outcome(ThreadTurn(call_of("asst_x", mode)), Service(events, answer, dice))


def play_response(
    events: Events, end: Any, dice: random.Random, mode: Mapping[str, Any], *, broken: bool
) -> tuple[str, Exception | None]:
    """A turn of a new agent, likewise."""

    def answer(request: Any) -> Reply:
        found = mutate(end, dice) if broken else end
        return Reply(200, {"content-type": "application/json"}, json.dumps(found).encode())

    turn = ResponseTurn(call_of("bob", mode), resolve_target(BASE, "bob"))
    return outcome(turn, Service(events, answer, dice))


# -- the properties ------------------------------------------------------------------------------

EXAMPLES = 20
seeds = st.integers(0, 2**32)
some = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@some
@given(seeds)
def test_any_events_of_a_run_end_in_an_answer_or_a_litellm_exception(seed: int) -> None:
    for name, events in RECORDED.items():
        dice = random.Random(f"{seed} {name}")
        play_run(name, disturb(events, dice), dice, dice.choice(MODES), broken=dice.random() < 0.5)


@some
@given(seeds)
def test_any_events_of_a_response_end_in_an_answer_or_a_litellm_exception(seed: int) -> None:
    for name, events in RESPONSES.items():
        dice = random.Random(f"{seed} {name}")
        end = events[-1][1]["response"]
        play_response(
            disturb(events, dice), end, dice, dice.choice(MODES), broken=dice.random() < 0.5
        )


@some
@given(seeds)
def test_a_run_whose_deltas_are_whole_loses_no_text(seed: int) -> None:
    for name, events in RECORDED.items():
        dice = random.Random(f"{seed} {name}")
        whole, failure = play_run(name, events, dice, {}, broken=False)
        assert failure is None
        text, failure = play_run(
            name, disturb_beside_the_text(events, dice), dice, {}, broken=False
        )
        assert_kept(whole, text, failure)


@some
@given(seeds)
def test_a_response_whose_deltas_are_whole_loses_no_text(seed: int) -> None:
    for name, events in RESPONSES.items():
        if name == "consent":  # its text is made of the item
            continue
        dice = random.Random(f"{seed} {name}")
        end = events[-1][1]["response"]
        whole, failure = play_response(events, end, dice, {}, broken=False)
        assert failure is None
        disturbed = disturb_beside_the_text(events, dice)
        text, failure = play_response(disturbed, end, dice, {}, broken=False)
        assert_kept(whole, text, failure)


def assert_kept(whole: str, text: str, failure: Exception | None) -> None:
    """All of the text in its order; what a service repeats under another id may come again, and
    parts to which it gives the same one are not told apart."""
    if failure is None:
        rest = iter(text)
        assert all(character in rest for character in "".join(whole.split())), (whole, text)


def test_the_mutations_bite() -> None:
    """Else the properties above would say nothing."""
    dice = random.Random(7)
    kept = failed = 0
    for _ in range(100):
        events = disturb(RECORDED["plain"], dice)
        text, failure = play_run("plain", events, dice, {}, broken=True)
        kept += failure is None and text == "Hello, world."
        failed += failure is not None
    assert 10 < kept < 95
    assert failed


# -- seen by hand --------------------------------------------------------------------------------


def part(content: Any) -> tuple[str, Any]:
    return "thread.message.delta", {"id": "msg_1", "delta": {"content": content}}


@pytest.mark.parametrize(
    "content", [[None], None, "x", [[]], [{"type": None}], [{"type": "text", "text": None}], {}]
)
def test_content_of_another_shape_is_passed_over(content: Any) -> None:
    events = RECORDED["plain"]
    first = next(i for i, (name, _) in enumerate(events) if name in SPOKEN)
    text, failure = play_run(
        "plain", [*events[:first], part(content), *events[first:]], random.Random(1), {},
        broken=False,
    )  # fmt: skip
    assert (text, failure) == ("Hello, world.", None)


def test_an_emoji_cut_in_two_is_one_again() -> None:
    """As hosts send it that count in UTF-16 units; the finished message has it whole."""
    said = {"type": "text", "text": {"value": "Hi 👋 there 👋", "annotations": []}}
    events = [
        *RECORDED["plain"][:4],
        *(
            part([{"index": 0, "type": "text", "text": {"value": piece}}])
            for piece in ("Hi \ud83d", "\udc4b ther", "e \ud83d")
        ),
        ("thread.message.completed", {"id": "msg_1", "role": "assistant", "content": [said]}),
        *RECORDED["plain"][-2:],
    ]
    text, failure = play_run("plain", events, random.Random(1), {}, broken=False)
    assert (text, failure) == ("Hi 👋 there 👋", None)


def test_traces_have_what_names_the_service_likes() -> None:
    call = {"id": "call_1", "type": "novelty", "status": "odd", "self": 1, "step_id": 2}
    step = {"id": "step_1", "step_details": {"type": "tool_calls", "tool_calls": [call, None]}}
    events = [*RECORDED["plain"][:4], ("thread.run.step.completed", step), *RECORDED["plain"][4:]]
    mode = {"include_run_steps": True}
    assert play_run("plain", events, random.Random(1), mode, broken=False) == (
        "Hello, world.", None
    )  # fmt: skip


def test_a_run_that_waits_for_calls_without_ids_is_an_error() -> None:
    run = copy.deepcopy(next(d for n, d in RECORDED["tools"] if n == "thread.run.requires_action"))
    for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]:
        del call["id"]
    events = [*RECORDED["tools"][:4], ("thread.run.requires_action", run)]
    _, failure = play_run("tools", events, random.Random(1), {}, broken=False)
    assert isinstance(failure, litellm.InternalServerError)
    assert "no ids" in str(failure)


def test_uncounted_runs_are_marked() -> None:
    """As those of new agents are: what LiteLLM then reports is its own estimate."""
    end = {**next(d for n, d in RECORDED["plain"] if n == "thread.run.completed"), "usage": None}
    events = [*RECORDED["plain"][:-2], ("thread.run.completed", end)]
    turn = ThreadTurn(call_of("asst_x", {}))
    service = Service(events, None, random.Random(1))
    service.play(turn.run())
    folded = ChunkFactory("m").fold(service.emitted, turn.ids, ModelResponse())
    assert folded.choices[0].message.provider_specific_fields["usage_unknown"] is True
