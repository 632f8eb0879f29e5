"""Answers that many calls share: one asks, the others wait, each no longer than it may."""

from __future__ import annotations

import asyncio

import pytest

from litellm_azure_agents.core.actions import Lost, Reply
from litellm_azure_agents.drivers.shared_replies import Answer, SharedReplies

GOOD = Reply(200, {}, b"{}")
HUNG = Lost("no answer within the timeout", sent=True, timed_out=True)


def ask_twice(shared: SharedReplies, first: Answer, *, seconds: float) -> list[Answer]:
    """What the first caller and one that comes meanwhile get; only the first waits for `first`."""
    asked: list[Answer] = [first, GOOD]

    async def slowly() -> Answer:
        answer = asked.pop(0)
        await asyncio.sleep(0.3 if answer is first else 0)
        return answer

    async def both() -> list[Answer]:
        one = asyncio.ensure_future(shared.get("k", 60, slowly, wait=5))
        await asyncio.sleep(0.05)
        second = await shared.get("k", 60, slowly, wait=seconds)
        return [await one, second]

    return asyncio.run(both())


def test_one_asks_for_all() -> None:
    assert ask_twice(SharedReplies(), GOOD, seconds=5) == [GOOD, GOOD]


def test_nobody_waits_longer_than_he_may() -> None:
    first, second = ask_twice(SharedReplies(), GOOD, seconds=0.05)
    assert first == GOOD
    assert isinstance(second, Lost)
    assert second.timed_out


@pytest.mark.parametrize("failure", [HUNG, Reply(401, {}), Reply(403, {})])
def test_what_is_about_the_first_caller_is_not_shared(failure: Answer) -> None:
    """His timeout and his credential are not those of the others."""
    assert ask_twice(SharedReplies(), failure, seconds=5) == [failure, GOOD]


def test_what_is_about_the_service_is() -> None:
    missing = Reply(404, {})
    assert ask_twice(SharedReplies(), missing, seconds=5) == [missing, missing]
