"""LiteLLM's arguments -> a call, its connection, and the turn that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import litellm

from ..auth.resolve import NO_TOKEN
from ..content.messages import Message, check_messages, describe
from ..continuity.isolation import (
    NotOwned,
    admit,
    references_of_messages,
    references_of_tools,
)
from ..continuity.thread_key import chat_scope
from ..core import errors
from ..core.attempts import Attempt, attempts
from ..core.call import Call, read_limits
from ..core.endpoint import API_VERSIONS, Endpoint, check_agent, resolve_base, version_in
from ..core.headers import HeaderError, merged
from ..core.json_values import as_object, as_text
from ..core.options import OptionError, Options, Params, UnsupportedParam, parse_arguments
from ..core.owner import Reference
from ..core.retry import PATIENCE
from ..drivers.connection import Connection, open_connection
from ..protocol.ownership import not_found
from ..responses.identity import agent_headers
from ..responses.target import Target, resolve_target
from ..responses.turn import ResponseTurn
from ..stores.base import Guard
from ..stores.resolve import StoreError, resolve_store
from ..threads.turn import ThreadTurn
from .caller import authenticated, chat_ids, find_owner, owner_of_chats
from .chunks import ChunkFactory
from .connection import http_settings
from .headers import headers_to_send
from .health_check import HealthCheck
from .names import ROUTE
from .redis_cache import client_maker

_HEALTH_CHECK_TAG = "litellm-internal-health-check"
_CREDENTIALS = (
    "azure_ad_token", "azure_ad_token_provider", "tenant_id", "client_id", "client_secret",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that is ready to be made."""

    connection: Connection
    turn: ThreadTurn | ResponseTurn | HealthCheck
    factory: ChunkFactory

    @property
    def context(self) -> errors.Context:
        """What errors say of the call: the turn's context, which has the ids that it learned."""
        return self.turn.call.context


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
    streamed: bool = True,
    **_: Any,
) -> Prepared:
    """Read and check LiteLLM's arguments for a completion. Sends nothing.

    ``streamed``: the caller takes the answer piece by piece. Raises LiteLLM's exceptions.
    """
    context = context_of(model, provider)
    arguments = dict(optional_params)
    extra = arguments.pop("extra_body", None)
    arguments = {**(extra if isinstance(extra, Mapping) else {}), **arguments}
    try:
        options, params = parse_arguments(
            arguments,
            drop_params=drops_params(litellm_params),
            from_caller=body_keys(litellm_params),
        )
    except UnsupportedParam as error:
        raise errors.unsupported(context, str(error), param=error.param) from None
    except OptionError as error:
        raise errors.bad_request(context, str(error), param=error.param) from None
    is_health_check = _is_health_check(litellm_params)
    if is_health_check:  # nobody's question: there is no user to name
        nobodys = {"user_identity": "off", "thread_isolation": "off", "thread_store": None}
        options = options.model_copy(update=nobodys)
    try:
        checked = [] if is_health_check else check_messages(messages)
    except ValueError as error:
        raise errors.bad_request(context, describe(messages, error), param="messages") from None
    connection, target = open_call(
        context,
        api_base=api_base,
        api_key=api_key,
        options=options,
        params=params,
        messages=checked,
        headers=headers or {},
        litellm_params=litellm_params,
        metadata=authenticated(litellm_params, litellm_params.get("metadata")),
        timeout=timeout,
        max_retries=arguments.get("max_retries"),
        streamed=streamed,
    )
    call = _isolated(connection.call, body_keys(litellm_params))
    connection = replace(connection, call=call)
    turn: ThreadTurn | ResponseTurn | HealthCheck
    if is_health_check:
        turn = HealthCheck(call, target)
    else:
        turn = ThreadTurn(call) if target is None else ResponseTurn(call, target)
    factory = ChunkFactory(
        model=model,
        base_model=_base_model(litellm_params),
        custom_pricing=litellm_params.get("input_cost_per_token") is not None,
        old_functions=bool(params.functions),
    )
    return Prepared(connection, turn, factory)


