"""LiteLLM's arguments -> a call, the turn that makes it, and where its tokens come from."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import litellm

from ..auth.resolve import NO_TOKEN, CredentialError, TokenSource, resolve_token_source
from ..content.messages import Message, check_messages, describe
from ..core import errors
from ..core.actions import Turn
from ..core.call import Call
from ..core.endpoint import API_VERSIONS, Endpoint, check_agent, resolve_base
from ..core.options import OptionError, Options, Params, UnsupportedParam, parse_arguments
from ..core.retry import DEFAULT_RETRIES
from ..drivers import AsyncDriver, SyncDriver
from ..responses.identity import agent_headers
from ..responses.target import Target, resolve_target
from ..responses.turn import ResponseTurn
from ..threads.turn import ThreadTurn
from .chunks import ChunkFactory
from .health_check import Ping

DEFAULT_TIMEOUT = 600.0
_HEALTH_CHECK = "litellm-internal-health-check"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call ready to be driven."""

    call: Call
    turn: Turn[Any]
    token: TokenSource
    factory: ChunkFactory

    def sync_driver(self) -> SyncDriver:
        return SyncDriver(self.token, self.call.headers, timeout=self.call.remaining())

    def async_driver(self) -> AsyncDriver:
        return AsyncDriver(self.token, self.call.headers, timeout=self.call.remaining())


def prepare(
    *,
    model: str,
    messages: Any,
    api_base: str | None,
    api_key: str | None,
    optional_params: Mapping[str, Any],
    litellm_params: Mapping[str, Any],
    headers: Mapping[str, str] | None,
    timeout: Any,
    provider: str,
    **_: Any,
) -> Prepared:
    """Understand LiteLLM's arguments. Raises LiteLLM exceptions; nothing has been sent then."""
    agent = model.removeprefix("agents/")
    context = errors.Context(model=model, provider=provider, agent=agent)
    arguments = dict(optional_params)
    extra = arguments.pop("extra_body", None)
    arguments = {**(extra if isinstance(extra, Mapping) else {}), **arguments}
    try:
        options, params = parse_arguments(
            arguments,
            drop_params=drops_params(litellm_params),
            from_caller=body_keys(litellm_params),
        )
        seconds, retries = read_timeout(timeout), read_retries(arguments.get("max_retries"))
    except UnsupportedParam as error:
        raise errors.unsupported(context, str(error), param=error.param) from None
    except OptionError as error:
        raise errors.bad_request(context, str(error), param=error.param) from None
    ping = _is_health_check(litellm_params)
    try:
        checked = [] if ping else check_messages(messages)
    except ValueError as error:
        raise errors.bad_request(context, describe(messages, error), param="messages") from None
    call, target = build_call(
        context,
        api_base=api_base,
        options=options,
        params=params,
        messages=checked,
        headers=headers or {},
        litellm_params=litellm_params,
        metadata=litellm_params.get("metadata"),
        timeout=seconds,
        max_retries=retries,
    )
    turn: ThreadTurn | ResponseTurn | Ping
    if ping:
        turn = Ping(call, target)
    else:
        turn = ThreadTurn(call) if target is None else ResponseTurn(call, target)
    factory = ChunkFactory(
        model=model,
        base_model=_base_model(litellm_params),
        custom_pricing=litellm_params.get("input_cost_per_token") is not None,
        old_functions=bool(params.functions),
    )
    # The turn's own call: its errors name the ids that the turn learns.
    return Prepared(turn.call, turn, token_for(call, target, api_key, litellm_params), factory)


def build_call(
    context: errors.Context,
    *,
    api_base: str | None,
    options: Options,
    params: Params,
    messages: Sequence[Message],
    headers: Mapping[str, Any],
    litellm_params: Mapping[str, Any],
    metadata: Any,
    timeout: float,
    max_retries: int,
) -> tuple[Call, Target | None]:
    """The call, and where its agent is if it is a new one. ``metadata`` is the proxy's own."""
    agent, version = context.agent, litellm_params.get("api_version")
    sent = {str(name): str(value) for name, value in headers.items()}
    target: Target | None = None
    try:
        check_agent(agent)
        base = resolve_base(api_base)
        if not is_classic(agent, options):
            target = resolve_target(
                base, agent, style=options.endpoint_style, api_version=version and str(version)
            )
            request = litellm_params.get("proxy_server_request")
            sent = agent_headers(target, options, sent, metadata=metadata, request=request)
    except ValueError as error:
        raise errors.bad_request(context, str(error)) from None
    call = Call(
        agent=agent,
        endpoint=Endpoint(base, str(version or API_VERSIONS[0])),
        messages=messages,
        options=options,
        params=params,
        context=context,
        clock=time.monotonic,
        started=time.monotonic(),
        timeout=timeout,
        random=random.random,
        max_retries=max_retries,
        call_id=litellm_params.get("litellm_call_id"),
        headers={**sent, "Accept": "text/event-stream, application/json"},
        drop_params=drops_params(litellm_params),
    )
    return call, target


