"""Turns while 30 % of all connections fail: none is lost, none doubled, none gets another's answer.

Half of what fails had reached the server. What happened is counted there, not at the caller.
"""

from __future__ import annotations

import asyncio

import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.proxy import FaultProxy, share
from tests.faults.size import pairs, size
from tests.faults.turns import CALLERS, KINDS, Service, asks, play

TURNS = size(20, 1000)
RATE, SEED = 0.3, 12


@pytest.mark.parametrize(("kind", "who"), pairs(list(KINDS), CALLERS))
def test_nothing_is_lost_doubled_or_mixed_up(emulator: Emulator, kind: str, who: str) -> None:
    with FaultProxy(emulator.url, share(RATE, SEED), keep_alive=False) as proxy:
        service = Service(emulator)
        ask = asks(who, kind, service, proxy.at(emulator.endpoint))
        tally = asyncio.run(play(proxy, service, kind, ask, TURNS))
    assert tally.turns == TURNS
    assert tally.faults > TURNS * RATE / 2, "the faults did not come about"
    assert tally.clean, str(tally)


def test_without_faults_the_count_is_right(emulator: Emulator) -> None:
    """What the test above counts with finds every turn once."""
    with FaultProxy(emulator.url, keep_alive=False) as proxy:
        service = Service(emulator)
        for kind in KINDS:
            ask = asks("sdk", kind, service, proxy.at(emulator.endpoint))
            tally = asyncio.run(play(proxy, service, kind, ask, 10))
            emulator.reset()
            assert (tally.lost, tally.doubled, tally.wrong) == ([], [], []), str(tally)
            assert tally.posts == tally.turns == 10


def test_a_second_message_is_counted_as_doubled(emulator: Emulator) -> None:
    """A server that is told the same turn twice shows it."""
    service = Service(emulator)
    with FaultProxy(emulator.url, keep_alive=False) as proxy:
        thread = service.post("/threads")["id"]
        for _ in range(2):
            body = {"role": "user", "content": "turn 0 of 1"}
            service.post(f"/threads/{thread}/messages", body)
        ask = asks("sdk", "new, no state", service, proxy.at(emulator.endpoint))
        tally = asyncio.run(play(proxy, service, "new, no state", ask, 1))
    assert len(tally.doubled) == 1
