"""One fetch of a token for all who wait for it, threads and tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from litellm_azure_agents.auth import cache as token_cache
from litellm_azure_agents.auth.resolve import CredentialError, TokenSource
from litellm_azure_agents.core import single_flight
from tests.support.credentials import (
    AsyncCredential,
    Clock,
    Credential,
    Lazy,
    resolve,
    token_of,
    until,
    wait_until,
)


def in_threads(count: int, call: Callable[[], str]) -> list[str]:
    barrier = threading.Barrier(count)

    def one() -> str:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(count) as pool:
        return [f.result(10) for f in [pool.submit(one) for _ in range(count)]]


@pytest.mark.parametrize("cls", [Credential, AsyncCredential, Lazy])
def test_fifty_threads_one_fetch(cls: type[Credential]) -> None:
    credential = cls()
    if cls is Credential:
        credential.hold = threading.Event()
        threading.Timer(0.05, credential.hold.set).start()
    tokens = in_threads(50, lambda: token_of(resolve(credential=credential)))
    assert tokens == ["token-1"] * 50
    assert credential.calls == 1


@pytest.mark.parametrize("cls", [Credential, AsyncCredential])
async def test_two_hundred_tasks_one_fetch(cls: type[Credential]) -> None:
    credential = cls()
    if cls is Credential:
        credential.hold = threading.Event()
        asyncio.get_running_loop().call_later(0.05, credential.hold.set)
    sources = [resolve(credential=credential) for _ in range(200)]
    tokens = await asyncio.gather(*(source.get() for source in sources))
    assert tokens == ["token-1"] * 200
    assert credential.calls == 1


@pytest.mark.parametrize("cls", [Credential, AsyncCredential])
def test_threads_and_several_loops_share_one_fetch(cls: type[Credential]) -> None:
    credential = cls()
    if cls is Credential:
        credential.hold = threading.Event()
        threading.Timer(0.05, credential.hold.set).start()

    async def tasks() -> str:
        source = resolve(credential=credential)
        tokens = await asyncio.gather(*(source.get() for _ in range(10)))
        assert len(set(tokens)) == 1
        return tokens[0]

    turn = iter(range(20))
    tokens = in_threads(
        20,
        lambda: (
            asyncio.run(tasks()) if next(turn) % 2 else token_of(resolve(credential=credential))
        ),
    )
    assert tokens == ["token-1"] * 20
    assert credential.calls == 1


@pytest.mark.parametrize("cls", [Credential, AsyncCredential, Lazy])
def test_two_runs_in_a_row(cls: type[Credential], clock: Clock) -> None:
    credential = cls()
    for number in (1, 2, 3):
        assert token_of(resolve(credential=credential)) == f"token-{number}"
        clock.now += 4000
    assert credential.calls == 3


async def test_sync_credential_never_blocks_the_loop() -> None:
    credential = Credential()
    credential.hold = threading.Event()
    task = asyncio.create_task(resolve(credential=credential).get())
    await until(credential.entered.is_set)  # would hang here if it ran in this thread
    assert credential.threads[0] is not threading.current_thread()
    credential.hold.set()
    assert await task == "token-1"


def test_others_use_the_old_token_while_one_refreshes(clock: Clock) -> None:
    credential = Credential()
    token_of(resolve(credential=credential))
    clock.now += 3400  # early refresh is due, the token still valid
    credential.hold = threading.Event()
    credential.entered.clear()
    with ThreadPoolExecutor(1) as pool:
        refresher = pool.submit(lambda: token_of(resolve(credential=credential)))
        assert credential.entered.wait(5)
        assert in_threads(10, lambda: token_of(resolve(credential=credential))) == ["token-1"] * 10
        assert token_of(resolve(credential=credential)) == "token-1"
        credential.hold.set()
        assert refresher.result(5) == "token-2"
    assert token_of(resolve(credential=credential)) == "token-2"
    assert credential.calls == 2


def test_failed_early_refresh_keeps_the_valid_token(clock: Clock) -> None:
    credential = Credential()
    token_of(resolve(credential=credential))
    credential.fail = RuntimeError("down")
    clock.now += 3400
    assert token_of(resolve(credential=credential)) == "token-1"
    assert token_of(resolve(credential=credential)) == "token-1"
    assert credential.calls == 2, "must not ask at every call while it fails"
    clock.now += 31
    assert token_of(resolve(credential=credential)) == "token-1"
    assert credential.calls == 3
    clock.now += 200  # now it has expired
    with pytest.raises(CredentialError, match="down"):
        token_of(resolve(credential=credential))
    credential.fail = None
    assert token_of(resolve(credential=credential)) == "token-5"


def test_all_who_waited_get_the_error_and_the_next_tries_anew() -> None:
    credential = Credential()
    credential.fail = ValueError("boom")
    credential.hold = threading.Event()
    sources = [resolve(credential=credential) for _ in range(20)]

    def ask(source: TokenSource) -> CredentialError:
        with pytest.raises(CredentialError) as caught:
            token_of(source)
        return caught.value

    async def aask(source: TokenSource) -> CredentialError:
        with pytest.raises(CredentialError) as caught:
            await source.get()
        return caught.value

    async def tasks() -> list[CredentialError]:
        running = [asyncio.create_task(aask(source)) for source in sources]
        await asyncio.sleep(0.05)  # all of them wait by now
        assert credential.hold is not None
        credential.hold.set()
        return await asyncio.gather(*running)

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, source) for source in sources]
        errors = asyncio.run(tasks()) + [f.result(5) for f in asked]
    assert credential.calls == 1
    assert {str(e) for e in errors} == {
        "no Azure token from credential (Credential): ValueError: boom"
    }
    assert len({id(e) for e in errors}) == 40, "each needs its own traceback"
    credential.fail = None
    assert token_of(resolve(credential=credential)) == "token-2"


@pytest.mark.parametrize("cls", [Credential, AsyncCredential])
async def test_cancelling_the_first_caller_leaves_the_others_alone(cls: type[Credential]) -> None:
    credential = cls()
    credential.hold = threading.Event()
    gate = asyncio.Event()
    if isinstance(credential, AsyncCredential):
        credential.gate = gate
    first = asyncio.create_task(resolve(credential=credential).get())
    await until(credential.entered.is_set)
    others = [asyncio.create_task(resolve(credential=credential).get()) for _ in range(5)]
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    credential.hold.set()
    gate.set()
    assert await asyncio.wait_for(asyncio.gather(*others), 5) == ["token-1"] * 5
    assert credential.calls == 1


async def test_a_killed_fetch_is_taken_over_by_a_waiter() -> None:
    credential = AsyncCredential()
    credential.gate = asyncio.Event()  # never set: only the first fetch waits for it
    tasks = [asyncio.create_task(resolve(credential=credential).get()) for _ in range(5)]
    await until(credential.entered.is_set)
    (fetch,) = asyncio.all_tasks() - {*tasks, asyncio.current_task()}
    fetch.cancel()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == ["token-2"] * 5
    assert credential.calls == 2


async def test_a_fetch_killed_before_its_first_step() -> None:
    credential = AsyncCredential()
    task = asyncio.create_task(resolve(credential=credential).get())
    await asyncio.sleep(0)  # the caller has created the fetch, which has not begun
    assert credential.calls == 0
    (fetch,) = asyncio.all_tasks() - {task, asyncio.current_task()}
    fetch.cancel()
    assert await asyncio.wait_for(task, 5) == "token-1"


@pytest.mark.parametrize("how", ["closed", "stopped"])
def test_a_dead_loop_holds_nobody_up(how: str) -> None:
    credential = AsyncCredential()
    loop = asyncio.new_event_loop()

    async def abandon() -> asyncio.Task[str]:
        credential.gate = asyncio.Event()
        task = asyncio.create_task(resolve(credential=credential).get())
        await until(credential.entered.is_set)
        return task

    task = loop.run_until_complete(abandon())
    if how == "closed":
        for each in asyncio.all_tasks(loop):
            each.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    assert token_of(resolve(credential=credential)) == "token-2"
    if how == "stopped":
        for each in asyncio.all_tasks(loop):
            each.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


def test_another_loop_that_is_blocked_is_waited_for_with_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(single_flight, "PATIENCE", 0.05)
    credential = AsyncCredential()

    async def main() -> None:
        credential.gate = asyncio.Event()
        task = asyncio.create_task(resolve(credential=credential).get())
        await until(credential.entered.is_set)
        with ThreadPoolExecutor(1) as pool:  # this loop stands still until the thread is done
            assert pool.submit(token_of, resolve(credential=credential)).result(5) == "token-2"
        credential.gate.set()
        assert await task == "token-1"

    asyncio.run(main())


def test_a_flight_that_was_given_up_does_not_end_its_successor() -> None:
    cell = token_cache.Cell()
    old, _ = cell.enter(None, None)
    assert isinstance(old, token_cache.Flight)
    new, lead = cell.enter(None, old)
    assert lead
    cell.land(old, None)
    assert cell.enter(None, None) == (new, False)


def test_a_credential_that_cancels_itself_is_an_error() -> None:
    async def provider() -> str:
        raise asyncio.CancelledError

    source = resolve(azure_ad_token_provider=provider)
    with pytest.raises(CredentialError):
        asyncio.run(asyncio.wait_for(source.get(), 5))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fetch_whose_thread_ends_is_made_again() -> None:
    class Ending(Credential):
        def get_token(self, *scopes: str, **kw: Any) -> AccessToken:
            token = super().get_token(*scopes, **kw)
            if self.calls == 1:
                raise SystemExit
            return token

    credential = Ending()
    assert in_threads(3, lambda: token_of(resolve(credential=credential))) == ["token-2"] * 3


def test_no_noise_when_a_loop_ends_during_a_fetch(caplog: pytest.LogCaptureFixture) -> None:
    credential = Credential()
    credential.hold = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(resolve(credential=credential).get())
        await until(credential.entered.is_set)
        task.cancel()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
        credential.hold.set()
        wait_until(lambda: not credential.threads[0].is_alive())
        gc.collect()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert token_of(resolve(credential=credential)) == "token-1", "the late token is kept"
    assert credential.calls == 1
