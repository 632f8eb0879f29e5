"""What a call takes beside its messages: our own options and the OpenAI parameters of agents.

Options come with a call or from a proxy's ``litellm_params``. There LiteLLM mixes the caller's
request body with the operator's settings, and the body wins (protocols D6). So there are two kinds
of options: the caller's, and the operator's (`OPERATOR_OPTIONS`), which a body may not set.

This is one module because it is a table: each option and parameter stands here once, with its
documentation.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .endpoint import check_id
from .headers import operators, well_formed
from .json_values import sendable

Positive = Annotated[float, Field(gt=0)]
Metadata = Annotated[dict[str, str], Field(max_length=16)]


class Options(BaseModel):
    """Our own options; every field's description is its documentation (the README table)."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    # -- which conversation --------------------------------------------------------------------
    thread_id: str | None = Field(
        default=None,
        description="Continue this thread (`thread_…`), conversation (`conv_…`) or response "
        "(`resp_…`); only messages after the last assistant turn are added.",
    )
    conversation_id: str | None = Field(
        default=None, description="New agents: continue this conversation."
    )
    previous_response_id: str | None = Field(
        default=None, description="New agents: continue after this response."
    )
    agent_session_id: str | None = Field(
        default=None, description="Hosted agents: the session (sandbox) to run in."
    )
    ephemeral_thread: bool = Field(
        default=False, description="Delete the thread once the answer is complete."
    )
    # -- how the call runs ---------------------------------------------------------------------
    run_mode: Literal["stream", "poll"] = Field(
        default="stream", description="`poll` looks at the run instead of reading its event stream."
    )
    poll_interval: Positive | None = Field(
        default=None, description="Seconds between two looks; by default 0.25, growing to 2."
    )
    on_pending_tools: Literal["cancel", "error"] = Field(
        default="cancel",
        description="A user message comes while the run waits for tool results: cancel that run, "
        "or fail and say which calls wait.",
    )
    on_abandon: Literal["cancel", "detach"] = Field(
        default="cancel",
        description="The caller goes away, or `timeout` passes, before the answer is complete: "
        "cancel the run, or let it go on. New agents: of responses with `background` only.",
    )
    approvals: Literal["return", "approve", "deny"] = Field(
        default="return",
        description="MCP approval requests: give them to the client as a call of "
        "`mcp_approval_request`, or answer them inside the call.",
    )
    # -- what the agent gets -------------------------------------------------------------------
    instructions: str | None = Field(
        default=None, description="Replaces the agent's instructions for this run."
    )
    additional_instructions: str | None = Field(
        default=None, description="Added to the agent's instructions for this run."
    )
    system_messages: Literal["additional", "replace", "ignore"] = Field(
        default="additional",
        description="System and developer messages add to the agent's instructions, replace them, "
        "or are left out.",
    )
    agent_tools: Literal["merge", "replace", "agent_only"] = Field(
        default="merge",
        description="The caller's `tools` join the agent's own, replace them, or are left.",
    )
    tool_resources: dict[str, Any] | None = Field(
        default=None,
        description="Files, vector stores, indexes and MCP headers for the tools of this run.",
    )
    truncation_strategy: dict[str, Any] | None = Field(
        default=None, description="`{type: auto|last_messages, last_messages}`."
    )
    max_prompt_tokens: int | None = Field(
        default=None,
        gt=0,
        description="Most prompt tokens over the whole run (the service's minimum: 256).",
    )
    run_metadata: Metadata | None = Field(default=None, description="Metadata of the run.")
    thread_metadata: Metadata | None = Field(default=None, description="Metadata of a new thread.")
    structured_inputs: dict[str, Any] | None = Field(
        default=None, description="New agents: values for the variables of the agent's definition."
    )
    include: list[str] | None = Field(
        default=None, description="New agents: additional output data, as in the Responses API."
    )
    truncation: Literal["auto", "disabled"] | None = Field(
        default=None, description="New agents: as in the Responses API."
    )
    max_tool_calls: int | None = Field(
        default=None, gt=0, description="New agents: most calls of built-in tools."
    )
    response_metadata: Metadata | None = Field(
        default=None,
        description="New agents: metadata of the response (`run_metadata` does the same).",
    )
    background: bool = Field(
        default=False,
        description="New agents: run in the background, so that a broken stream is resumed.",
    )
    # -- what comes back -----------------------------------------------------------------------
    citations: Literal["keep", "strip", "footnotes"] = Field(
        default="keep",
        description="Citation markers in the text: as they are, removed, or numbered.",
    )
    include_images: Literal["reference", "inline"] = Field(
        default="reference", description="Images the agent makes: file ids, or data URLs."
    )
    include_run_steps: bool = Field(
        default=False,
        description="Traces of server-side tools in `provider_specific_fields.run_steps`.",
    )
    attach_files: Literal["auto", "code_interpreter", "file_search"] = Field(
        default="auto",
        description="Which tool gets the files that messages bring. New agents: "
        "code interpreter, or none.",
    )
    ephemeral_files: bool = Field(
        default=False, description="Delete files uploaded for this call after the answer."
    )
    # -- the operator's ------------------------------------------------------------------------
    credential: Any = Field(
        default=None, description="Any azure-core TokenCredential, sync or async."
    )
    azure_scope: str | None = Field(
        default=None, description="Token scope; `https://ai.azure.com/.default` if not given."
    )
    protocol: Literal["threads", "responses"] | None = Field(
        default=None,
        description="`threads` for classic agents, `responses` for new ones; else by the id.",
    )
    endpoint_style: Literal["project", "agent", "application", "container"] | None = Field(
        default=None,
        description="New agents: what api_base is; recognised from its path if not given.",
    )
    on_active_run: Literal["wait", "cancel", "error"] = Field(
        default="wait",
        description="Another run is active on the thread: wait for it, cancel it, or fail.",
    )
    thread_store: str | None = Field(
        default=None,
        repr=False,
        description="Where threads are remembered for clients that only resend their history: "
        "`memory` (of one process), `redis://…` (also `rediss://`, `unix://`), or `litellm` for "
        "the Redis of the proxy's own cache.",
    )
    thread_store_ttl: Positive = Field(
        default=7 * 86400.0,
        description="Seconds after its last use for which a thread is remembered.",
    )
    thread_store_timeout: Positive = Field(
        default=0.5,
        description="Seconds that the store may take; then the call goes on without it.",
    )
    chat_id_from: list[str] | None = Field(
        default=None,
        description="Where clients name their chat, so that chats that begin alike are kept apart: "
        "names of headers (`X-OpenWebUI-Chat-Id`, `x-litellm-session-id`) and of metadata "
        "(`metadata.session_id`).",
    )
    thread_isolation: Literal["off", "key", "user", "team"] = Field(
        default="off",
        description="Whose the threads, conversations, responses and files are that a proxy's "
        "callers make: for all others they don't exist.",
    )
    agent_cache_ttl: float = Field(
        default=60.0, ge=0, description="Seconds for which an agent's definition is remembered."
    )
    silence_timeout: float = Field(
        default=30.0,
        gt=0,
        description="Seconds without a byte from a stream, keep-alives included, after which the "
        "run or response itself is looked at.",
    )
    max_response_bytes: int = Field(
        default=64 * 1024 * 1024,
        gt=0,
        description="Largest reply that is read, and largest event of a stream, after "
        "decompression. Of an error 1 MiB is read.",
    )
    max_image_bytes: int = Field(
        default=10 * 1024 * 1024,
        gt=0,
        description="Largest image given inline; larger ones by reference.",
    )
    max_data_url_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        description="Largest data URL passed on; larger ones are uploaded.",
    )
    user_identity: Literal["off", "key", "user", "team"] = Field(
        default="off", description="Hosted agents: send the proxy caller's identity to the agent."
    )
    allowed_headers: list[str] | None = Field(
        default=None,
        description="More names of headers that clients of a proxy may send, besides "
        "`x-client-*` and those of tracing.",
    )
    fixed_headers: dict[str, str] | None = Field(
        default=None,
        repr=False,
        description="Headers of every request, such as a gateway's key. No caller's header "
        "replaces them.",
    )

    @field_validator("thread_id", "conversation_id", "previous_response_id", "agent_session_id")
    @classmethod
    def _is_id(cls, value: str | None, info: Any) -> str | None:
        return None if value is None else check_id(value, info.field_name)

    @field_validator("thread_store")
    @classmethod
    def _is_a_store(cls, value: str | None) -> str | None:
        if value is None or value in ("memory", "litellm") or value.startswith(_REDIS_URLS):
            return value
        raise ValueError("use 'memory', 'litellm' or the URL of a Redis (redis://host:6379/0)")

    @field_validator("allowed_headers")
    @classmethod
    def _are_names(cls, value: list[str] | None) -> list[str] | None:
        return None if value is None else list(well_formed(dict.fromkeys(value, "")))

    @field_validator("fixed_headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        return None if value is None else operators(value)


_REDIS_URLS = ("redis://", "rediss://", "unix://")

OPERATOR_OPTIONS = frozenset(
    {"credential", "azure_scope", "protocol", "endpoint_style", "on_active_run",
     "thread_store", "thread_store_ttl", "thread_store_timeout", "chat_id_from",
     "thread_isolation",
     "agent_cache_ttl", "max_image_bytes", "max_data_url_bytes", "max_response_bytes",
     "silence_timeout", "user_identity", "allowed_headers", "fixed_headers"}
)  # fmt: skip
"""Options that a request body through a proxy may not set."""

OPERATOR_ARGUMENTS = frozenset(
    {"api_base", "base_url", "api_key", "api_version", "azure_ad_token", "azure_ad_token_provider",
     "tenant_id", "client_id", "client_secret"}
)  # fmt: skip
"""LiteLLM's own arguments of the same kind."""


class Params(BaseModel):
    """The OpenAI parameters that agents have; others are refused by name or dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: dict[str, Any] | str | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | str | None = None
    parallel_tool_calls: bool | None = None
    functions: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | str | None = None
    reasoning_effort: str | None = None
    store: bool | None = None

    @property
    def token_limit(self) -> int | None:
        if self.max_completion_tokens is not None:
            return self.max_completion_tokens
        return self.max_tokens


_LITELLM_OWN = frozenset(
    {"stream", "stream_options", "user", "metadata", "max_retries", "extra_headers", "timeout",
     "drop_params", "allowed_openai_params", "litellm_session_id", "litellm_trace_id",
     "extra_body", "safety_identifier", "prompt_cache_key", "service_tier"}
    | OPERATOR_ARGUMENTS
)  # fmt: skip
"""Arguments that are read elsewhere or don't affect the run (identifiers, cache hints)."""

_UNSUPPORTED_REASONS: dict[str, str] = {
    "n": "an agent gives one answer (n=1)",
    "stop": "agents know no stop sequences",
    "seed": "agents know no seed",
    "logprobs": "agents give no log probabilities",
    "top_logprobs": "agents give no log probabilities",
    "logit_bias": "agents know no logit bias",
    "presence_penalty": "agents know no penalties",
    "frequency_penalty": "agents know no penalties",
    "audio": "agents give no audio",
    "modalities": "agents give text and images only",
    "prediction": "agents know no predicted output",
    "web_search_options": "give the agent a web search tool instead",
    "verbosity": "agents know no verbosity",
    "thinking": "agents know no thinking budget",
}


REFUSED_PARAMS = tuple(_UNSUPPORTED_REASONS)
"""OpenAI parameters that agents don't have."""

_NOTHING_IF_EMPTY = frozenset(
    {"stop", "logprobs", "top_logprobs", "logit_bias", "presence_penalty", "frequency_penalty",
     "thinking"}
)  # fmt: skip
"""Those that are accepted with an empty value (0, false, []), which many chat clients send."""


class OptionError(ValueError):
    """An option or parameter is invalid; ``param`` names it."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnsupportedParam(OptionError):
    """Agents don't have this OpenAI parameter."""


def parse_arguments(
    arguments: Mapping[str, Any], *, drop_params: bool, from_caller: Iterable[str] = ()
) -> tuple[Options, Params]:
    """Split LiteLLM's optional parameters into options and OpenAI parameters, and validate them.

    ``arguments`` is ``optional_params`` with ``extra_body`` merged in; ``from_caller`` names the
    keys that came in a proxy client's request body. Raises `OptionError`.
    """
    operator_only = OPERATOR_OPTIONS | OPERATOR_ARGUMENTS
    for name in sorted(set(from_caller)):
        if name in operator_only:
            raise OptionError(
                f"{name!r} is set by the operator of this proxy; leave it out of the request", name
            )
    given = {name: value for name, value in arguments.items() if value is not None}
    options: dict[str, Any] = {}
    params: dict[str, Any] = {}
    for name, value in given.items():
        if name in Options.model_fields:
            own = name == "credential" or isinstance(value, float)  # is not sent
            options[name] = value if own else sendable_value(name, value)
        elif name in Params.model_fields:
            params[name] = sendable_value(name, value)
        elif not _is_harmless(name, value) and not drop_params:
            refused = UnsupportedParam if name in _UNSUPPORTED_REASONS else OptionError
            raise refused(_refusal(name), name)
    return _validate(Options, options), _validate(Params, params)


def sendable_value(name: str, value: Any) -> Any:
    """A copy of ``value`` that can be sent, see `sendable`. Raises `OptionError`."""
    try:
        return sendable(value)
    except ValueError as error:
        raise OptionError(f"{name!r} can't be used: {error}", name) from None


def _is_harmless(name: str, value: Any) -> bool:
    if name == "n":
        return bool(value == 1)
    if name == "modalities":
        return value in (["text"], ("text",))
    if value == {"type": "disabled"}:
        return name == "thinking"
    return name in _LITELLM_OWN or (name in _NOTHING_IF_EMPTY and not value)


def _refusal(name: str) -> str:
    if name in _UNSUPPORTED_REASONS:
        return (
            f"{name!r} is not supported: {_UNSUPPORTED_REASONS[name]}. Leave it out, or set "
            "drop_params=True"
        )
    near = difflib.get_close_matches(name, [*Options.model_fields, *Params.model_fields], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"{name!r} is not an option of Azure AI agents.{hint} Leave it out, or set drop_params=True"
    )


def _validate(model: type[Any], values: Mapping[str, Any]) -> Any:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        reason = str(first["msg"]).removeprefix("Value error, ")
        given = (
            ""
            if name in ("credential", "fixed_headers", "thread_store")
            else f" (given: {shown(values.get(name))})"
        )
        raise OptionError(f"{name!r} can't be used: {reason}{given}", name) from None


def shown(value: Any) -> str:
    """``value`` for an error message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
