"""`litellm.responses` for new agents: the service's own events and objects, nothing translated.

LiteLLM hands over what it would have sent; the request goes out by our drivers, with our
credentials, retries and errors, and the answer back into LiteLLM's objects, which encode ids, log
and count as they do for every provider. The agent of the model string can't be swapped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any, cast

import httpx
from pydantic import BaseModel

from ..auth.resolve import TokenSource
from ..core import errors
from ..core.actions import Reply, ServerEvent
from ..core.call import Call
from ..core.options import OptionError, Options, Params, parse_arguments
from ..drivers import AsyncDriver, Playing, SyncDriver
from ..responses import items
from ..responses.passthrough import NativeTurn
from ..responses.target import Target
from .arguments import body_keys, build_call, read_retries, read_timeout, token_for
from .chunks import map_usage, price_of
from .handler import PROVIDER

PASSED = ("conversation", "structured_inputs", "agent_session_id")
"""Fields of a request that LiteLLM doesn't know, and hands over among its own parameters."""
NAMES_THE_AGENT = ("agent_reference", "agent", "model")


# -- between LiteLLM's handler and the turn ----------------------------------------------------


def respond(**given: Any) -> Any:
    """What ``BaseLLMHTTPHandler.response_api_handler`` does, for an agent."""
    if given.get("_is_async"):
        return _arespond(given)
    turn, token = _prepare(given)
    driver = SyncDriver(token, turn.call.headers, timeout=turn.call.remaining())
    batches = cast(Generator[list[Any], None, None], driver.play(turn))
    try:
        next(batches, None)
        if not turn.body.get("stream"):
            batches.close()
            return _response(given, turn)
    except Exception as error:
        raise errors.translated(turn.call.context, error) from error.__cause__
    return _iterator("SyncResponsesAPIStreamingIterator", given, turn, _SyncBody(turn, batches))


async def _arespond(given: Mapping[str, Any]) -> Any:
    turn, token = _prepare(given)
    driver = AsyncDriver(token, turn.call.headers, timeout=turn.call.remaining())
    batches = driver.play(turn)
    try:
        await anext(batches, None)
        if not turn.body.get("stream"):
            await batches.aclose()
            return _response(given, turn)
    except Exception as error:
        raise errors.translated(turn.call.context, error) from error.__cause__
    return _iterator("ResponsesAPIStreamingIterator", given, turn, _AsyncBody(turn, batches))


def _prepare(given: Mapping[str, Any]) -> tuple[NativeTurn, TokenSource]:
    litellm_params = params_of(given)
    extra = dict(given.get("extra_body") or {})
    context = context_of(given, given["model"])
    try:
        options = own_options(litellm_params, extra)
        body = build_native_body(given, litellm_params, extra, options)
    except OptionError as error:
        raise errors.bad_request(context, str(error), param=error.param) from None
    call, target, token = understand(given, context, options)
    _check_agent_fields({**litellm_params, **extra}, target, context)
    logged = given["logging_obj"]
    logged.model_call_details["custom_llm_provider"] = "azure_ai"  # by which streams are priced
    logged.pre_call(
        input=given["input"],
        api_key="",
        additional_args={"complete_input_dict": body, "api_base": target.url(), "headers": {}},
    )
    return NativeTurn(call, target, body), token


def params_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """LiteLLM's parameters, those that it doesn't know included."""
    params = given["litellm_params"]
    return {**vars(params), **(params.model_extra or {})}


def context_of(given: Mapping[str, Any], model: str) -> errors.Context:
    """Whose call it is, for errors; ``model`` is ``agents/<agent>`` or ``<agent>``."""
    provider = given.get("custom_llm_provider") or "azure_ai"
    return errors.Context(model=model, provider=provider, agent=model.removeprefix("agents/"))


