"""Credentials that count how they are asked, and a clock that stands still."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken

from litellm_azure_agents.auth import cache as token_cache
from litellm_azure_agents.auth.resolve import TokenSource, resolve_token_source

SECRET = "s3c~ret.Value"
ENV_TRIO = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": SECRET}
ENV_ALL = {"AZURE_AI_API_KEY": "env-key", "AZURE_AD_TOKEN": "env-ad", **ENV_TRIO}
TRIO = {"tenant_id": "t", "client_id": "c", "client_secret": SECRET}
TRIO_SOURCE = "tenant_id + client_id + client_secret (ClientSecretCredential)"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def resolve(**options: Any) -> TokenSource:
    options.setdefault("environ", {})
    return resolve_token_source(**options)


def token_of(source: TokenSource) -> str:
    """A token, in an event loop of its own."""
    return asyncio.run(source.get())


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
