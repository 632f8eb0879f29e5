"""Tokens: which source wins, what is refused, and one fetch for everybody."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo, AzureKeyCredential
from azure.core.pipeline.transport import HttpTransport
from azure.identity import ClientSecretCredential

from litellm_azure_agents.auth import cache as token_cache
from litellm_azure_agents.auth import sources as tokens
from litellm_azure_agents.auth.resolve import CredentialError, TokenSource, resolve_token_source
from litellm_azure_agents.core import single_flight

SECRET = "s3c~ret.Value"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(token_cache, "clock", clock)
    token_cache._kept.clear()
    return clock


def resolve(**options: Any) -> TokenSource:
    options.setdefault("environ", {})
    return resolve_token_source(**options)


def jwt(exp: Any, **claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part({'exp': exp, **claims})}.c2lnbmF0dXJl"


class Credential:
    """A sync credential that counts; `hold` makes it slow, `fail` makes it fail."""

    def __init__(self, life: float = 3600) -> None:
        self.life = life
        self.calls = 0
        self.scopes: list[str] = []
        self.threads: list[threading.Thread] = []
        self.fail: Exception | None = None
        self.hold: threading.Event | None = None
        self.entered = threading.Event()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.calls += 1
        number = self.calls
        self.scopes.extend(scopes)
        self.threads.append(threading.current_thread())
        self.entered.set()
        if self.hold is not None:
            assert self.hold.wait(10)
        if self.fail is not None:
            raise self.fail
        return AccessToken(f"token-{number}", int(token_cache.clock() + self.life))


class AsyncCredential(Credential):
    """An async one; `gate` is an asyncio.Event of the test's loop."""

    gate: asyncio.Event | None = None

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:  # type: ignore[override]
        self.calls += 1
        number = self.calls
        self.entered.set()
        if self.gate is not None and number == 1:
            await self.gate.wait()
        else:
            await asyncio.sleep(0.02)
        if self.fail is not None:
            raise self.fail
        return AccessToken(f"token-{number}", int(token_cache.clock() + self.life))


class Lazy(AsyncCredential):
    """Its get_token is a plain function that returns an awaitable."""

    def get_token(self, *scopes: str, **kw: Any) -> Any:  # type: ignore[override]
        return super().get_token(*scopes, **kw)


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "never happened"
        await asyncio.sleep(0.002)


def wait_until(condition: Callable[[], object]) -> None:
    asyncio.run(until(condition))


# ---------------------------------------------------------------- which source

ENV_TRIO = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": SECRET}
ENV_ALL = {"AZURE_AI_API_KEY": "env-key", "AZURE_AD_TOKEN": "env-ad", **ENV_TRIO}
TRIO = {"tenant_id": "t", "client_id": "c", "client_secret": SECRET}
TRIO_SOURCE = "tenant_id + client_id + client_secret (ClientSecretCredential)"


def provide() -> str:
    return "provided"


NO_KEY = {**ENV_ALL, "AZURE_AI_API_KEY": ""}


@pytest.mark.parametrize(
    ("options", "environ", "source"),
    [
        ({"api_key": "k", "azure_ad_token": "a", **TRIO}, ENV_ALL, "api_key"),
        ({"credential": Credential(), **TRIO}, ENV_ALL, "api_key (AZURE_AI_API_KEY)"),
        ({"api_key": "", "tenant_id": " "}, ENV_ALL, "api_key (AZURE_AI_API_KEY)"),
        ({"azure_ad_token": "a", "azure_ad_token_provider": provide}, NO_KEY, "azure_ad_token"),
        ({"azure_ad_token": provide, "credential": Credential()}, NO_KEY, "azure_ad_token"),
        (
            {"azure_ad_token_provider": provide, "credential": Credential(), **TRIO},
            NO_KEY,
            "azure_ad_token_provider",
        ),
        ({"credential": Credential(), **TRIO}, NO_KEY, "credential (Credential)"),
        (TRIO, NO_KEY, TRIO_SOURCE),
        ({"client_id": "c"}, NO_KEY, TRIO_SOURCE),
        ({}, NO_KEY, "azure_ad_token (AZURE_AD_TOKEN)"),
        ({}, ENV_TRIO, TRIO_SOURCE),
        ({}, {"AZURE_CLIENT_ID": "managed"}, "DefaultAzureCredential"),
        ({}, {}, "DefaultAzureCredential"),
    ],
)
def test_order_of_sources(options: dict[str, Any], environ: dict[str, str], source: str) -> None:
    assert resolve(**options, environ=environ).source == source