def understand(
    given: Mapping[str, Any], context: errors.Context, options: Options
) -> tuple[Call, Target, TokenSource]:
    """The call that LiteLLM's handler was asked to make. Raises LiteLLM exceptions."""
    litellm_params = params_of(given)
    try:
        seconds = read_timeout(given.get("timeout"))
        retries = read_retries(litellm_params.get("max_retries"))
    except OptionError as error:
        raise errors.bad_request(context, str(error), param=error.param) from None
    call, target = build_call(
        context,
        api_base=litellm_params.get("api_base"),
        options=options,
        params=Params(),
        messages=[],
        headers=given.get("extra_headers") or {},
        litellm_params=litellm_params,
        metadata=given.get("litellm_metadata") or litellm_params.get("litellm_metadata"),
        timeout=seconds,
        max_retries=retries,
    )
    if target is None:
        raise errors.bad_request(
            context,
            "protocol='threads' has no Responses API of its own; use chat completions, or the "
            "agent's id (asst_…), by which LiteLLM knows to translate",
            param="protocol",
        )
    return call, target, token_for(call, target, litellm_params.get("api_key"), litellm_params)


def own_options(litellm_params: Mapping[str, Any], extra: dict[str, Any]) -> Options:
    """Our options among LiteLLM's parameters and in extra_body, which loses them."""
    names = Options.model_fields.keys()
    found = {n: litellm_params[n] for n in names if litellm_params.get(n) is not None}
    for name in [n for n in extra if n in names and n not in PASSED and n not in _OF_THE_BODY]:
        found[name] = extra.pop(name)
    return parse_arguments(found, drop_params=True, from_caller=body_keys(litellm_params))[0]


_OF_THE_BODY = frozenset(
    {"include", "truncation", "max_tool_calls", "background", "previous_response_id",
     "instructions"}
)  # fmt: skip
"""Names that mean the same as options and as fields of a response's request: fields here."""


def build_native_body(
    given: Mapping[str, Any],
    litellm_params: Mapping[str, Any],
    extra: Mapping[str, Any],
    options: Options,
) -> dict[str, Any]:
    """The request that LiteLLM means, without what names an agent or a model."""
    body: dict[str, Any] = {
        "input": given["input"],
        **{n: litellm_params[n] for n in PASSED if litellm_params.get(n) is not None},
        **given["response_api_optional_request_params"],
        **extra,
    }
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
    plain: dict[str, Any] = _plain({n: v for n, v in body.items() if v is not None})
    return plain


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
    """``value`` as JSON can hold it: clients hand in pydantic objects."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


# -- answers, as LiteLLM's ---------------------------------------------------------------------


def http_response(reply: Reply, url: str, **content: Any) -> httpx.Response:
    """``reply`` as the object that LiteLLM reads answers from."""
    kept = {
        name: value
        for name, value in reply.headers.items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    }
    request = httpx.Request("POST", url)
    return httpx.Response(reply.status, headers=kept, request=request, **content)


def _response(given: Mapping[str, Any], turn: NativeTurn) -> Any:
    try:
        response = given["responses_api_provider_config"].transform_response_api_response(
            model=given["model"],
            raw_response=http_response(turn.reply, turn.target.url(), content=turn.reply.content),
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


def _iterator(name: str, given: Mapping[str, Any], turn: NativeTurn, stream: Any) -> Any:
    from litellm.responses import streaming_iterator

    return getattr(streaming_iterator, name)(
        response=http_response(turn.reply, turn.target.url(), stream=stream),
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


def _frames(batch: list[ServerEvent]) -> bytes:
    lines = []
    for event in batch:
        lines.append(f"event: {event.name}\n")
        lines += [f"data: {line}\n" for line in event.data.split("\n")]
        lines.append("\n")
    return "".join(lines).encode()


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, turn: NativeTurn, batches: Generator[list[ServerEvent], None, None]) -> None:
        self._turn = turn
        self._batches = batches

    def __iter__(self) -> Iterator[bytes]:
        try:
            for batch in self._batches:
                yield _frames(batch)
        except Exception as error:
            raise errors.translated(self._turn.call.context, error) from error.__cause__

    def close(self) -> None:
        self._batches.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, turn: NativeTurn, batches: Playing) -> None:
        self._turn = turn
        self._batches = batches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for batch in self._batches:
                yield _frames(cast(Any, batch))
        except Exception as error:
            raise errors.translated(self._turn.call.context, error) from error.__cause__

    async def aclose(self) -> None:
        await self._batches.aclose()
