"""The stores, and the guard that keeps a slow or broken one from holding up calls."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import warnings
from collections.abc import Iterator

import pytest

from litellm_azure_agents.stores.base import REST, Guard, Store, StoreUnavailable
from litellm_azure_agents.stores.memory import MemoryStore
from litellm_azure_agents.stores.redis import Clients, RedisStore
from litellm_azure_agents.stores.resolve import StoreError, forget_stores, resolve_store
from tests.support.redis_server import free_port, running_redis


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with running_redis() as url:
        yield url


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Store:
    """A store whose entries last for a minute."""
    if request.param == "memory":
        return MemoryStore(60)
    return RedisStore(Clients(request.getfixturevalue("redis_url"), 5), 60)


# -- what all stores do ------------------------------------------------------------------------


async def test_an_entry_is_claimed_once(store: Store) -> None:
    assert await store.claim("once") is None
    await store.remember("once", "thread_1")
    assert [await store.claim("once"), await store.claim("once")] == ["thread_1", None]


async def test_a_later_entry_replaces_an_earlier_one(store: Store) -> None:
    await store.remember("twice", "thread_1")
    await store.remember("twice", "thread_2")
    assert await store.claim("twice") == "thread_2"


async def test_of_many_claims_at_once_one_succeeds(store: Store) -> None:
    await store.remember("race", "thread_1")
    claims = await asyncio.gather(*(store.claim("race") for _ in range(50)))
    assert sorted(filter(None, claims)) == ["thread_1"]


def test_every_event_loop_can_use_it(store: Store) -> None:
    asyncio.run(store.remember("loops", "thread_1"))
    assert asyncio.run(store.claim("loops")) == "thread_1"


# -- memory ------------------------------------------------------------------------------------


async def test_memory_forgets_what_was_not_used_in_time() -> None:
    now = [0.0]
    store = MemoryStore(10, clock=lambda: now[0])
    await store.remember("a", "thread_1")
    now[0] = 9.0
    assert await store.claim("a") == "thread_1"
    await store.remember("a", "thread_1")  # used: its time begins anew
    now[0] = 18.0
    assert await store.claim("a") == "thread_1"
    await store.remember("a", "thread_1")
    now[0] = 28.0
    assert await store.claim("a") is None


async def test_memory_is_bounded() -> None:
    store = MemoryStore(60, max_entries=3)
    for name in "abcd":
        await store.remember(name, name)
    assert [await store.claim(name) for name in "abcd"] == [None, "b", "c", "d"]


# -- redis -------------------------------------------------------------------------------------


async def test_redis_drops_entries_itself(redis_url: str) -> None:
    clients = Clients(redis_url, 5)
    await RedisStore(clients, 60).remember("expiring", "thread_1")
    assert 55_000 < await clients().pttl("expiring") <= 60_000


def test_an_event_loop_that_ends_closes_its_connections(redis_url: str) -> None:
    clients = Clients(redis_url, 5)
    store = RedisStore(clients, 60)

    async def connected() -> int:
        await store.claim("nothing")
        return int((await clients().info("clients"))["connected_clients"])

    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        counts = [asyncio.run(connected()) for _ in range(3)]
        gc.collect()
    assert len(set(counts)) == 1, "connections of earlier loops are open"
    assert not [w for w in caught if issubclass(w.category, ResourceWarning)]


# -- the guard ---------------------------------------------------------------------------------


class Scripted:
    """A store that fails, is slow, or works, as a test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.delay = 0.0
        self.calls = 0

    async def claim(self, key: str) -> str | None:
        self.calls += 1
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        return "thread_1"

    async def remember(self, key: str, value: str) -> None:
        await self.claim(key)


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


async def test_a_failing_store_is_left_alone_and_used_again(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    guard = Guard(scripted, name="redis://host", timeout=0.5, clock=lambda: now[0])
    scripted.error = ConnectionError("with-a-password")
    with caplog.at_level(logging.INFO, "litellm_azure_agents"):
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await guard.claim("a")
        assert scripted.calls == 1
        now[0] += REST
        with pytest.raises(StoreUnavailable):
            await guard.remember("a", "b")
        assert scripted.calls == 2
        scripted.error = None
        with pytest.raises(StoreUnavailable):
            await guard.claim("a")
        now[0] += REST
        assert await guard.claim("a") == "thread_1"
        assert await guard.claim("a") == "thread_1"
    down, back = [record.getMessage() for record in caplog.records]
    assert "redis://host can't be used (ConnectionError)" in down
    assert "used again" in back
    assert "password" not in caplog.text


async def test_one_call_tries_a_failed_store_while_others_go_on(scripted: Scripted) -> None:
    now = [0.0]
    guard = Guard(scripted, name="x", timeout=5, clock=lambda: now[0])
    scripted.error = ConnectionError()
    with pytest.raises(StoreUnavailable):
        await guard.claim("a")
    now[0] += REST
    scripted.error, scripted.delay, scripted.calls = None, 0.05, 0
    claims = await asyncio.gather(*(guard.claim("a") for _ in range(5)), return_exceptions=True)
    assert scripted.calls == 1
    assert [c for c in claims if not isinstance(c, Exception)] == ["thread_1"]


async def test_a_slow_store_is_waited_for_within_its_limit(scripted: Scripted) -> None:
    guard = Guard(scripted, name="x", timeout=0.05)
    scripted.delay = 60
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(guard.claim("a"), 30)


async def test_a_caller_who_leaves_says_nothing_of_the_store(scripted: Scripted) -> None:
    guard = Guard(scripted, name="x", timeout=60)
    scripted.delay = 60
    task = asyncio.create_task(guard.claim("a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scripted.delay = 0
    assert await guard.claim("a") == "thread_1"


def test_a_redis_that_comes_up_later_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litellm_azure_agents.stores.base.REST", 0.01)
    port = free_port()
    guard = Guard(RedisStore(Clients(f"redis://127.0.0.1:{port}", 5), 60), name="redis", timeout=5)

    async def first() -> None:
        with pytest.raises(StoreUnavailable):
            await guard.claim("a")

    async def then() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                await guard.remember("a", "thread_1")
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        assert await guard.claim("a") == "thread_1"

    asyncio.run(first())
    with running_redis(port):
        asyncio.run(then())


# -- which store -------------------------------------------------------------------------------


def test_calls_share_a_store() -> None:
    forget_stores()
    first = resolve_store("memory", ttl=60, timeout=1)
    assert resolve_store("memory", ttl=60, timeout=1) is first
    assert resolve_store("memory", ttl=61, timeout=1) is not first


def test_a_url_that_can_not_be_used_is_refused() -> None:
    with pytest.raises(StoreError, match="URL of a Redis"):
        resolve_store("redis://host:port/0", ttl=60, timeout=1)


def test_without_a_redis_of_litellms_there_is_no_such_store() -> None:
    with pytest.raises(StoreError, match="cache_params"):
        resolve_store("litellm", ttl=60, timeout=1)