def drops_params(litellm_params: Mapping[str, Any]) -> bool:
    """Whether the caller wants parameters dropped that agents don't take."""
    return bool(litellm_params.get("drop_params") or litellm.drop_params)


def is_classic(agent: str, options: Options) -> bool:
    """Whether ``agent`` is reached by threads and runs: ``asst_…``, unless the option says else."""
    if options.protocol is not None:
        return options.protocol == "threads"
    return agent.startswith("asst_")


def token_for(
    call: Call, target: Target | None, api_key: str | None, params: Mapping[str, Any]
) -> TokenSource:
    """Where the bearer tokens of a call come from."""
    options = call.options
    names = ("azure_ad_token", "azure_ad_token_provider", "tenant_id", "client_id", "client_secret")
    given: dict[str, Any] = {name: params.get(name) for name in names}
    named = any((api_key, options.credential, *given.values()))
    if target is not None and target.style == "container" and not named:
        return NO_TOKEN  # a container asks for none (protocols C), and mustn't get another's
    try:
        return resolve_token_source(
            api_key=api_key,
            credential=options.credential,
            scope=options.azure_scope,
            **given,
        )
    except CredentialError as error:
        raise errors.authentication(call.context, str(error)) from None


def body_keys(litellm_params: Mapping[str, Any]) -> set[str]:
    """The keys that a proxy's client put into its request (protocols D6)."""
    request = litellm_params.get("proxy_server_request")
    body = request.get("body") if isinstance(request, Mapping) else None
    if not isinstance(request, Mapping) or not isinstance(body, Mapping):
        return set()
    extra = body.get("extra_body")
    # Credentials are left out of that copy of the body, and named beside it.
    secrets = request.get("credential_fields") or ()
    return {*body, *(extra if isinstance(extra, Mapping) else ()), *secrets} - {"headers"}


def _is_health_check(litellm_params: Mapping[str, Any]) -> bool:
    """LiteLLM's own health check, which must not leave a thread behind (protocols D11). A client
    that sends its tag has a request, which the check has not."""
    if litellm_params.get("proxy_server_request"):
        return False
    # Before LiteLLM 1.106 the tag is in litellm_metadata.
    found = [litellm_params.get(name) for name in ("metadata", "litellm_metadata")]
    return any(_HEALTH_CHECK in (m.get("tags") or ()) for m in found if isinstance(m, Mapping))


def _base_model(litellm_params: Mapping[str, Any]) -> str | None:
    info = litellm_params.get("model_info")
    found = litellm_params.get("base_model") or (
        info.get("base_model") if isinstance(info, Mapping) else None
    )
    return str(found) if found else None


def read_timeout(timeout: Any) -> float:
    """LiteLLM's ``timeout`` in seconds, the default for None; OptionError for what is none."""
    if isinstance(timeout, httpx.Timeout):
        timeout = timeout.read
    try:
        seconds = DEFAULT_TIMEOUT if timeout is None else float(timeout)
    except (TypeError, ValueError):
        raise OptionError(f"timeout is a number of seconds, not {timeout!r}", "timeout") from None
    if not seconds > 0:
        raise OptionError(f"timeout must be greater than 0, not {timeout!r}", "timeout")
    return min(seconds, 1e6)  # sockets and timers know no infinity


def read_retries(value: Any) -> int:
    """LiteLLM's ``max_retries``, the default for None; OptionError for what is no number."""
    try:
        # int() takes "3" from a configuration; it would also make 2 of 2.5.
        return DEFAULT_RETRIES if value is None else max(int(str(value)), 0)
    except ValueError:
        raise OptionError(f"max_retries is a whole number, not {value!r}", "max_retries") from None
