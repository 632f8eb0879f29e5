"""The credentials of azure-identity, against a fake Entra ID."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.pipeline.transport import HttpTransport
from azure.identity import ClientSecretCredential

from litellm_azure_agents.auth.resolve import CredentialError
from tests.support.credentials import (
    ENV_TRIO,
    SECRET,
    TRIO,
    TRIO_SOURCE,
    Clock,
    Credential,
    resolve,
    token_of,
)


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
    assert token_of(resolve(**TRIO)) == "entra-1"
    assert asyncio.run(resolve(environ=ENV_TRIO).get()) == "entra-1"
    (grant,) = entra.grants
    assert grant["scope"] == "https://ai.azure.com/.default"
    assert (grant["client_id"], grant["client_secret"]) == ("c", SECRET)
    other = {**TRIO, "client_secret": "another"}
    assert token_of(resolve(**other)) == "entra-2"


def test_real_client_secret_credential_refused(entra: FakeEntra) -> None:
    entra.status = 401
    with pytest.raises(CredentialError) as caught:
        asyncio.run(resolve(**TRIO).get())
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
    assert token_of(resolve()) == "token-1"
    assert asyncio.run(resolve().get()) == "token-1"
    assert token_of(resolve(scope="other")) == "token-2"
    assert len(made) == 1


@pytest.mark.parametrize("options", [{}, TRIO])
def test_missing_azure_identity_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    source = resolve(**options)  # nothing is imported yet
    for error in (CredentialError, ImportError):
        with pytest.raises(error, match=r"pip install 'litellm-azure-agents\[identity\]'"):
            token_of(source)
