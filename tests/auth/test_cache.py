"""How long a token is kept, and for whom."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from litellm_azure_agents.auth import cache as token_cache
from tests.support.credentials import (
    AsyncCredential,
    Clock,
    Credential,
    Lazy,
    jwt,
    resolve,
    token_of,
)


@pytest.mark.parametrize("cls", [Credential, AsyncCredential, Lazy])
def test_cached_per_credential_and_scope(cls: type[Credential]) -> None:
    one, two = cls(), cls()
    assert token_of(resolve(credential=one)) == "token-1"
    assert asyncio.run(resolve(credential=one).get()) == "token-1"
    assert one.calls == 1
    assert token_of(resolve(credential=one, scope="https://other/.default")) == "token-2"
    assert one.calls == 2
    token_of(resolve(credential=two))
    assert two.calls == 1


def test_scope_default_and_given() -> None:
    credential = Credential()
    token_of(resolve(credential=credential))
    token_of(resolve(credential=credential, scope="api://x/.default"))
    assert credential.scopes == ["https://ai.azure.com/.default", "api://x/.default"]


def test_equal_but_distinct_credentials_do_not_share() -> None:
    class Equal(Credential):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    one, two = Equal(), Equal()
    token_of(resolve(credential=one))
    token_of(resolve(credential=two))
    assert (one.calls, two.calls) == (1, 1)


@pytest.mark.parametrize(
    ("life", "fresh_until"), [(3600, 3300), (60, 54), (1000, 900), (86400, 86100)]
)
def test_early_refresh(clock: Clock, life: float, fresh_until: float) -> None:
    credential = Credential(life)
    assert token_of(resolve(credential=credential)) == "token-1"
    clock.now += fresh_until - 1
    assert token_of(resolve(credential=credential)) == "token-1"
    clock.now += 2
    assert token_of(resolve(credential=credential)) == "token-2"
    assert credential.calls == 2


@pytest.mark.parametrize("expires_on", [None, "soon", float("nan"), True])
def test_unknown_expiry_is_not_cached(expires_on: Any) -> None:
    class Fake:
        calls = 0

        def get_token(self, *_: str) -> Any:
            self.calls += 1
            return SimpleNamespace(token="t", expires_on=expires_on)

    fake = Fake()
    token_of(resolve(credential=fake))
    token_of(resolve(credential=fake))
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
        assert token_of(resolve(azure_ad_token_provider=provider)) == token
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
    first = token_of(resolve(azure_ad_token_provider=owner.token))
    assert token_of(resolve(azure_ad_token_provider=owner.token)) == first
    assert owner.calls == 1
    assert token_of(resolve(azure_ad_token_provider=owner.other)) != first
    token_of(resolve(azure_ad_token_provider=second.token))
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
        assert await source.get() == "async-token"
        assert loops == [asyncio.get_running_loop()], "must run in the caller's loop"

    asyncio.run(main())
    assert token_of(resolve(azure_ad_token_provider=given)) == "async-token"


def test_credentials_are_not_kept_alive() -> None:
    gone = []

    class Watched(Credential):
        def __del__(self) -> None:
            gone.append(1)

    gc.collect()
    before = len(token_cache._weak)
    credential = Watched()
    token_of(resolve(credential=credential))
    asyncio.run(resolve(credential=credential).get())
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
    token_of(resolve(credential=slotted))
    token_of(resolve(credential=slotted))
    assert slotted.calls == 1
    for _ in range(3 * token_cache.MAX_KEPT):
        token_of(resolve(credential=Slotted()))
    gc.collect()
    assert len(token_cache._kept) <= token_cache.MAX_KEPT
    assert len(token_cache._weak) < 2 * token_cache.MAX_KEPT


def test_invalidate() -> None:
    assert resolve(api_key="k").invalidate() is False
    assert resolve(azure_ad_token="k").invalidate() is False
    credential = Credential()
    first, second = resolve(credential=credential), resolve(credential=credential)
    assert token_of(first) == token_of(second) == "token-1"
    assert first.invalidate() is True
    assert token_of(first) == "token-2"
    assert second.invalidate() is True  # its 401 was about token-1: token-2 stays
    assert token_of(second) == "token-2"
    assert second.invalidate("token-2") is True
    assert token_of(second) == "token-3"