@pytest.mark.parametrize(
    ("options", "token"),
    [
        ({"api_key": "the-key"}, "the-key"),
        ({"azure_ad_token": "the.ad.token"}, "the.ad.token"),
        ({"azure_ad_token": provide}, "provided"),
        ({"azure_ad_token_provider": provide}, "provided"),
        ({"credential": Credential()}, "token-1"),
        ({"credential": AsyncCredential()}, "token-1"),
        ({"credential": Lazy()}, "token-1"),
        ({"environ": {"AZURE_AI_API_KEY": "env"}}, "env"),
    ],
)
def test_token_reaches_sync_and_async_callers(options: dict[str, Any], token: str) -> None:
    assert resolve(**options).get() == token
    assert asyncio.run(resolve(**options).aget()) == token


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"azure_ad_token": "oidc/github/x"}, ["azure_ad_token", "oidc/", "credential="]),
        ({"environ": {"AZURE_AD_TOKEN": "oidc/x"}}, ["AZURE_AD_TOKEN", "oidc/"]),
        ({"azure_ad_token": 7}, ["azure_ad_token", "str", "int"]),
        ({"api_key": b"k"}, ["api_key", "bytes"]),
        ({"api_key": "k\n"}, ["api_key", "newline"]),
        ({"api_key": "k\r\nX: y"}, ["newline"]),
        ({"api_key": "k\x00"}, ["control"]),
        ({"api_key": "ключ"}, ["non-ASCII"]),
        ({"azure_ad_token": "é"}, ["non-ASCII"]),
        ({"azure_ad_token_provider": "token"}, ["azure_ad_token_provider", "callable"]),
        ({"credential": "token"}, ["credential (str)", "get_token"]),
        ({"credential": Credential}, ["credential (type)", "class"]),
        ({"credential": AzureKeyCredential("key")}, ["AzureKeyCredential", "api_key"]),
        ({"scope": 3}, ["scope", "int"]),
        ({"tenant_id": "t"}, ["client_id (or AZURE_CLIENT_ID)", "client_secret (or AZURE_"]),
        ({"tenant_id": "t", "client_secret": 3, "client_id": "c"}, ["client_secret", "str"]),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(CredentialError) as caught:
        resolve(**options)
    for word in words:
        assert word in str(caught.value)


def test_partial_names_only_what_is_missing() -> None:
    with pytest.raises(CredentialError) as caught:
        resolve(tenant_id="t", environ={"AZURE_CLIENT_SECRET": SECRET})
    assert "missing: client_id (or AZURE_CLIENT_ID)" in str(caught.value)
    assert "client_secret (or" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", None, 5, "a b", "a\nb", "☃"])
@pytest.mark.parametrize("kind", ["provider", "credential"])
def test_wrong_answers_are_refused(kind: str, wrong: Any) -> None:
    if kind == "provider":
        source = resolve(azure_ad_token_provider=lambda: wrong)
    else:
        answer = SimpleNamespace(token=wrong, expires_on=9e9)

        class Fake:
            def get_token(self, *_: str) -> Any:
                return answer

        source = resolve(credential=Fake())
    with pytest.raises(CredentialError, match="token") as caught:
        source.get()
    assert caught.value.source == source.source
    with pytest.raises(CredentialError, match="token"):
        asyncio.run(source.aget())


def test_credential_that_answers_with_a_str_is_told() -> None:
    class Fake:
        def get_token(self, *_: str) -> str:
            return "raw"

    with pytest.raises(CredentialError, match="AccessToken, not str"):
        resolve(credential=Fake()).get()


