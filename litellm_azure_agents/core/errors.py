"""What goes wrong, as the exception an OpenAI client of LiteLLM expects.

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
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from litellm import exceptions
from litellm.exceptions import APIConnectionError, NotFoundError, Timeout

from .actions import Lost, Reply
from .redact import scrub
from .retry import retry_after_in_text

__all__ = ["APIConnectionError", "Context", "NotFoundError", "ServiceError", "Timeout"]

_log = logging.getLogger("litellm_azure_agents")
_REQUEST_ID_HEADERS = (
    "x-request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-ms-client-request-id",
)
_PASSED_HEADERS = (*_REQUEST_ID_HEADERS, "retry-after", "retry-after-ms", "x-ms-retry-after-ms")
_CONTEXT_LENGTH = re.compile(
    r"context_length_exceeded|maximum context length|context window|string_above_max_length", re.I
)
_CONTENT_FILTER = re.compile(
    r"content_filter|content_policy|content management policy|responsibleai", re.I
)
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
    """Whose call it is: what an error needs to say where it happened."""

    model: str
    provider: str
    agent: str
    ids: dict[str, str] = field(default_factory=dict)

    def where(self) -> str:
        parts = [f"agent {self.agent!r}"] if self.agent else [f"project {self.model}"]
        for name in ("thread_id", "run_id", "conversation_id", "response_id"):
            value = self.ids.get(name)
            if value and not (
                name == "thread_id"
                and value in (self.ids.get("conversation_id"), self.ids.get("response_id"))
            ):
                parts.append(f"{name.removesuffix('_id')} {value}")
        return ", ".join(parts)


def bad_request(context: Context, message: str, *, param: str | None = None) -> Exception:
    """The caller's input is wrong; nothing was sent for it."""
    body = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return exceptions.BadRequestError(
        message=scrub(message), model=context.model, llm_provider=context.provider, body=body
    )


def unsupported(context: Context, message: str, *, param: str | None) -> Exception:
    """An OpenAI parameter that agents don't know; LiteLLM's own class for that."""
    error = exceptions.UnsupportedParamsError(
        message=scrub(message), model=context.model, llm_provider=context.provider
    )
    error.param = param  # a proxy shows it
    return error


def authentication(context: Context, message: str) -> Exception:
    """No token could be had, or it was refused."""
    return exceptions.AuthenticationError(
        message=scrub(message), llm_provider=context.provider, model=context.model
    )


def timed_out(context: Context, seconds: float) -> Exception:
    """Our own ``timeout``, which bounds the whole call, has passed."""
    stopped = "The run was asked to stop. " if context.ids.get("run_id") else ""
    return Timeout(
        message=f"no end within the timeout of {seconds:g} s ({context.where()}). {stopped}"
        "Raise `timeout`, or shorten the task.",
        model=context.model,
        llm_provider=context.provider,
    )


def run_expired(context: Context) -> Exception:
    """The run passed the service's limit of 10 minutes."""
    return Timeout(
        message=f"the run expired at the service, which gives it 10 minutes ({context.where()}). "
        "Send the message again on the same thread.",
        model=context.model,
        llm_provider=context.provider,
    )


def connection(context: Context, lost: Lost, *, doing: str) -> Exception:
    """The connection failed and asking again did not help."""
    fate = (
        "The service may have acted on it, so it was not sent twice."
        if lost.sent
        else "Nothing had been sent. Check api_base, and that its host is up."
    )
    return APIConnectionError(
        message=scrub(f"{lost.reason} while trying to {doing} ({context.where()}). {fate}"),
        model=context.model,
        llm_provider=context.provider,
    )


def unexpected(context: Context, reply: Reply, *, doing: str) -> Exception:
    """A successful answer that is not what was asked for: seldom from the service."""
    kind = reply.headers.get("content-type") or "no content type"
    text = parse_error(reply).message
    return internal(
        context,
        f"The answer to the request to {doing} is none of a Foundry project: status "
        f"{reply.status}, {kind}: {text[:200]!r}. Check the project endpoint (api_base)",
    )


def internal(context: Context, message: str) -> Exception:
    """The service broke the protocol, or we did."""
    return exceptions.InternalServerError(
        message=scrub(f"{message} ({context.where()})"),
        model=context.model,
        llm_provider=context.provider,
    )


def api_error(context: Context, message: str, *, status: int = 500) -> Exception:
    """A failure that has no class of its own in LiteLLM."""
    return exceptions.APIError(
        status_code=status,
        message=scrub(f"{message} ({context.where()})"),
        model=context.model,
        llm_provider=context.provider,
    )


@dataclass(frozen=True, slots=True)
class ServiceError:
    """An error body, whichever gateway wrote it (protocols A7, B3)."""

    message: str
    code: str | None = None
    param: str | None = None


def parse_error(reply: Reply) -> ServiceError:
    """The error in an answer: OpenAI's, Azure's or a gateway's JSON; HTML and text as they are."""
    data = reply.object()
    if data is not None:
        return parse_error_object(data)
    text = re.sub(r"<[^>]+>", " ", reply.content.decode("utf-8", "replace"))
    return ServiceError(message=" ".join(text.split())[:300] or f"HTTP status {reply.status}")


