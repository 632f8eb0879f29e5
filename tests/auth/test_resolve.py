"""Which source of a token wins, and what is refused at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo, AzureKeyCredential

from litellm_azure_agents.auth.resolve import CredentialError
from tests.support.credentials import (
    ENV_ALL,
    ENV_TRIO,
    SECRET,
    TRIO,
    TRIO_SOURCE,
    AsyncCredential,
    Clock,
    Credential,
    Lazy,
    resolve,
    token_of,
)


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
    assert token_of(resolve(**options)) == token
    assert asyncio.run(resolve(**options).get()) == token


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
        token_of(source)
    assert caught.value.source == source.source
    with pytest.raises(CredentialError, match="token"):
        asyncio.run(source.get())


def test_credential_that_answers_with_a_str_is_told() -> None:
    class Fake:
        def get_token(self, *_: str) -> str:
            return "raw"

    with pytest.raises(CredentialError, match="AccessToken, not str"):
        token_of(resolve(credential=Fake()))


def test_token_info_only_credential_and_refresh_on(clock: Clock) -> None:
    class Info:
        calls = 0

        def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
            self.calls += 1
            now = int(clock.now)
            return AccessTokenInfo(f"i{self.calls}", now + 86400, refresh_on=now + 43200)

    info = Info()
    assert token_of(resolve(credential=info)) == "i1"
    clock.now += 43199
    assert token_of(resolve(credential=info)) == "i1"
    clock.now += 2
    assert token_of(resolve(credential=info)) == "i2"