def test_token_info_only_credential_and_refresh_on(clock: Clock) -> None:
    class Info:
        calls = 0

        def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
            self.calls += 1
            now = int(clock.now)
            return AccessTokenInfo(f"i{self.calls}", now + 86400, refresh_on=now + 43200)

    info = Info()
    assert resolve(credential=info).get() == "i1"
    clock.now += 43199
    assert resolve(credential=info).get() == "i1"
    clock.now += 2
    assert resolve(credential=info).get() == "i2"


# ---------------------------------------------------------------- cache


@pytest.mark.parametrize("cls", [Credential, AsyncCredential, Lazy])
def test_cached_per_credential_and_scope(cls: type[Credential]) -> None:
    one, two = cls(), cls()
    assert resolve(credential=one).get() == "token-1"
    assert asyncio.run(resolve(credential=one).aget()) == "token-1"
    assert one.calls == 1
    assert resolve(credential=one, scope="https://other/.default").get() == "token-2"
    assert one.calls == 2
    resolve(credential=two).get()
    assert two.calls == 1


def test_scope_default_and_given() -> None:
    credential = Credential()
    resolve(credential=credential).get()
    resolve(credential=credential, scope="api://x/.default").get()
    assert credential.scopes == ["https://ai.azure.com/.default", "api://x/.default"]


def test_equal_but_distinct_credentials_do_not_share() -> None:
    class Equal(Credential):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    one, two = Equal(), Equal()
    resolve(credential=one).get()
    resolve(credential=two).get()
    assert (one.calls, two.calls) == (1, 1)


@pytest.mark.parametrize(
    ("life", "fresh_until"), [(3600, 3300), (60, 54), (1000, 900), (86400, 86100)]
)
def test_early_refresh(clock: Clock, life: float, fresh_until: float) -> None:
    credential = Credential(life)
    assert resolve(credential=credential).get() == "token-1"
    clock.now += fresh_until - 1
    assert resolve(credential=credential).get() == "token-1"
    clock.now += 2
    assert resolve(credential=credential).get() == "token-2"
    assert credential.calls == 2


@pytest.mark.parametrize("expires_on", [None, "soon", float("nan"), True])
def test_unknown_expiry_is_not_cached(expires_on: Any) -> None:
    class Fake:
        calls = 0

        def get_token(self, *_: str) -> Any:
            self.calls += 1
            return SimpleNamespace(token="t", expires_on=expires_on)

    fake = Fake()
    resolve(credential=fake).get()
    resolve(credential=fake).get()
    assert fake.calls == 2


@pytest.mark.parametrize(
    ("token", "calls"),
    [
        (jwt(1_000_000 + 3600), 1),
        (jwt(1_000_000 - 5), 2),
        (jwt("later"), 2),
        (jwt(None), 2),
        ("opaque", 2),
        ("a.b.c", 2),
        ("eyJ.W10.x", 2),  # the payload is a list
    ],
)
def test_provider_is_cached_by_the_jwt_alone(token: str, calls: int) -> None:
    seen = []

    def provider() -> str:
        seen.append(1)
        return token

    for _ in range(2):
        assert resolve(azure_ad_token_provider=provider).get() == token
    assert len(seen) == calls


def test_bound_method_provider_finds_its_cache_again() -> None:
    class Owner:
        calls = 0

        def token(self) -> str:
            self.calls += 1
            return jwt(1_000_000 + 3600, n=self.calls)

        def other(self) -> str:
            return jwt(1_000_000 + 3600, other=1)

    owner, second = Owner(), Owner()
    first = resolve(azure_ad_token_provider=owner.token).get()
    assert resolve(azure_ad_token_provider=owner.token).get() == first
    assert owner.calls == 1
    assert resolve(azure_ad_token_provider=owner.other).get() != first
    resolve(azure_ad_token_provider=second.token).get()
    assert second.calls == 1