def parse_error_object(data: Mapping[str, Any]) -> ServiceError:
    """The error in a decoded body, an SSE ``error`` event or a ``last_error``."""
    inner = data.get("error")
    if isinstance(inner, str):
        return ServiceError(message=inner)
    error: Mapping[str, Any] = inner if isinstance(inner, dict) else data
    nested = error.get("innererror")
    code = error.get("code") or error.get("statusCode")
    if isinstance(nested, dict) and nested.get("code"):
        code = f"{code}/{nested['code']}"
    message = error.get("message")
    details = error.get("details")
    if isinstance(details, list) and details:
        message = f"{message} {json.dumps(details)[:500]}"
    param = error.get("param")
    return ServiceError(
        message=str(message) if message else json.dumps(data)[:500],
        code=str(code) if code is not None else None,
        param=str(param) if param is not None else None,
    )


def parse_failure(failure: Any) -> ServiceError:
    """``last_error`` of a run or ``error`` of a response: an object, text, or nothing."""
    if isinstance(failure, Mapping) and failure:
        return parse_error_object(failure)
    return ServiceError(message=failure if isinstance(failure, str) else "")


def from_reply(context: Context, reply: Reply, *, doing: str, hint: str | None = None) -> Exception:
    """The exception for an HTTP answer that is an error. ``doing`` completes "could not …";
    ``hint`` says what to do, if the caller knows better than the status."""
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
    hint = hint or _HINTS.get(302 if 300 <= reply.status < 400 else reply.status)
    if reply.status == 404 and _is_callers(context, error.message):
        # A Router would stop using the deployment, for everybody, were it not told that there is
        # nothing to wait for.
        headers.setdefault("retry-after", "0")
    return _by_status(
        context, reply.status, f"{message}. {hint}" if hint else message, error, headers
    )


def _is_callers(context: Context, message: str) -> bool:
    """Whether what isn't there is a thread, file … that the caller named, not the agent."""
    return context.agent not in message and bool(context.ids or _CALLERS_ID.search(message))


_HINTS = {
    302: "The answer is a redirect, which is not followed: check api_base.",
    401: "Check the credential: agents take a Microsoft Entra token for scope "
    "https://ai.azure.com/.default.",
    403: "The identity needs a role on the Foundry project, such as Azure AI User.",
    404: "Check the id, the project endpoint (api_base) and api_version.",
}


def from_failure(context: Context, code: str | None, message: str, *, what: str) -> Exception:
    """The exception for a run or response that the service reports as failed."""
    error = ServiceError(message=message, code=code)
    text = f"{what} failed: {message or 'no reason given'} [code {code}] ({context.where()})"
    lowered = (code or "").lower()
    if lowered == "rate_limit_exceeded":
        seconds = retry_after_in_text(message)
        headers = {} if seconds is None else {"retry-after": f"{seconds:g}"}
        return _by_status(context, 429, text, error, headers)
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
    message = scrub(message)
    model, provider = context.model, context.provider
    response = httpx.Response(
        status_code=status,
        headers=dict(headers),
        request=httpx.Request("POST", "https://services.ai.azure.com"),
    )
    evidence = f"{error.code} {error.message}"
    told: dict[str, Any] = {"message": message, "model": model, "llm_provider": provider}
    if status in (408, 504):
        return Timeout(**told, headers=dict(headers), exception_status_code=status)
    if status < 400:  # a redirect, which carries no token elsewhere: api_base is wrong
        return exceptions.BadGatewayError(**told, response=response)
    if status == 409:
        return exceptions.APIError(status_code=status, **told)
    if status in (400, 413) and _CONTEXT_LENGTH.search(evidence):
        return exceptions.ContextWindowExceededError(**told, response=response)
    if status == 400 and _CONTENT_FILTER.search(evidence):
        return exceptions.ContentPolicyViolationError(**told, response=response)
    by_status = _CLASSES.get(status)
    if by_status is None and status >= 500:
        by_status = exceptions.InternalServerError
    if by_status is not None:
        return by_status(**told, response=response)
    body = {
        "message": message, "type": "invalid_request_error",
        "param": error.param, "code": error.code,
    }  # fmt: skip
    return exceptions.BadRequestError(**told, response=response, body=body)


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
    """What the caller gets for ``error``: LiteLLM's exceptions as they are, and no traceback of
    anything else, which goes to our log."""
    if type(error).__module__.startswith("litellm."):
        return error
    if isinstance(error, CredentialError):
        return authentication(context, str(error))
    _log.exception("unexpected failure in a call to agent %r", context.agent)
    return internal(context, f"Unexpected failure in litellm-azure-agents: {type(error).__name__}")


@contextmanager
def translating(context: Context) -> Iterator[None]:
    """Raises what is raised inside as the exception that the caller gets, see `translated`."""
    try:
        yield
    except Exception as error:
        raise translated(context, error) from error.__cause__
