"""LiteLLM's Responses API for new agents, for creating responses and for stored ones.

LiteLLM hands over what it would have sent. The request goes out by our drivers, with our
credentials, retries and errors. The service's own objects and events go back into LiteLLM's
objects, which encode ids, log and count as for every provider. The model string names the agent;
nothing in a request can name another.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from ..continuity.isolation import owned, references_of_input, references_of_tools
from ..core import errors
from ..core.actions import Reply, Request, ServerEvent
from ..core.call import Call
from ..core.endpoint import check_id
from ..core.json_values import as_objects, as_text
from ..core.options import OptionError, Options, parse_arguments, sendable_value
from ..core.owner import Reference
from ..drivers.aio import Playing
from ..drivers.connection import Connection, Requests
from ..drivers.httpx_replies import AsyncEventBody, EventBody, response_of
from ..responses import items
from ..responses.passthrough import NativeTurn, stored_exchange
from ..responses.payloads import native_input, native_tools
from ..responses.target import Target
from .arguments import body_keys, context_of, open_call
from .caller import authenticated
from .chunks import map_usage, price_of
from .names import BUILTIN, PROVIDER, ROUTE

PASSED = ("conversation", "structured_inputs", "agent_session_id")
"""Fields of a request that LiteLLM doesn't know, and hands over among its own parameters."""
NAMES_THE_AGENT = ("agent_reference", "agent")


# -- creating a response -----------------------------------------------------------------------


def respond(**given: Any) -> Any:
    """What ``BaseLLMHTTPHandler.response_api_handler`` does, for an agent."""
    if given.get("_is_async"):
        return _arespond(given)
    turn, connection = _prepare(given)
    batches: Generator[list[ServerEvent], None, None] = connection.sync_driver().play(turn)
    with errors.translating(turn.call.context):
        next(batches, None)
        if not turn.body.get("stream"):
            batches.close()
            return _response(given, turn)
    body = EventBody(turn.call.context, batches)
    return _iterator("SyncResponsesAPIStreamingIterator", given, turn, body)


async def _arespond(given: Mapping[str, Any]) -> Any:
    turn, connection = _prepare(given)
    batches: Playing[ServerEvent] = connection.async_driver().play(turn)
    with errors.translating(turn.call.context):
        await anext(batches, None)
        if not turn.body.get("stream"):
            await batches.aclose()
            return _response(given, turn)
    body = AsyncEventBody(turn.call.context, batches)
    return _iterator("ResponsesAPIStreamingIterator", given, turn, body)


def _prepare(given: Mapping[str, Any]) -> tuple[NativeTurn, Connection]:
    litellm_params = params_of(given)
    extra = dict(given.get("extra_body") or {})
    context = context_of(given["model"], given.get("custom_llm_provider") or BUILTIN)
    try:
        options = own_options(litellm_params, extra)
        body = build_native_body(given, litellm_params, extra, options)
    except OptionError as error:
        raise errors.bad_request(context, str(error), param=error.param) from None
    connection, target = _open(given, context, options)
    _check_agent_fields({**litellm_params, **extra}, target, context)
    # By this name LiteLLM finds the prices for a stream.
    given["logging_obj"].model_call_details["custom_llm_provider"] = BUILTIN
    call, body = _isolated(connection.call, body, body_keys(litellm_params))
    _log_request(given, input=given["input"], body=body, url=target.url())
    return NativeTurn(call, target, body), replace(connection, call=call)


def _isolated(
    call: Call, body: dict[str, Any], from_caller: set[str]
) -> tuple[Call, dict[str, Any]]:
    """The body with the owner's tag, and the call with what of the body has to be looked up.

    ``from_caller`` names what the caller's request brought; the rest is the operator's. Raises
    BadRequestError.
    """
    owner = call.owner
    try:
        metadata = owned(body.get("metadata"), owner)
    except OptionError as error:
        raise errors.bad_request(call.context, str(error), param=error.param) from None
    body = {name: value for name, value in body.items() if name != "metadata"}
    if metadata:
        body["metadata"] = metadata
    if owner is None:
        return call, body
    brought = [*references_of_input(body.get("input"))]
    if "tools" in from_caller:
        own_kind = [t for t in as_objects(body.get("tools")) if t.get("type") != "function"]
        brought += references_of_tools(own_kind, "tools")
    session = as_text(body.get("agent_session_id"))
    if session and "agent_session_id" in from_caller:
        brought.append(Reference("session", session, "agent_session_id"))
    return replace(call, brought=brought), body


def params_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """LiteLLM's parameters, with those that it doesn't know."""
    params = given["litellm_params"]
    return {**vars(params), **(params.model_extra or {})}