@pytest.mark.parametrize("form", ["function", "object", "lambda"])
def test_async_provider(form: str) -> None:
    loops = []

    async def provider() -> str:
        loops.append(asyncio.get_running_loop())
        return "async-token"

    class Callable_:
        async def __call__(self) -> str:
            return await provider()

    given = {"function": provider, "object": Callable_(), "lambda": lambda: provider()}[form]
    source = resolve(azure_ad_token_provider=given)

    async def main() -> None:
        assert await source.aget() == "async-token"
        assert loops == [asyncio.get_running_loop()], "must run in the caller's loop"

    asyncio.run(main())
    assert resolve(azure_ad_token_provider=given).get() == "async-token"


def test_credentials_are_not_kept_alive() -> None:
    gone = []

    class Watched(Credential):
        def __del__(self) -> None:
            gone.append(1)

    gc.collect()
    before = len(token_cache._weak)
    credential = Watched()
    resolve(credential=credential).get()
    asyncio.run(resolve(credential=credential).aget())
    assert len(token_cache._weak) == before + 1
    credential.threads.clear()
    del credential
    gc.collect()
    assert gone == [1]
    assert len(token_cache._weak) == before


def test_objects_without_weak_references_are_cached_and_bounded() -> None:
    class Slotted:
        __slots__ = ("calls",)

        def __init__(self) -> None:
            self.calls = 0

        def get_token(self, *_: str) -> AccessToken:
            self.calls += 1
            return AccessToken("t", int(token_cache.clock() + 3600))

    slotted = Slotted()
    resolve(credential=slotted).get()
    resolve(credential=slotted).get()
    assert slotted.calls == 1
    for _ in range(3 * token_cache.MAX_KEPT):
        resolve(credential=Slotted()).get()
    gc.collect()
    assert len(token_cache._kept) <= token_cache.MAX_KEPT
    assert len(token_cache._weak) < 2 * token_cache.MAX_KEPT


def test_invalidate() -> None:
    assert resolve(api_key="k").invalidate() is False
    assert resolve(azure_ad_token="k").invalidate() is False
    credential = Credential()
    first, second = resolve(credential=credential), resolve(credential=credential)
    assert first.get() == second.get() == "token-1"
    assert first.invalidate() is True
    assert first.get() == "token-2"
    assert second.invalidate() is True  # its 401 was about token-1: token-2 stays
    assert second.get() == "token-2"
    assert second.invalidate("token-2") is True
    assert second.get() == "token-3"


# ---------------------------------------------------------------- one flight


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
    tokens = in_threads(50, lambda: resolve(credential=credential).get())
    assert tokens == ["token-1"] * 50
    assert credential.calls == 1


@pytest.mark.parametrize("cls", [Credential, AsyncCredential])
async def test_two_hundred_tasks_one_fetch(cls: type[Credential]) -> None:
    credential = cls()
    if cls is Credential:
        credential.hold = threading.Event()
        asyncio.get_running_loop().call_later(0.05, credential.hold.set)
    sources = [resolve(credential=credential) for _ in range(200)]
    tokens = await asyncio.gather(*(source.aget() for source in sources))
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
        tokens = await asyncio.gather(*(source.aget() for _ in range(10)))
        assert len(set(tokens)) == 1
        return tokens[0]

    turn = iter(range(20))
    tokens = in_threads(
        20,
        lambda: asyncio.run(tasks()) if next(turn) % 2 else resolve(credential=credential).get(),
    )
    assert tokens == ["token-1"] * 20
    assert credential.calls == 1


@pytest.mark.parametrize("cls", [Credential, AsyncCredential, Lazy])
def test_two_runs_in_a_row(cls: type[Credential], clock: Clock) -> None:
    credential = cls()
    for number in (1, 2, 3):
        assert asyncio.run(resolve(credential=credential).aget()) == f"token-{number}"
        clock.now += 4000
    assert credential.calls == 3


async def test_sync_credential_never_blocks_the_loop() -> None:
    credential = Credential()
    credential.hold = threading.Event()
    task = asyncio.create_task(resolve(credential=credential).aget())
    await until(credential.entered.is_set)  # would hang here if it ran in this thread
    assert credential.threads[0] is not threading.current_thread()
    credential.hold.set()
    assert await task == "token-1"


