"""Malformed events: the turn ends in an answer or in one of LiteLLM's exceptions."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.malformed import (
    MODES,
    Events,
    assert_kept,
    dices,
    disturb,
    disturb_beside_the_text,
    many_examples,
)
from tests.support.scripted_turn import play_response
from tests.support.stream_service import ResponseService
from tests.support.streams import names

STREAMS: dict[str, Events] = {n: list(ResponseService(n).events()) for n in names("responses")}


@many_examples
@given(st.sampled_from(sorted(STREAMS)), st.sampled_from(MODES), st.booleans(), dices)
def test_any_events_end_in_an_answer_or_a_litellm_exception(
    name: str, mode: dict[str, Any], broken: bool, dice: random.Random
) -> None:
    events = STREAMS[name]
    end = events[-1][1]["response"]
    play_response(disturb(events, dice), end, dice, mode, broken=broken)


@many_examples
@given(st.sampled_from(sorted(set(STREAMS) - {"consent"})), dices)
def test_no_text_is_lost_while_the_deltas_are_whole(name: str, dice: random.Random) -> None:
    """But for the consent link, whose text is made of the item."""
    events = STREAMS[name]
    end = events[-1][1]["response"]
    whole, failure = play_response(events, end, dice, {}, broken=False)
    assert failure is None
    disturbed = disturb_beside_the_text(events, dice)
    text, failure = play_response(disturbed, end, dice, {}, broken=False)
    assert_kept(whole, text, failure)