def _open(
    given: Mapping[str, Any], context: errors.Context, options: Options
) -> tuple[Connection, Target]:
    """The connection and endpoint of the agent. Raises LiteLLM's exceptions."""
    litellm_params = params_of(given)
    connection, target = open_call(
        context,
        api_base=litellm_params.get("api_base"),
        api_key=litellm_params.get("api_key"),
        options=options,
        headers=given.get("extra_headers") or {},
        litellm_params=litellm_params,
        metadata=authenticated(
            litellm_params,
            given.get("litellm_metadata") or litellm_params.get("litellm_metadata"),
            given.get("logging_obj"),
        ),
        timeout=given.get("timeout"),
        max_retries=litellm_params.get("max_retries"),
    )
    if target is None:
        raise errors.bad_request(
            context,
            "protocol='threads' has no Responses API of its own. Use chat completions, or name a "
            "classic agent by its id (asst_…): then LiteLLM translates",
            param="protocol",
        )
    return connection, target


def _log_request(given: Mapping[str, Any], *, input: Any, body: Any, url: str) -> None:
    """Tell LiteLLM's logging what is sent, without headers and keys."""
    given["logging_obj"].pre_call(
        input=input,
        api_key="",
        additional_args={"complete_input_dict": body, "api_base": url, "headers": {}},
    )


def own_options(litellm_params: Mapping[str, Any], extra: dict[str, Any]) -> Options:
    """Our options among LiteLLM's parameters and in ``extra``, from which they are removed."""
    names = Options.model_fields.keys()
    found = {n: litellm_params[n] for n in names if litellm_params.get(n) is not None}
    for name in [n for n in extra if n in names and n not in PASSED and n not in _OF_THE_BODY]:
        found[name] = extra.pop(name)
    return parse_arguments(found, drop_params=True, from_caller=body_keys(litellm_params))[0]


_OF_THE_BODY = frozenset(
    {"include", "truncation", "max_tool_calls", "background", "previous_response_id",
     "instructions"}
)  # fmt: skip
"""Names of options that are also fields of the request: here they are taken as fields."""


def build_native_body(
    given: Mapping[str, Any],
    litellm_params: Mapping[str, Any],
    extra: Mapping[str, Any],
    options: Options,
) -> dict[str, Any]:
    """The body to send, without the fields that name an agent.

    A ``model`` can be given in ``extra_body`` only: LiteLLM's own names the agent.
    """
    body: dict[str, Any] = {
        "input": given["input"],
        **{n: litellm_params[n] for n in PASSED if litellm_params.get(n) is not None},
        **given["response_api_optional_request_params"],
        **extra,
    }
    if isinstance(litellm_params.get("proxy_server_request"), Mapping):
        _check_guarded(options, extra)
    conversation = options.conversation_id
    if options.thread_id:
        if options.thread_id.startswith("conv"):
            conversation = conversation or options.thread_id
        else:
            body.setdefault("previous_response_id", options.thread_id)
    if conversation:
        body.setdefault("conversation", conversation)
    for name in (*NAMES_THE_AGENT, "extra_headers", "extra_query", "extra_body", "timeout"):
        body.pop(name, None)
    sent = {n: sendable_value(n, _plain(v)) for n, v in body.items() if v is not None}
    for name, clean in (("tools", native_tools), ("input", native_input)):
        if name in sent:
            sent[name] = clean(sent[name])
    return sent


def _check_guarded(options: Options, extra: Mapping[str, Any]) -> None:
    """Refuse a response's id under a name by which LiteLLM's proxy doesn't check whose it is.

    It checks the field ``previous_response_id`` alone. Raises `OptionError`.
    """
    aliases = {"thread_id": options.thread_id, "conversation_id": options.conversation_id}
    aliases |= {f"extra_body.{n}": extra.get(n) for n in ("previous_response_id", "conversation")}
    for name, value in aliases.items():
        value = value.get("id") if isinstance(value, Mapping) else value
        if value is None or (name != "extra_body.previous_response_id" and _is_conversation(value)):
            continue
        raise OptionError(
            f"{name} can't name a response here. Give its id as previous_response_id, a field of "
            "the request itself",
            name,
        )