def test_others_use_the_old_token_while_one_refreshes(clock: Clock) -> None:
    credential = Credential()
    resolve(credential=credential).get()
    clock.now += 3400  # early refresh is due, the token still valid
    credential.hold = threading.Event()
    credential.entered.clear()
    with ThreadPoolExecutor(1) as pool:
        refresher = pool.submit(resolve(credential=credential).get)
        assert credential.entered.wait(5)
        assert in_threads(10, resolve(credential=credential).get) == ["token-1"] * 10
        assert asyncio.run(resolve(credential=credential).aget()) == "token-1"
        credential.hold.set()
        assert refresher.result(5) == "token-2"
    assert resolve(credential=credential).get() == "token-2"
    assert credential.calls == 2


def test_failed_early_refresh_keeps_the_valid_token(clock: Clock) -> None:
    credential = Credential()
    resolve(credential=credential).get()
    credential.fail = RuntimeError("down")
    clock.now += 3400
    assert resolve(credential=credential).get() == "token-1"
    assert resolve(credential=credential).get() == "token-1"
    assert credential.calls == 2, "must not ask at every call while it fails"
    clock.now += 31
    assert resolve(credential=credential).get() == "token-1"
    assert credential.calls == 3
    clock.now += 200  # now it has expired
    with pytest.raises(CredentialError, match="down"):
        resolve(credential=credential).get()
    credential.fail = None
    assert resolve(credential=credential).get() == "token-5"


def test_all_who_waited_get_the_error_and_the_next_tries_anew() -> None:
    credential = Credential()
    credential.fail = ValueError("boom")
    credential.hold = threading.Event()
    sources = [resolve(credential=credential) for _ in range(20)]

    def ask(source: TokenSource) -> CredentialError:
        with pytest.raises(CredentialError) as caught:
            source.get()
        return caught.value

    async def aask(source: TokenSource) -> CredentialError:
        with pytest.raises(CredentialError) as caught:
            await source.aget()
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
    assert resolve(credential=credential).get() == "token-2"


@pytest.mark.parametrize("cls", [Credential, AsyncCredential])
async def test_cancelling_the_first_caller_leaves_the_others_alone(cls: type[Credential]) -> None:
    credential = cls()
    credential.hold = threading.Event()
    gate = asyncio.Event()
    if isinstance(credential, AsyncCredential):
        credential.gate = gate
    first = asyncio.create_task(resolve(credential=credential).aget())
    await until(credential.entered.is_set)
    others = [asyncio.create_task(resolve(credential=credential).aget()) for _ in range(5)]
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
    tasks = [asyncio.create_task(resolve(credential=credential).aget()) for _ in range(5)]
    await until(credential.entered.is_set)
    (fetch,) = asyncio.all_tasks() - {*tasks, asyncio.current_task()}
    fetch.cancel()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == ["token-2"] * 5
    assert credential.calls == 2


async def test_a_fetch_killed_before_its_first_step() -> None:
    credential = AsyncCredential()
    task = asyncio.create_task(resolve(credential=credential).aget())
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
        task = asyncio.create_task(resolve(credential=credential).aget())
        await until(credential.entered.is_set)
        return task

    task = loop.run_until_complete(abandon())
    if how == "closed":
        for each in asyncio.all_tasks(loop):
            each.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()
    began = time.monotonic()
    assert asyncio.run(resolve(credential=credential).aget()) == "token-2"
    assert resolve(credential=credential).get() == "token-2"
    assert time.monotonic() - began < 1
    if how == "stopped":
        for each in asyncio.all_tasks(loop):
            each.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


async def test_sync_call_inside_the_loop_that_is_fetching() -> None:
    credential = AsyncCredential()
    credential.gate = asyncio.Event()
    task = asyncio.create_task(resolve(credential=credential).aget())
    await until(credential.entered.is_set)
    began = time.monotonic()
    assert resolve(credential=credential).get() == "token-2"  # waiting would be for ever
    assert time.monotonic() - began < 1
    credential.gate.set()
    assert await task == "token-1"


