"""Bearer tokens for a Foundry project: which source, cached, refreshed early, fetched once.

`resolve_token_source` turns a call's credential options into a `TokenSource`. It is cheap and may
be called for every request: tokens live in a process-wide cache, per credential and scope. No
token is ever logged, nor shown in a repr or an error.

One fetch serves everybody (`token_cache.py`). Sync credentials fly in a thread, so a cancelled task
or a closed loop doesn't touch them. Async ones fly in a task of the loop that needed the token,
not in the caller's own task.
"""

from __future__ import annotations

import abc
import asyncio
import base64
import contextvars
import copy
import hashlib
import inspect
import json
import math
import os
import re
import threading
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent import futures
from typing import Any

from .token_cache import Cell, CredentialError, Fetched, Flight, running_loop

__all__ = ["DEFAULT_SCOPE", "CredentialError", "TokenSource", "resolve_token_source"]

DEFAULT_SCOPE = "https://ai.azure.com/.default"

_MAX_LEADS = 3  # a caller whose own fetches are abandoned so often gets an error
_MAX_KEPT = 128  # credentials held strongly: those made here, those without weak references

_GUID = r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
_SECRETS = re.compile(
    rf"(?P<keep>(?<![\w~+=-]){_GUID}(?![\w~+=-]))"  # tenants and trace ids are worth reading
    r"|\beyJ[\w-]+(?:\.[\w-]*)*"
    r"|(?P<name>\bbearer\s+|\b[\w-]*(?:secret|token|assertion|password|key|sig)\b"
    r"[\"']?\s*[=:]\s*)[\"']?[^\s,\"'&;]+"
    r"|(?=[A-Za-z_~+=-]*\d)[\w~+=-]{32,}[\w~+=.-]*",
    re.IGNORECASE,
)


