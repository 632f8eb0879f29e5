"""What a service or a gateway says went wrong: its error objects in all their forms.

Sources: protocols A7 (classic agents), B3 (new agents); gateways answer with pages or plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .actions import Reply
from .json_values import as_object
from .retry import retry_after, retry_after_in_text

_TAG = re.compile(r"<[^<>]+>")


@dataclass(frozen=True, slots=True)
class ServiceError:
    """What a service or a gateway says went wrong (protocols A7, B3)."""

    message: str
    code: str | None = None
    param: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    """The error object as it came, which may say more: which content filter stopped what."""


def parse_error(reply: Reply) -> ServiceError:
    """The error in a reply: from OpenAI's, Azure's or a gateway's JSON, or the body as text."""
    data = reply.object()
    if data is not None:
        return parse_error_object(data)
    text = _TAG.sub(" ", reply.content.decode("utf-8", "replace"))
    return ServiceError(message=" ".join(text.split())[:300] or f"HTTP status {reply.status}")


def parse_error_object(data: Mapping[str, Any]) -> ServiceError:
    """The error in a decoded body, an SSE ``error`` event or a ``last_error``."""
    inner = data.get("error")
    if isinstance(inner, str):
        return ServiceError(message=inner)
    error: Mapping[str, Any] = inner if isinstance(inner, dict) else data
    nested = inner_error(error)
    code = error.get("code") or error.get("statusCode")
    if nested.get("code"):
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
        given=error,
    )


def inner_error(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Azure's details of an error, {} if it has none. Its services spell the name differently."""
    return as_object(error.get("innererror")) or as_object(error.get("inner_error"))


def wait_asked_for(reply: Reply, now: float) -> float | None:
    """Seconds after which a refused request may be sent again, None if the reply doesn't say.

    Headers win over the text of the error ("Please retry after 26 seconds").
    """
    asked = retry_after(reply.headers, now)
    return retry_after_in_text(parse_error(reply).message) if asked is None else asked


def parse_failure(failure: Any) -> ServiceError:
    """``last_error`` of a run or ``error`` of a response: an object, text, or nothing."""
    if isinstance(failure, Mapping) and failure:
        return parse_error_object(failure)
    return ServiceError(message=failure if isinstance(failure, str) else "")