def test_another_loop_that_is_blocked_is_waited_for_with_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(single_flight, "PATIENCE", 0.05)
    credential = AsyncCredential()

    async def main() -> None:
        credential.gate = asyncio.Event()
        task = asyncio.create_task(resolve(credential=credential).aget())
        await until(credential.entered.is_set)
        with ThreadPoolExecutor(1) as pool:  # this loop stands still until the thread is done
            assert pool.submit(resolve(credential=credential).get).result(5) == "token-2"
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


@pytest.mark.parametrize("sync", [True, False])
def test_a_credential_that_cancels_itself_is_an_error(sync: bool) -> None:
    async def provider() -> str:
        raise asyncio.CancelledError

    source = resolve(azure_ad_token_provider=provider)
    with pytest.raises(CredentialError):
        source.get() if sync else asyncio.run(asyncio.wait_for(source.aget(), 5))


def test_interrupted_sync_fetch_frees_the_waiters() -> None:
    class Interrupted(Credential):
        def get_token(self, *scopes: str, **kw: Any) -> AccessToken:
            token = super().get_token(*scopes, **kw)
            if self.calls == 1:
                raise KeyboardInterrupt
            return token

    credential = Interrupted()
    credential.hold = threading.Event()
    seen: list[BaseException] = []

    def leader() -> None:
        try:
            resolve(credential=credential).get()
        except KeyboardInterrupt as exc:
            seen.append(exc)

    thread = threading.Thread(target=leader)
    thread.start()
    assert credential.entered.wait(5)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(resolve(credential=credential).get)
        time.sleep(0.02)
        credential.hold.set()
        assert waiter.result(5) == "token-2"
    thread.join(5)
    assert len(seen) == 1


def test_no_noise_when_a_loop_ends_during_a_fetch(caplog: pytest.LogCaptureFixture) -> None:
    credential = Credential()
    credential.hold = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(resolve(credential=credential).aget())
        await until(credential.entered.is_set)
        task.cancel()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
        credential.hold.set()
        wait_until(lambda: not credential.threads[0].is_alive())
        gc.collect()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert resolve(credential=credential).get() == "token-1", "the late token is kept"
    assert credential.calls == 1


# ---------------------------------------------------------------- nothing leaks

LEAKY = jwt(2_000_000, sub="me")


@pytest.mark.parametrize(
    ("text", "hidden", "kept"),
    [
        (f"bad token {LEAKY} here", LEAKY, "bad token"),
        (f"Authorization: Bearer {'q' * 12}", "q" * 12, "Authorization"),
        ("client_secret=hunter2&x=1", "hunter2", "client_secret="),
        ("{'access_token': 'hunter2'}", "hunter2", "access_token"),
        ('"password": "hunter2"', "hunter2", "password"),
        ("secret abc8Q~0123456789abcdefghijklmnopqrstuv.xy", "abc8Q~0123456789", "secret"),
        (f"got {'0f' * 32}", "0f" * 32, "got"),
        ("first\nsecond hunter2", "hunter2", "first"),
        (
            "AADSTS7000215: Trace ID: 11111111-2222-3333-4444-555555555555",
            "zzz",
            "AADSTS7000215: Trace ID: 11111111-2222-3333-4444-555555555555",
        ),
        ("x" * 5000, "x" * 1000, "xxx"),
    ],
)
def test_errors_are_scrubbed(text: str, hidden: str, kept: str) -> None:
    credential = Credential()
    credential.fail = PermissionError(text)
    with pytest.raises(CredentialError) as caught:
        resolve(credential=credential).get()
    shown = str(caught.value)
    assert shown.startswith("no Azure token from credential (Credential): PermissionError: ")
    assert kept in shown
    printed = "".join(traceback.format_exception(caught.value))
    for place in (shown, repr(caught.value), printed):
        assert hidden not in place
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_huge_error_is_scrubbed_quickly() -> None:
    began = time.monotonic()
    assert len(tokens.scrub_strictly("x" * 1_000_000)) <= 300
    assert time.monotonic() - began < 1


def test_error_whose_text_cannot_be_read() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    credential = Credential()
    credential.fail = Mute()
    with pytest.raises(CredentialError, match="Mute"):
        resolve(credential=credential).get()