def _scrub(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The first line of `text`, short, without `secrets` and what looks like one."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    for secret in secrets:
        line = line.replace(secret, "***")
    # cut first: the pattern is quadratic in a long word, and a line may be a whole HTML page
    return _SECRETS.sub(lambda m: m["keep"] or f"{m['name'] or ''}***", line[:1000])[:300]


class _IdentityMissing(CredentialError, ImportError):
    """azure-identity is needed and not installed."""


class TokenSource(abc.ABC):
    """Where bearer tokens come from. `source` names it for people, without secrets."""

    source: str

    @abc.abstractmethod
    def get(self) -> str:
        """A valid token; may block. Raises CredentialError."""

    @abc.abstractmethod
    async def aget(self) -> str:
        """A valid token, never blocking the event loop. Raises CredentialError."""

    @abc.abstractmethod
    def invalidate(self, rejected: str | None = None) -> bool:
        """Forget the token that a 401 `rejected` (default: the last one that this object gave).

        A newer token that another call has fetched meanwhile is kept. True if asking again can
        give another token, False for a fixed one.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.source}>"


class _Static(TokenSource):
    def __init__(self, source: str, token: Any) -> None:
        self.source = source
        self._token = _checked(source, token)

    def get(self) -> str:
        return self._token

    async def aget(self) -> str:
        return self._token

    def invalidate(self, rejected: str | None = None) -> bool:
        return False


class _Nothing(TokenSource):
    """For a server that asks for no token: none is sent."""

    source = "no credential"

    def get(self) -> str:
        return ""

    async def aget(self) -> str:
        return ""

    def invalidate(self, rejected: str | None = None) -> bool:
        return False


NO_TOKEN: TokenSource = _Nothing()


class _Dynamic(TokenSource):
    """Tokens from a call: a provider, or a credential's get_token.

    `call` gives the raw answer or an awaitable of it, `parse` reads it; `anchor` is kept alive
    with us; `secrets` are scrubbed from errors. A sync call serves async callers from a worker
    thread. An async call serves sync callers through asyncio.run, in a worker thread if a loop
    runs in this one: prefer a sync credential there, for many async ones can't change loops.
    """

    def __init__(
        self,
        source: str,
        call: Callable[[], Any],
        parse: Callable[[str, Any], Fetched],
        place: tuple[Cell, object],
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self._call, self._parse, self._secrets = call, parse, secrets
        self._cell, self._anchor = place
        self._last: str | None = None

    def get(self) -> str:
        given_up: Flight | None = None
        leads = 0
        while leads < _MAX_LEADS:
            found, lead = self._cell.enter(None, given_up)
            if not isinstance(found, Flight):
                return self._settle(found)
            if lead:
                leads += 1
                self._lead(found)
            try:
                outcome = found.future.result(found.patience(in_task=False))
            except futures.TimeoutError:
                given_up = found
                continue
            if outcome is not None:
                return self._settle(outcome)
        return self._settle(None)

    async def aget(self) -> str:
        given_up: Flight | None = None
        leads = 0
        while leads < _MAX_LEADS:
            loop = asyncio.get_running_loop() if self._cell.is_async else None
            found, lead = self._cell.enter(loop, given_up)
            if not isinstance(found, Flight):
                return self._settle(found)
            if lead:
                leads += 1
                self._launch(found)
            waiter = asyncio.wrap_future(found.future)
            try:
                await asyncio.wait({waiter}, timeout=found.patience(in_task=True))
            finally:
                waiter.cancel()  # if not done: else a late result would look for a closed loop
            if waiter.cancelled():
                given_up = found
            elif (outcome := waiter.result()) is not None:
                return self._settle(outcome)
        return self._settle(None)

    def invalidate(self, rejected: str | None = None) -> bool:
        self._cell.forget(rejected or self._last)
        return True

    def _settle(self, outcome: str | CredentialError | None) -> str:
        if outcome is None:
            raise CredentialError(self.source, "the request for a token was cancelled repeatedly")
        if isinstance(outcome, CredentialError):
            raise copy.copy(outcome)  # each caller his own traceback
        self._last = outcome
        return outcome

    def _launch(self, flight: Flight) -> None:
        """Start a flight for an async caller, independent of the caller's own task."""
        try:
            if flight.loop is None:
                context = contextvars.copy_context()
                threading.Thread(
                    target=context.run, args=(self._lead, flight, False), daemon=True
                ).start()
            else:
                flight.task = flight.loop.create_task(self._alead(flight))
                # a task cancelled before its first step never enters _alead
                flight.task.add_done_callback(lambda _: self._cell.land(flight, None))
        except BaseException as exc:
            self._cell.land(flight, self._failure(exc))

    def _lead(self, flight: Flight, own_loop: bool = True) -> None:
        """Fetch in this thread. Without `own_loop` an unforeseen awaitable is not run here but
        the flight abandoned, so that the caller's loop runs it at the next attempt."""
        got: Fetched | CredentialError | None = None
        try:
            result = _run(self._call) if own_loop and self._cell.is_async else self._call()
            if inspect.isawaitable(result):
                self._cell.is_async = True
                if own_loop:
                    got = self._parse(self.source, _run(lambda: result))
                elif inspect.iscoroutine(result):
                    result.close()
            else:
                got = self._parse(self.source, result)
        except (Exception, asyncio.CancelledError) as exc:
            got = self._failure(exc)
        finally:
            self._cell.land(flight, got)

    async def _alead(self, flight: Flight) -> None:
        got: Fetched | CredentialError | None = None
        try:
            got = self._parse(self.source, await _awaited(self._call))
        except Exception as exc:
            got = self._failure(exc)
        finally:  # also when cancelled, or closed unfinished
            self._cell.land(flight, got)

    def _failure(self, exc: BaseException) -> CredentialError:
        if isinstance(exc, CredentialError):
            return type(exc)(self.source, exc.reason)
        try:
            text = _scrub(str(exc), self._secrets)
        except Exception:
            text = "(no text)"
        return CredentialError(self.source, f"{type(exc).__name__}: {text}")


class _Made:
    """An azure-identity credential, built at its first use: the import is slow, so it happens
    in the worker thread and not where a source is resolved."""

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


class _Box:
    """Stands, and can be weakly referenced, for an object that can't."""

    def __init__(self, owner: object) -> None:
        self.owner = owner


_registry_lock = threading.RLock()
_kept: OrderedDict[Hashable, Any] = OrderedDict()
_weak: dict[int, tuple[weakref.ref[Any], dict[Hashable, Cell]]] = {}


def _keep(key: Hashable, make: Callable[[], Any]) -> Any:
    """The object kept under `key`, made if need be; the least recently used goes."""
    with _registry_lock:
        if key not in _kept:
            _kept[key] = make()
        _kept.move_to_end(key)
        while len(_kept) > _MAX_KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def _place(owner: Any, label: Hashable) -> tuple[Cell, object]:
    """The cell of `owner` (by identity, not equality) and label, and what keeps it alive."""
    with _registry_lock:
        key = id(owner)

        def gone(ref: weakref.ref[Any]) -> None:  # from the collector: takes no lock
            entry = _weak.get(key)
            if entry is not None and entry[0] is ref:
                _weak.pop(key, None)

        try:
            ref = weakref.ref(owner, gone)
        except TypeError:  # no weak references: a box that holds it strongly has them
            box = _keep(("box", key), lambda: _Box(owner))
            return _place(box, label)
        entry = _weak.get(key)
        if entry is None or entry[0]() is not owner:
            entry = _weak[key] = (ref, {})
        return entry[1].setdefault(label, Cell()), owner


async def _awaited(call: Callable[[], Any]) -> Any:
    result = call()
    return await result if inspect.isawaitable(result) else result


def _run(call: Callable[[], Any]) -> Any:
    """Run an async call to its end from sync code, in an event loop of its own."""
    if running_loop() is None:
        return asyncio.run(_awaited(call))
    context = contextvars.copy_context()
    with futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, lambda: asyncio.run(_awaited(call))).result()


