"""What goes wrong, as LiteLLM's exceptions.

This is the one module outside ``host/`` and ``drivers/`` that imports litellm and httpx: LiteLLM's
exception classes carry the reply's headers in an httpx.Response.

================================================================  ================================
from the service                                                  to the caller
================================================================  ================================
HTTP 400, 413; context length; content filter                     BadRequestError;
                                                                  ContextWindowExceededError;
                                                                  ContentPolicyViolationError
401, a failing credential; 403; 404; 409; 422                     AuthenticationError;
                                                                  PermissionDeniedError;
                                                                  NotFoundError; APIError 409;
                                                                  UnprocessableEntityError
408, 504, our own timeout                                         Timeout
429, ``rate_limit_exceeded`` of a run or response                 RateLimitError (with Retry-After)
500; 502; 503                                                     InternalServerError;
                                                                  BadGatewayError;
                                                                  ServiceUnavailableError
run failed: ``server_error``, unknown code                        InternalServerError
run failed: ``content_filter``; ``invalid_prompt``; a tool        ContentPolicyViolationError;
                                                                  BadRequestError; APIError
run expired; run cancelled by others                              Timeout; APIError
incomplete (token limit, content filter)                          no error: a finish reason
connection lost and not recoverable                               APIConnectionError
================================================================  ================================

Each message names the agent, thread and run, the service's code and request id, and what to do.
Nothing that looks like a token passes.

This is one module because the table above is: one place says which failure becomes which exception.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from litellm import exceptions
from litellm.exceptions import APIConnectionError, NotFoundError, Timeout

from .actions import Lost, Reply
from .redact import scrub, without
from .retry import retry_after_in_text
from .service_errors import ServiceError, inner_error, parse_error

__all__ = ["APIConnectionError", "Context", "NotFoundError", "Timeout"]

_log = logging.getLogger("litellm_azure_agents")
_REQUEST_ID_HEADERS = (
    "x-request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-ms-client-request-id",
)
_RETRY_HEADERS = ("retry-after", "retry-after-ms", "x-ms-retry-after-ms")
_PASSED_HEADERS = (*_REQUEST_ID_HEADERS, *_RETRY_HEADERS)
_CONTEXT_LENGTH = re.compile(r"context_length_exceeded|maximum context length|context window", re.I)
_CONTENT_FILTER = re.compile(
    r"content_filter|content_policy|content management policy|responsibleai", re.I
)
_SILENT_FOR_LONG = 30.0
"""Seconds. Services that are busy may well be silent for a shorter time."""
_CALLERS_ID = re.compile(r"\b(?:thread|conv|resp|msg|file|assistant|vs)[_-]\w+")


class CredentialError(Exception):
    """There is no token. ``source`` says what was tried, ``reason`` why it failed (no secrets)."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"no Azure token from {source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:  # a pickled exception is made again from its parts
        return type(self), (self.source, self.reason)


@dataclass(slots=True)
class Context:
    """What an error says of its call; ``ids`` are those of `Call.with_ids`."""

    model: str
    provider: str
    agent: str
    ids: dict[str, str] = field(default_factory=dict)
    secrets: Callable[[], Iterable[str]] = tuple
    """The secrets that have been sent so far, which the service may repeat."""
    detached: bool = False
    """Whether the run goes on when its caller leaves."""
    clients_timeout: bool = False
    """Whether a proxy's client chose the timeout."""

    def scrub(self, text: str) -> str:
        """``text`` without secrets and not too long."""
        return scrub(text, self.secrets())

    def without_secrets(self, text: str) -> str:
        """``text``, whole, without the secrets that have been sent."""
        return without(text, self.secrets())

    def where(self) -> str:
        """The agent and the ids known so far, for people."""
        parts = [f"agent {self.agent!r}"] if self.agent else [f"project {self.model}"]
        for name in ("thread_id", "run_id", "conversation_id", "response_id"):
            value = self.ids.get(name)
            if value and not (
                name == "thread_id"
                and value in (self.ids.get("conversation_id"), self.ids.get("response_id"))
            ):
                parts.append(f"{name.removesuffix('_id')} {value}")
        return ", ".join(parts)


def _error(
    kind: Callable[..., Exception], context: Context, message: str, **details: Any
) -> Exception:
    """One of LiteLLM's exceptions; its message is freed of secrets."""
    names = {"model": context.model, "llm_provider": context.provider}
    return kind(message=context.scrub(message), **names, **details)


def spare_deployment(error: Exception) -> Exception:
    """``error``, after which a Router goes on using the deployment, since it may be healthy.

    LiteLLM stops using a deployment after 401, 404, 408, 429 and every 5xx, for all callers, as
    long as the error's Retry-After says. 0 means not at all, in every version of LiteLLM.
    """
    cast(Any, error).litellm_response_headers = httpx.Headers({"retry-after": "0"})
    return error


def bad_request(context: Context, message: str, *, param: str | None = None) -> Exception:
    """The caller's input is wrong; nothing was sent for it."""
    body = _body(context, message, param, None)
    return _error(exceptions.BadRequestError, context, message, body=body)


def not_found(context: Context, message: str, *, param: str) -> Exception:
    """What a caller named isn't there. It is his mistake, so the deployment stays in use."""
    response = httpx.Response(404, request=httpx.Request("GET", "https://services.ai.azure.com"))
    error = _error(
        exceptions.NotFoundError, context, f"{message} ({context.where()})", response=response
    )
    cast(Any, error).param = param
    return spare_deployment(error)


def _body(
    context: Context, message: str, param: str | None, code: str | None
) -> dict[str, str | None]:
    return {
        "message": context.scrub(message),
        "type": "invalid_request_error",
        "param": param and context.scrub(param),
        "code": code and context.scrub(code),
    }


def unsupported(context: Context, message: str, *, param: str | None) -> Exception:
    """The caller gave an OpenAI parameter that agents don't have."""
    error: Any = _error(exceptions.UnsupportedParamsError, context, message)
    error.param = param  # a proxy shows it
    return cast(Exception, error)


def authentication(context: Context, message: str) -> Exception:
    """There is no token."""
    return _error(exceptions.AuthenticationError, context, message)


def timed_out(context: Context, seconds: float) -> Exception:
    """The caller's ``timeout``, which bounds the whole call, has passed.

    It speaks against the deployment only if the service was silent for long and the operator or
    developer chose the timeout.
    """
    begun = bool(context.ids.get("run_id") or context.ids.get("response_id"))
    stopped = ""
    if context.ids.get("run_id"):
        stopped = "The run goes on. " if context.detached else "The run was asked to stop. "
    error = _error(
        Timeout,
        context,
        f"no end within the timeout of {seconds:g} s ({context.where()}). {stopped}"
        "Raise `timeout`, or shorten the task.",
    )
    if begun or context.clients_timeout or seconds < _SILENT_FOR_LONG:
        return spare_deployment(error)
    return error


def run_expired(context: Context) -> Exception:
    """The run passed the service's limit of 10 minutes."""
    error = _error(
        Timeout,
        context,
        f"the run expired at the service, which gives it 10 minutes ({context.where()}). "
        "Send the message again on the same thread.",
    )
    return spare_deployment(error)


def connection(context: Context, lost: Lost, *, doing: str) -> Exception:
    """The connection failed, and further attempts too."""
    fate = (
        "The service may have acted on it, so it was not sent twice."
        if lost.sent
        else "Nothing had been sent. Check api_base, and that its host is up."
    )
    message = f"{lost.reason} while trying to {doing} ({context.where()}). {fate}"
    return _error(APIConnectionError, context, message)


def unexpected(context: Context, reply: Reply, *, doing: str) -> Exception:
    """A reply is successful, but not what was asked for. A gateway may have sent it."""
    kind = reply.headers.get("content-type") or "no content type"
    text = parse_error(reply).message
    return internal(
        context,
        f"The reply to the request to {doing} is not from a Foundry project: status "
        f"{reply.status}, {kind}: {text[:200]!r}. Check the project endpoint (api_base)",
    )


def too_large(context: Context, limit: int, *, doing: str) -> Exception:
    """A reply is larger than the operator allows."""
    return internal(
        context,
        f"The reply to the request to {doing} is larger than max_response_bytes ({limit} bytes)",
    )


def internal(context: Context, message: str) -> Exception:
    """The service broke the protocol, or this package has a bug."""
    return _error(exceptions.InternalServerError, context, f"{message} ({context.where()})")


def api_error(context: Context, message: str, *, status: int = 500) -> Exception:
    """A failure of one run that has no class of its own in LiteLLM."""
    message = f"{message} ({context.where()})"
    return spare_deployment(_error(exceptions.APIError, context, message, status_code=status))


def from_reply(context: Context, reply: Reply, *, doing: str, hint: str | None = None) -> Exception:
    """The exception for a reply that is an error.

    ``doing`` completes "The service could not …". ``hint`` replaces the advice that the status
    gives.
    """
    error = parse_error(reply)
    # LiteLLM's exceptions carry headers in an httpx.Response, which takes no other characters.
    headers = {n: v for n, v in reply.headers.items() if n in _PASSED_HEADERS and v.isascii()}
    request_id = next((headers[h] for h in _REQUEST_ID_HEADERS if headers.get(h)), None)
    details = [f"status {reply.status}"]
    if error.code:
        details.append(f"code {error.code}")
    if error.param:
        details.append(f"param {error.param}")
    if request_id:
        details.append(f"request id {request_id}")
    message = (
        f"The service could not {doing}: {error.message} [{', '.join(details)}] ({context.where()})"
    )
    if reply.status in (429, 503):
        headers = _with_retry_after(headers, error)
    hint = hint or _HINTS.get(302 if 300 <= reply.status < 400 else reply.status)
    if reply.status == 404 and _is_callers(context, error.message):
        # Without this header a Router would stop using the deployment for everybody.
        headers.setdefault("retry-after", "0")
    return _by_status(
        context, reply.status, f"{message}. {hint}" if hint else message, error, headers
    )


def _is_callers(context: Context, message: str) -> bool:
    """Whether what is missing is a thread, a file … that the caller named, not the agent."""
    return context.agent not in message and bool(context.ids or _CALLERS_ID.search(message))


_HINTS = {
    302: "The answer is a redirect, which is not followed: check api_base.",
    401: "Check the credential: agents take a Microsoft Entra token for scope "
    "https://ai.azure.com/.default.",
    403: "The identity needs a role on the Foundry project, such as Azure AI User.",
    404: "Check the id, the project endpoint (api_base) and api_version.",
}


def _with_retry_after(headers: Mapping[str, str], error: ServiceError) -> dict[str, str]:
    """``headers`` with the seconds that only the text of the error names."""
    seconds = retry_after_in_text(error.message)
    if seconds is None or any(name in headers for name in _RETRY_HEADERS):
        return dict(headers)
    return {**headers, "retry-after": f"{seconds:g}"}


def from_failure(context: Context, error: ServiceError, *, what: str) -> Exception:
    """The exception for a run or response that the service reports as failed."""
    code, message = error.code, error.message
    text = f"{what} failed: {message or 'no reason given'} [code {code}] ({context.where()})"
    lowered = (code or "").lower()
    if lowered == "rate_limit_exceeded":
        return _by_status(context, 429, text, error, _with_retry_after({}, error))
    if lowered == "context_length_exceeded" or _CONTENT_FILTER.search(lowered):
        return _by_status(context, 400, text, error, {})
    if lowered in _CALLERS_FAULT or "image" in lowered:
        return _by_status(context, 400, text, error, {})
    if "tool" in lowered:
        return api_error(context, f"{what} failed in one of the agent's tools: {message} [{code}]")
    return _by_status(context, 500, text, error, {})


_CALLERS_FAULT = frozenset(
    {"invalid_prompt", "invalid_request_error", "invalid_request", "bio_policy",
     "data_residency_mismatch", "invalid_parameters"}
)  # fmt: skip


def _by_status(
    context: Context,
    status: int,
    message: str,
    error: ServiceError,
    headers: Mapping[str, str],
) -> Exception:
    headers = {name: without(value, context.secrets()) for name, value in headers.items()}
    response = httpx.Response(
        status_code=status,
        headers=dict(headers),
        request=httpx.Request("POST", "https://services.ai.azure.com"),
    )
    evidence = f"{error.code} {error.message}"
    if status in (408, 504):
        limits = {"headers": dict(headers), "exception_status_code": status}
        return _error(Timeout, context, message, **limits)
    if status == 409:
        return _error(exceptions.APIError, context, message, status_code=status)
    kind = _CLASSES.get(status)
    if status < 400:  # a redirect, which is not followed: api_base is wrong
        kind = exceptions.BadGatewayError
    elif status in (400, 413) and _CONTEXT_LENGTH.search(evidence):
        kind = exceptions.ContextWindowExceededError
    elif status == 400 and _CONTENT_FILTER.search(evidence):
        kind = exceptions.ContentPolicyViolationError
    elif kind is None and status >= 500:
        kind = exceptions.InternalServerError
    body = _body(context, message, error.param, error.code)
    if kind is exceptions.ContentPolicyViolationError:
        details = {"provider_specific_fields": _filter_details(context, error), "body": body}
        return _error(kind, context, message, response=response, **details)
    if kind is not None:
        return _error(kind, context, message, response=response)
    return _error(exceptions.BadRequestError, context, message, response=response, body=body)


def _filter_details(context: Context, error: ServiceError) -> dict[str, Any]:
    """Which content filter stopped what, under the names of LiteLLM's own Azure provider."""
    given = _scrubbed(context, error.given)
    inner = inner_error(given) or None
    return {"innererror": inner, "inner_error": inner, "azure_error": given or None}


def _scrubbed(context: Context, value: Any) -> Any:
    """``value`` with its texts freed of secrets."""
    if isinstance(value, str):
        return context.scrub(value)
    if isinstance(value, Mapping):
        return {name: _scrubbed(context, inner) for name, inner in value.items()}
    return [_scrubbed(context, item) for item in value] if isinstance(value, list) else value


_CLASSES: dict[int, Callable[..., Exception]] = {
    401: exceptions.AuthenticationError,
    403: exceptions.PermissionDeniedError,
    404: NotFoundError,
    422: exceptions.UnprocessableEntityError,
    429: exceptions.RateLimitError,
    502: exceptions.BadGatewayError,
    503: exceptions.ServiceUnavailableError,
}


def translated(context: Context, error: Exception) -> Exception:
    """The exception that the caller gets for ``error``.

    LiteLLM's own exceptions stay as they are. Anything else is logged with its traceback and
    becomes an InternalServerError that names its class only.
    """
    if type(error).__module__.startswith("litellm."):
        return error
    if isinstance(error, CredentialError):
        return authentication(context, str(error))
    _log.exception("unexpected failure in a call to agent %r", context.agent)
    return internal(context, f"Unexpected failure in litellm-azure-agents: {type(error).__name__}")


@contextmanager
def translating(context: Context) -> Iterator[None]:
    """Raise an exception from inside as the one that the caller gets, see `translated`."""
    try:
        yield
    except Exception as error:
        raise translated(context, error) from error.__cause__