def test_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(CredentialError("here", "why")))
    assert (error.source, error.reason, str(error)) == (
        "here",
        "why",
        "no Azure token from here: why",
    )


def test_repr_and_logs_hide_the_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        sources = [
            resolve(api_key="hidden-key"),
            resolve(azure_ad_token="hidden-key"),
            resolve(azure_ad_token_provider=lambda: "hidden-key"),
            resolve(tenant_id="t", client_id="c", client_secret="hidden-key"),
        ]
        for source in sources[:3]:
            assert source.get() == "hidden-key"
    assert "api_key" in repr(sources[0])
    assert "hidden-key" not in repr(sources) + caplog.text + repr(token_cache._kept) + repr(
        token_cache._weak
    )


# ---------------------------------------------------------------- azure-identity


class FakeEntra(HttpTransport[Any, Any]):
    """Answers as login.microsoftonline.com does, and counts."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.grants: list[dict[str, str]] = []

    def __enter__(self) -> FakeEntra:
        return self

    def __exit__(self, *_: object) -> None: ...
    def open(self) -> None: ...
    def close(self) -> None: ...

    def send(self, request: Any, **_: Any) -> Any:
        root = "https://login.microsoftonline.com/t"
        if request.method == "GET":
            return self.answer(
                request,
                200,
                {
                    "issuer": f"{root}/v2.0",
                    "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{root}/oauth2/v2.0/token",
                },
            )
        self.grants.append(dict(request.data))
        if self.status != 200:
            said = f"AADSTS7000215: Invalid client secret {SECRET} provided."
            body: dict[str, Any] = {"error": "invalid_client", "error_description": said}
        else:
            token = f"entra-{len(self.grants)}"
            body = {"token_type": "Bearer", "expires_in": 3600, "access_token": token}
        return self.answer(request, self.status, body)

    def answer(self, request: Any, status: int, body: dict[str, Any]) -> Any:
        text = json.dumps(body)
        headers = {"Content-Type": "application/json"}
        return SimpleNamespace(
            http_request=request,
            request=request,
            status_code=status,
            headers=headers,
            content_type="application/json",
            text=lambda encoding=None: text,
            body=lambda: text.encode(),
            context={},
        )


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> FakeEntra:
    clock.now = time.time()  # azure-identity has its own clock
    fake = FakeEntra()

    def build(*args: str) -> ClientSecretCredential:
        return ClientSecretCredential(*args, transport=fake, disable_instance_discovery=True)

    monkeypatch.setattr("azure.identity.ClientSecretCredential", build)
    return fake


def test_real_client_secret_credential(entra: FakeEntra) -> None:
    assert resolve(**TRIO).get() == "entra-1"
    assert asyncio.run(resolve(environ=ENV_TRIO).aget()) == "entra-1"
    (grant,) = entra.grants
    assert grant["scope"] == "https://ai.azure.com/.default"
    assert (grant["client_id"], grant["client_secret"]) == ("c", SECRET)
    other = {**TRIO, "client_secret": "another"}
    assert resolve(**other).get() == "entra-2"


def test_real_client_secret_credential_refused(entra: FakeEntra) -> None:
    entra.status = 401
    with pytest.raises(CredentialError) as caught:
        asyncio.run(resolve(**TRIO).aget())
    assert caught.value.source == TRIO_SOURCE
    assert "ClientAuthenticationError" in str(caught.value)
    assert "AADSTS7000215" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_default_credential_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Credential] = []

    def build() -> Credential:
        made.append(Credential())
        return made[-1]

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", build)
    assert resolve().get() == "token-1"
    assert asyncio.run(resolve().aget()) == "token-1"
    assert resolve(scope="other").get() == "token-2"
    assert len(made) == 1


@pytest.mark.parametrize("options", [{}, TRIO])
def test_missing_azure_identity_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    source = resolve(**options)  # nothing is imported yet
    for error in (CredentialError, ImportError):
        with pytest.raises(error, match=r"pip install 'litellm-azure-agents\[identity\]'"):
            source.get()
