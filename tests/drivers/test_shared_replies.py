"""Answers that many calls share: one asks, the others wait, each no longer than it may."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from litellm_azure_agents.core.actions import Lost, Reply
from litellm_azure_agents.drivers.shared_replies import Answer, SharedReplies

GOOD = Reply(200, {}, b"{}")
HUNG = Lost("no answer within the timeout", sent=True, timed_out=True)


def ask_twice(shared: SharedReplies, way: str, first: Answer, *, seconds: float) -> list[Answer]:
    """What the first caller and one that comes meanwhile get; only the first waits for `first`."""
    asked: list[Answer] = [first, GOOD]

    def slowly() -> Answer:
        answer = asked.pop(0)
        time.sleep(0.3 if answer is first else 0)
        return answer

    async def aslowly() -> Answer:
        return await asyncio.to_thread(slowly)

    if way == "async":

        async def both() -> list[Answer]:
            one = asyncio.ensure_future(shared.aget("k", 60, aslowly, wait=5))
            await asyncio.sleep(0.05)
            return [await shared.aget("k", 60, aslowly, wait=seconds), await one][::-1]

        return asyncio.run(both())
    results: list[Answer] = []
    get: Callable[[], None] = lambda: results.append(shared.get("k", 60, slowly, wait=5))  # noqa: E731
    thread = threading.Thread(target=get)
    thread.start()
    time.sleep(0.05)
    second = shared.get("k", 60, slowly, wait=seconds)
    thread.join()
    return [*results, second]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_one_asks_for_all(way: str) -> None:
    assert ask_twice(SharedReplies(), way, GOOD, seconds=5) == [GOOD, GOOD]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_nobody_waits_longer_than_he_may(way: str) -> None:
    first, second = ask_twice(SharedReplies(), way, GOOD, seconds=0.05)
    assert first == GOOD
    assert isinstance(second, Lost)
    assert second.timed_out


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("failure", [HUNG, Reply(401, {}), Reply(403, {})])
def test_what_is_about_the_first_caller_is_not_shared(way: str, failure: Answer) -> None:
    """His timeout and his credential are not those of the others."""
    assert ask_twice(SharedReplies(), way, failure, seconds=5) == [failure, GOOD]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_what_is_about_the_service_is(way: str) -> None:
    missing = Reply(404, {})
    assert ask_twice(SharedReplies(), way, missing, seconds=5) == [missing, missing]