def _is_conversation(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("conv")


def _check_agent_fields(found: Mapping[str, Any], target: Target, context: errors.Context) -> None:
    """Refuse a request that names another agent than the model string does (design rule 9)."""
    for name in ("agent_reference", "agent"):
        value = found.get(name)
        if value is None:
            continue
        named = value.get("name") if isinstance(value, Mapping) else value
        version = value.get("version") if isinstance(value, Mapping) else None
        if named != target.name or (version and version != target.version):
            raise errors.bad_request(
                context, f"{name} can't be given: the model string names the agent", param=name
            )


def _plain(value: Any) -> Any:
    """``value`` with its pydantic objects, which clients pass in, as JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _response(given: Mapping[str, Any], turn: NativeTurn) -> Any:
    try:
        response = given["responses_api_provider_config"].transform_response_api_response(
            model=given["model"],
            raw_response=response_of(turn.reply, turn.target.url(), content=turn.reply.content),
            logging_obj=given["logging_obj"],
        )
    except Exception:  # an object, but no response
        context = turn.call.context
        raise errors.unexpected(context, turn.reply, doing="create the response") from None
    usage = items.map_usage((turn.reply.object() or {}).get("usage"))
    custom = params_of(given).get("input_cost_per_token") is not None
    if given.get("custom_llm_provider") == PROVIDER and usage is not None and not custom:
        # Of a custom provider LiteLLM knows no prices (asynchronously it is azure_ai by now).
        response._hidden_params["response_cost"] = price_of([response.model], map_usage(usage))
    return response


def _iterator(name: str, given: Mapping[str, Any], turn: NativeTurn, body: Any) -> Any:
    """LiteLLM's stream object of this name, which reads ``body``."""
    from litellm.responses import streaming_iterator

    return getattr(streaming_iterator, name)(
        response=response_of(turn.reply, turn.target.url(), stream=body),
        model=given["model"],
        logging_obj=given["logging_obj"],
        responses_api_provider_config=given["responses_api_provider_config"],
        litellm_metadata=given.get("litellm_metadata"),
        custom_llm_provider=given["custom_llm_provider"],
        request_data={
            "input": given["input"],
            **given["response_api_optional_request_params"],
            "litellm_params": dict(given["litellm_params"]),
        },
        call_type="responses",
    )


# -- stored responses --------------------------------------------------------------------------
# LiteLLM knows neither agent nor model here, except by its parameters: behind a proxy those of the
# deployment, else the argument ``model``.

OPERATIONS: dict[str, tuple[str, tuple[str, ...], str]] = {
    # LiteLLM's handler: method, what follows the id, and the config's function for the answer
    "get_responses": ("GET", (), "transform_get_response_api_response"),
    "delete_response_api_handler": ("DELETE", (), "transform_delete_response_api_response"),
    "cancel_response_api_handler": ("POST", ("cancel",), "transform_cancel_response_api_response"),
    "list_responses_input_items": (
        "GET",
        ("input_items",),
        "transform_list_input_items_response",
    ),
}
_QUERY = ("after", "before", "limit", "order")
_DOING = {"GET": "read", "DELETE": "delete", "POST": "cancel"}


def operate(name: str, agent: str, config: Any, given: Mapping[str, Any]) -> Any:
    """What LiteLLM's handler ``name`` does, for an agent."""
    connection, target, request = _prepare_stored(name, agent, given)
    context, doing = connection.call.context, f"{_DOING[request.method]} the response"
    job = Requests(
        stored_exchange(connection.call, target, given["response_id"], request, doing=doing)
    )

    def answer(reply: Reply) -> Any:
        content = reply.content
        if not content.strip() and request.method == "DELETE":  # status 204 has no body
            gone = {"id": given["response_id"], "object": "response", "deleted": True}
            content = json.dumps(gone).encode()
        raw = response_of(reply, request.url, content=content)
        try:
            transform = getattr(config, OPERATIONS[name][2])
            return transform(raw_response=raw, logging_obj=given["logging_obj"])
        except Exception:
            raise errors.unexpected(context, reply, doing=doing) from None

    async def aperform() -> Any:
        with errors.translating(context):
            return answer(await connection.aperform(job))

    if given.get("_is_async"):
        return aperform()
    with errors.translating(context):
        return answer(connection.perform(job))


def _prepare_stored(
    name: str, agent: str, given: Mapping[str, Any]
) -> tuple[Connection, Target, Request]:
    method, after, _ = OPERATIONS[name]
    context = context_of(f"{ROUTE}{agent}", given.get("custom_llm_provider") or BUILTIN)
    try:
        options = own_options(params_of(given), {})
        response_id = check_id(given["response_id"], "response_id")
    except ValueError as error:
        raise errors.bad_request(context, str(error)) from None
    connection, target = _open(given, context, options)
    query = [(n, str(given[n])) for n in _QUERY if given.get(n) is not None]
    query += [("include[]", str(value)) for value in given.get("include") or ()]
    url = target.url(response_id, *after, query=query)
    _log_request(given, input="", body={}, url=url)
    return connection, target, Request(method, url)