def _isolated(call: Call, from_caller: set[str]) -> Call:
    """The call without ids that are another's, and with what has to be looked up.

    ``from_caller`` names what the caller's request brought; the rest is the operator's. Raises
    NotFoundError.
    """
    owner = call.owner
    if owner is None:
        return call
    try:
        messages = admit(call.messages, owner)
    except NotOwned as error:
        raise not_found(call, error.reference) from None
    brought = [*references_of_messages(messages)]
    if "tool_resources" in from_caller:
        brought += references_of_tools(call.options.tool_resources, "tool_resources")
    if "tools" in from_caller:
        own_kind = [tool for tool in call.params.tools or () if tool.get("type") != "function"]
        brought += references_of_tools(own_kind, "tools")
    if "agent_session_id" in from_caller and call.options.agent_session_id:
        brought.append(Reference("session", call.options.agent_session_id, "agent_session_id"))
    return replace(call, messages=messages, brought=brought)


def context_of(model: str, provider: str) -> errors.Context:
    """What errors say of a call; ``model`` is ``agents/<agent>`` or ``<agent>``."""
    return errors.Context(model=model, provider=provider, agent=model.removeprefix(ROUTE))


def open_call(
    context: errors.Context,
    *,
    api_base: str | None,
    api_key: str | None,
    options: Options,
    litellm_params: Mapping[str, Any],
    headers: Mapping[str, Any],
    metadata: Mapping[str, Any],
    timeout: Any,
    max_retries: Any,
    params: Params | None = None,
    messages: Sequence[Message] = (),
    streamed: bool = True,
) -> tuple[Connection, Target | None]:
    """The connection of a call, and the endpoint of its agent if that is a new one.

    ``metadata`` is the proxy's own, see `authenticated`. Raises BadRequestError and
    AuthenticationError.
    """
    seconds, retries = read_limits(context, timeout, max_retries)
    agent, version = context.agent, litellm_params.get("api_version")
    context.clients_timeout = _is_clients_timeout(litellm_params)
    context.detached = options.on_abandon == "detach"
    fixed = options.fixed_headers or {}
    context.secrets = lambda: fixed.values()
    target: Target | None = None
    try:
        owner = find_owner(options.thread_isolation, metadata)
        sent = headers_to_send(headers, options, litellm_params)
        check_agent(agent)
        base, pasted = resolve_base(api_base), version_in(api_base)
        if not _is_classic(agent, options):
            target = resolve_target(
                base,
                agent,
                style=options.endpoint_style,
                api_version=version and str(version),
                pasted_version=pasted,
            )
            request = litellm_params.get("proxy_server_request")
            sent = agent_headers(target, options, sent, metadata=metadata, request=request)
    except HeaderError as error:
        raise errors.bad_request(context, str(error), param="extra_headers") from None
    except ValueError as error:
        param = error.param if isinstance(error, OptionError) else None
        raise errors.bad_request(context, str(error), param=param) from None
    call = Call(
        agent=agent,
        endpoint=Endpoint(base, str(version or pasted or API_VERSIONS[0])),
        context=context,
        messages=messages,
        options=options,
        params=params or Params(),
        timeout=seconds,
        max_retries=retries,
        call_id=litellm_params.get("litellm_call_id"),
        headers=merged(sent, fixed, {"Accept": "text/event-stream, application/json"}),
        drop_params=drops_params(litellm_params),
        limit_is_callers=_limit_is_callers(litellm_params),
        stream=streamed,
        owner=owner,
        attempt=_attempt(
            litellm_params,
            metadata.get("user_api_key_hash"),
            base,
            agent,
            messages,
            options,
            params,
        ),
        patience=PATIENCE if max_retries is None else 0.0,
    )
    store = _store(context, options)
    if options.thread_store is not None:
        scope = chat_scope(
            endpoint=base,
            agent=agent,
            owner=owner_of_chats(metadata),
            chat_ids=chat_ids(options.chat_id_from or (), litellm_params, metadata),
        )
        call = replace(call, chat_scope=scope)
    credentials = {name: litellm_params.get(name) for name in _CREDENTIALS}
    credentials |= {"api_key": api_key, "credential": options.credential}
    http = http_settings()
    if target is not None and target.style == "container" and not any(credentials.values()):
        # A container asks for no token, and must not get one that was meant for another server.
        return Connection(call, NO_TOKEN, http, store), target
    opened = open_connection(call, http, scope=options.azure_scope, **credentials)
    return replace(opened, store=store), target


