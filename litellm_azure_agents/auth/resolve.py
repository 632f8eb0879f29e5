"""Which source a call's bearer token comes from.

`resolve_token_source` turns a call's credential options into a `TokenSource`. It is cheap and may
be called for every request: tokens are in a process-wide cache, by credential and scope. No log, no
repr and no error shows a token.
"""

from __future__ import annotations

import hashlib
import os
import threading
import types
from collections.abc import Callable, Mapping
from typing import Any

from ..core.errors import CredentialError
from .cache import keep, place
from .sources import (
    NO_TOKEN,
    Dynamic,
    TokenSource,
    fixed,
    from_credential,
    from_provider,
    is_coroutine_function,
)

__all__ = ["DEFAULT_SCOPE", "NO_TOKEN", "CredentialError", "TokenSource", "resolve_token_source"]

DEFAULT_SCOPE = "https://ai.azure.com/.default"


class _IdentityMissing(CredentialError, ImportError):
    """azure-identity is needed and not installed."""


class _Made:
    """An azure-identity credential that is created at its first use.

    The import is slow, so it happens in the thread that fetches the token.
    """

    def __init__(self, name: str, *args: str) -> None:
        self._name, self._args = name, args
        self._credential: Any = None
        self._lock = threading.Lock()

    def get_token(self, scope: str) -> Any:
        with self._lock:
            if self._credential is None:
                try:
                    import azure.identity as identity
                except ImportError:
                    raise _IdentityMissing(
                        self._name,
                        "azure-identity is not installed: "
                        "pip install 'litellm-azure-agents[identity]'",
                    ) from None
                self._credential = getattr(identity, self._name)(*self._args)
        return self._credential.get_token(scope)


def _provider_source(source: str, provider: Any) -> TokenSource:
    if not callable(provider):
        kind = type(provider).__name__
        raise CredentialError(source, f"must be a callable that returns a str, not {kind}")
    if isinstance(provider, types.MethodType):  # a new object at every access
        cell, anchor = place(provider.__self__, ("call", provider.__func__))
    else:
        cell, anchor = place(provider, "call")
    cell.is_async |= is_coroutine_function(provider)
    return Dynamic(source, provider, from_provider, cell, anchor)


def _credential_source(
    source: str, credential: Any, scope: str, secrets: tuple[str, ...] = ()
) -> TokenSource:
    get_token = getattr(credential, "get_token", None) or getattr(
        credential, "get_token_info", None
    )
    if isinstance(credential, type) or not callable(get_token):
        hint = "pass a key as api_key" if hasattr(credential, "key") else "not a class or a token"
        raise CredentialError(
            source, f"must be an object with get_token (an azure-core TokenCredential; {hint})"
        )
    cell, anchor = place(credential, ("credential", scope))
    cell.is_async |= is_coroutine_function(get_token)
    return Dynamic(source, lambda: get_token(scope), from_credential, cell, anchor, secrets)


def _given(value: Any) -> bool:
    return not (value is None or (isinstance(value, str) and not value.strip()))


def _ad_token_source(source: str, token: Any) -> TokenSource:
    if callable(token):
        return _provider_source(source, token)
    if isinstance(token, str) and token.startswith("oidc/"):
        raise CredentialError(
            source,
            "'oidc/' references are not supported: pass credential= (for example azure.identity's "
            "WorkloadIdentityCredential or ClientAssertionCredential) or azure_ad_token_provider=",
        )
    return fixed(source, token)


def _client_secret_source(parts: Mapping[str, Any], scope: str) -> TokenSource:
    source = "tenant_id + client_id + client_secret (ClientSecretCredential)"
    if missing := [
        f"{name} (or AZURE_{name.upper()})" for name in parts if not _given(parts[name])
    ]:
        raise CredentialError(source, f"missing: {', '.join(missing)}")
    if wrong := [name for name in parts if not isinstance(parts[name], str)]:
        raise CredentialError(source, f"must be a str: {', '.join(wrong)}")
    values = tuple(str(value) for value in parts.values())
    secret = values[2]
    key = ("secret", *values[:2], hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest())
    made = keep(key, lambda: _Made("ClientSecretCredential", *values))
    return _credential_source(source, made, scope, (secret,))


def resolve_token_source(
    *,
    api_key: str | None = None,
    azure_ad_token: str | Callable[[], Any] | None = None,
    azure_ad_token_provider: Callable[[], Any] | None = None,
    credential: Any = None,
    tenant_id: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    scope: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> TokenSource:
    """The source that these options name. Fetches nothing yet.

    The first one given wins: `api_key` or AZURE_AI_API_KEY (sent as a bearer token),
    `azure_ad_token` (a token or a callable), `azure_ad_token_provider` (sync or async callable),
    `credential` (sync or async TokenCredential), `tenant_id` + `client_id` + `client_secret` (what
    is missing of the three comes from AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET),
    AZURE_AD_TOKEN, the three AZURE_* variables alone, DefaultAzureCredential. Empty strings count
    as not given. (LiteLLM itself puts AZURE_AI_API_KEY in the place of a missing api_key.)

    `scope` is for credentials; a provider has its own. A provider's token is cached until the `exp`
    of the JWT; a token that is no JWT isn't cached. Raises CredentialError for options that can't
    work.
    """
    if not _given(scope):
        scope = DEFAULT_SCOPE
    if not isinstance(scope, str):
        raise CredentialError("scope", f"must be a str, not {type(scope).__name__}")
    trio = {"tenant_id": tenant_id, "client_id": client_id, "client_secret": client_secret}
    with_env = {
        name: value if _given(value) else environ.get(f"AZURE_{name.upper()}")
        for name, value in trio.items()
    }
    if _given(api_key):
        return fixed("api_key", api_key)
    if _given(environ.get("AZURE_AI_API_KEY")):
        return fixed("api_key (AZURE_AI_API_KEY)", environ["AZURE_AI_API_KEY"])
    if _given(azure_ad_token):
        return _ad_token_source("azure_ad_token", azure_ad_token)
    if _given(azure_ad_token_provider):
        return _provider_source("azure_ad_token_provider", azure_ad_token_provider)
    if _given(credential):
        return _credential_source(f"credential ({type(credential).__name__})", credential, scope)
    if any(_given(value) for value in trio.values()):
        return _client_secret_source(with_env, scope)
    if _given(environ.get("AZURE_AD_TOKEN")):
        return _ad_token_source("azure_ad_token (AZURE_AD_TOKEN)", environ["AZURE_AD_TOKEN"])
    if all(_given(value) for value in with_env.values()):
        return _client_secret_source(with_env, scope)
    made = keep("default", lambda: _Made("DefaultAzureCredential"))
    return _credential_source("DefaultAzureCredential", made, scope)
