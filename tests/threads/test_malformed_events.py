"""Malformed events: the turn ends in an answer or in one of LiteLLM's exceptions."""

from __future__ import annotations

import copy
import random
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm.types.utils import ModelResponse

from litellm_azure_agents.host.chunks import ChunkFactory
from litellm_azure_agents.threads.turn import ThreadTurn
from tests.support.malformed import (
    MODES,
    SPOKEN,
    Events,
    assert_kept,
    dices,
    disturb,
    disturb_beside_the_text,
    many_examples,
)
from tests.support.scripted_turn import ScriptedService, call_of, play_run
from tests.support.stream_service import ThreadService
from tests.support.streams import names

STREAMS: dict[str, Events] = {n: list(ThreadService(n).events()) for n in names("threads")}


@many_examples
@given(st.sampled_from(sorted(STREAMS)), st.sampled_from(MODES), st.booleans(), dices)
def test_any_events_end_in_an_answer_or_a_litellm_exception(
    name: str, mode: dict[str, Any], broken: bool, dice: random.Random
) -> None:
    play_run(name, disturb(STREAMS[name], dice), dice, mode, broken=broken)


@many_examples
@given(st.sampled_from(sorted(STREAMS)), dices)
def test_no_text_is_lost_while_the_deltas_are_whole(name: str, dice: random.Random) -> None:
    whole, failure = play_run(name, STREAMS[name], dice, {}, broken=False)
    assert failure is None
    text, failure = play_run(
        name, disturb_beside_the_text(STREAMS[name], dice), dice, {}, broken=False
    )
    assert_kept(whole, text, failure)


def test_the_mutations_bite() -> None:
    """Else the properties above would say nothing."""
    dice = random.Random(7)
    kept = failed = 0
    for _ in range(400):
        events = disturb(STREAMS["plain"], dice)
        text, failure = play_run("plain", events, dice, {}, broken=True)
        kept += failure is None and text == "Hello, world."
        failed += failure is not None
    assert 40 < kept < 380
    assert failed


# -- seen by hand --------------------------------------------------------------------------------


def part(content: Any) -> tuple[str, Any]:
    return "thread.message.delta", {"id": "msg_1", "delta": {"content": content}}


@pytest.mark.parametrize(
    "content", [[None], None, "x", [[]], [{"type": None}], [{"type": "text", "text": None}], {}]
)
def test_content_of_another_shape_is_passed_over(content: Any) -> None:
    events = STREAMS["plain"]
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
        *STREAMS["plain"][:4],
        *(
            part([{"index": 0, "type": "text", "text": {"value": piece}}])
            for piece in ("Hi \ud83d", "\udc4b ther", "e \ud83d")
        ),
        ("thread.message.completed", {"id": "msg_1", "role": "assistant", "content": [said]}),
        *STREAMS["plain"][-2:],
    ]
    text, failure = play_run("plain", events, random.Random(1), {}, broken=False)
    assert (text, failure) == ("Hi 👋 there 👋", None)


def test_traces_have_what_names_the_service_likes() -> None:
    call = {"id": "call_1", "type": "novelty", "status": "odd", "self": 1, "step_id": 2}
    step = {"id": "step_1", "step_details": {"type": "tool_calls", "tool_calls": [call, None]}}
    events = [*STREAMS["plain"][:4], ("thread.run.step.completed", step), *STREAMS["plain"][4:]]
    mode = {"include_run_steps": True}
    assert play_run("plain", events, random.Random(1), mode, broken=False) == (
        "Hello, world.", None
    )  # fmt: skip


def test_a_run_that_waits_for_calls_without_ids_is_an_error() -> None:
    run = copy.deepcopy(next(d for n, d in STREAMS["tools"] if n == "thread.run.requires_action"))
    for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]:
        del call["id"]
    events = [*STREAMS["tools"][:4], ("thread.run.requires_action", run)]
    _, failure = play_run("tools", events, random.Random(1), {}, broken=False)
    assert isinstance(failure, litellm.InternalServerError)
    assert "no ids" in str(failure)


def test_uncounted_runs_are_marked() -> None:
    """As those of new agents are: what LiteLLM then reports is its own estimate."""
    end = {**next(d for n, d in STREAMS["plain"] if n == "thread.run.completed"), "usage": None}
    events = [*STREAMS["plain"][:-2], ("thread.run.completed", end)]
    turn = ThreadTurn(call_of("asst_x", {}))
    service = ScriptedService(events, None, random.Random(1))
    service.play(turn.run())
    folded = ChunkFactory("m").fold(service.emitted, turn.ids, ModelResponse())
    assert folded.choices[0].message.provider_specific_fields["usage_unknown"] is True