def _store(context: errors.Context, options: Options) -> Guard | None:
    """The operator's thread store, None without one. Raises BadRequestError.

    Isolation needs one too, to know what files the caller was given: if there is no other, memory.
    """
    name = options.thread_store
    if name is None and options.thread_isolation == "off":
        return None
    try:
        return resolve_store(
            name or "memory",
            ttl=options.thread_store_ttl,
            timeout=options.thread_store_timeout,
            litellm_client=client_maker(),
        )
    except StoreError as error:
        raise errors.bad_request(context, str(error), param="thread_store") from None


def _attempt(litellm_params: Mapping[str, Any], *content: Any) -> Attempt:
    """This attempt at the request, which may follow a failed one that LiteLLM's Router made."""
    trace_id = as_text(litellm_params.get("litellm_trace_id"))
    return attempts.begin(trace_id, lambda: hashlib.sha256(repr(content).encode()).hexdigest())


def drops_params(litellm_params: Mapping[str, Any]) -> bool:
    """Whether parameters that agents don't take are to be dropped."""
    return bool(litellm_params.get("drop_params") or litellm.drop_params)


def body_keys(litellm_params: Mapping[str, Any]) -> set[str]:
    """The keys that a proxy's client put into its request body."""
    request = litellm_params.get("proxy_server_request")
    body = request.get("body") if isinstance(request, Mapping) else None
    if not isinstance(request, Mapping) or not isinstance(body, Mapping):
        return set()
    extra = body.get("extra_body")
    # LiteLLM leaves credentials out of this copy of the body, and names them beside it.
    secrets = request.get("credential_fields") or ()
    return {*body, *(extra if isinstance(extra, Mapping) else ()), *secrets} - {"headers"}


def _is_clients_timeout(litellm_params: Mapping[str, Any]) -> bool:
    """Whether a proxy's client chose the timeout, by its request's body or by a header."""
    request = as_object(litellm_params.get("proxy_server_request"))
    headers = {str(name).lower() for name in as_object(request.get("headers"))}
    return bool(
        body_keys(litellm_params) & {"timeout", "request_timeout", "stream_timeout"}
        or headers & {"x-litellm-timeout", "x-litellm-stream-timeout"}
    )


def _limit_is_callers(litellm_params: Mapping[str, Any]) -> bool:
    """Whether the caller chose ``max_tokens``: LiteLLM's rate limiter gives calls without one a
    share of the key's tokens a minute, which may be less than the service's minimum."""
    if not isinstance(litellm_params.get("proxy_server_request"), Mapping):
        return True
    names = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
    return bool(names & body_keys(litellm_params))


def _is_classic(agent: str, options: Options) -> bool:
    """Whether the agent has threads and runs: ``asst_…``, unless the option says otherwise."""
    if options.protocol is not None:
        return options.protocol == "threads"
    return agent.startswith("asst_")


def _is_health_check(litellm_params: Mapping[str, Any]) -> bool:
    """Whether this is LiteLLM's own health check, which must not leave a thread behind.

    A proxy's client may send the same tag, but its call has a request; the health check has none.
    """
    if litellm_params.get("proxy_server_request"):
        return False
    # Before LiteLLM 1.106 the tag is in litellm_metadata.
    found = [litellm_params.get(name) for name in ("metadata", "litellm_metadata")]
    return any(_HEALTH_CHECK_TAG in (m.get("tags") or ()) for m in found if isinstance(m, Mapping))


def _base_model(litellm_params: Mapping[str, Any]) -> str | None:
    info = litellm_params.get("model_info")
    found = litellm_params.get("base_model") or (
        info.get("base_model") if isinstance(info, Mapping) else None
    )
    return str(found) if found else None