def _is_coroutine_function(call: Any) -> bool:
    return any(inspect.iscoroutinefunction(f) for f in (call, type(call).__call__))


def _checked(source: str, token: Any) -> str:
    """`token` if it can be sent as a bearer token: visible ASCII, as RFC 6750 and httpx want."""
    if not isinstance(token, str):
        raise CredentialError(source, f"the token must be a str, not {type(token).__name__}")
    if not token:
        raise CredentialError(source, "the token is empty")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise CredentialError(
            source, "the token has a newline, space, control or non-ASCII character"
        )
    return token


def _instant(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _jwt_expiry(token: str) -> float | None:
    """`exp` of a JWT, unverified (it only says when to ask again); None for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return _instant(claims.get("exp"))
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return None


def _from_provider(source: str, result: Any) -> Fetched:
    return Fetched(_checked(source, result), _jwt_expiry(result))


def _from_credential(source: str, result: Any) -> Fetched:
    if not hasattr(result, "token"):
        raise CredentialError(
            source, f"get_token must return an AccessToken, not {type(result).__name__}"
        )
    token = _checked(source, result.token)
    expires = _instant(getattr(result, "expires_on", None))
    refresh_on = _instant(getattr(result, "refresh_on", None))
    return Fetched(token, _jwt_expiry(token) if expires is None else expires, refresh_on)


def _provider_source(source: str, provider: Any) -> TokenSource:
    if not callable(provider):
        kind = type(provider).__name__
        raise CredentialError(source, f"must be a callable that returns a str, not {kind}")
    if isinstance(provider, types.MethodType):  # a new object at every access
        place = _place(provider.__self__, ("call", provider.__func__))
    else:
        place = _place(provider, "call")
    place[0].is_async |= _is_coroutine_function(provider)
    return _Dynamic(source, provider, _from_provider, place)


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
    place = _place(credential, ("credential", scope))
    place[0].is_async |= _is_coroutine_function(get_token)
    return _Dynamic(source, lambda: get_token(scope), _from_credential, place, secrets)


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
    return _Static(source, token)


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
    made = _keep(key, lambda: _Made("ClientSecretCredential", *values))
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
    """The source that these options name; no I/O, nothing is fetched yet.

    The first one given wins: `api_key` or AZURE_AI_API_KEY (sent as a bearer token),
    `azure_ad_token` (a token or a callable), `azure_ad_token_provider` (sync or async callable),
    `credential` (sync or async TokenCredential), `tenant_id` + `client_id` + `client_secret` (what
    is missing of the three comes from AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET),
    AZURE_AD_TOKEN, the three AZURE_* variables alone, DefaultAzureCredential. Empty strings count
    as not given. (LiteLLM itself puts AZURE_AI_API_KEY in the place of a missing api_key.)

    `scope` is for credentials; a provider knows its own. A provider's token is cached until the
    `exp` of its JWT, one that is no JWT isn't cached. Raises CredentialError for what can't work.
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
        return _Static("api_key", api_key)
    if _given(environ.get("AZURE_AI_API_KEY")):
        return _Static("api_key (AZURE_AI_API_KEY)", environ["AZURE_AI_API_KEY"])
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
    made = _keep("default", lambda: _Made("DefaultAzureCredential"))
    return _credential_source("DefaultAzureCredential", made, scope)
