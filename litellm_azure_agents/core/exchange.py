"""Requests with the retries that are safe, as generators both protocols share."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from . import errors
from .actions import Action, Exchange, Lookup, Lost, Reply, Request, Send, Stream, Wait
from .call import Call
from .json_values import as_text
from .retry import MAX_OBEYED_WAIT, backoff, is_retryable, retry_after

Asked = Generator[Action, Any, dict[str, Any]]


class LostAnswer(Exception):
    """A request got no answer and may have been acted on: ask before sending it again."""

    def __init__(self, lost: Lost, doing: str) -> None:
        super().__init__(lost.reason)
        self.lost = lost
        self.doing = doing


def request(
    call: Call,
    action: Send | Stream | Lookup,
    *,
    doing: str,
    repeatable: bool = False,
) -> Exchange:
    """Play ``action`` until it has an answer, within the caller's timeout.

    Tried again: what the service refused unread (429, 503), what was
    never sent, and, if ``repeatable`` (reading, cancelling), lost answers and 5xx too. Returns the
    Reply, an error reply included when it can't be retried. Raises `LostAnswer` when a request that
    is not repeatable got none, and LiteLLM's exceptions for timeouts and failing connections.
    """
    attempt = 0
    while True:
        result: Reply | Lost = yield action
        if isinstance(result, Lost):
            if result.timed_out:
                raise errors.timed_out(call.context, call.timeout)
            if result.sent and not repeatable:
                raise LostAnswer(result, doing)
            wait = backoff(attempt, call.random)
            failure = errors.connection(call.context, result, doing=doing)
        else:
            again = is_retryable(result) or (repeatable and result.status >= 500)
            if not again:
                return result
            asked = retry_after(result.headers, time.time())
            wait = backoff(attempt, call.random) if asked is None else asked
            failure = errors.from_reply(call.context, result, doing=doing)
        if attempt >= call.max_retries or wait > min(MAX_OBEYED_WAIT, call.remaining()):
            raise failure
        attempt += 1
        yield Wait(wait)


def succeed(call: Call, action: Send | Lookup, *, doing: str, repeatable: bool = False) -> Exchange:
    """As `request`; an answer that is an error is raised."""
    reply = yield from request(call, action, doing=doing, repeatable=repeatable)
    if not reply.ok:
        raise errors.from_reply(call.context, reply, doing=doing)
    return reply


def fetch(call: Call, url: str, *, doing: str) -> Exchange:
    """GET ``url``; an answer that is an error is raised."""
    return (yield from succeed(call, Send(Request("GET", url)), doing=doing, repeatable=True))


# -- answers that are objects ------------------------------------------------------------------


def object_in(
    call: Call, reply: Reply, *, doing: str, having: Sequence[str] = ("id",)
) -> dict[str, Any]:
    """The object that a successful answer is. One that is none, or lacks a text that it must have,
    is raised as LiteLLM's InternalServerError: it doesn't come from a Foundry project."""
    found = reply.object()
    if found is None or not all(isinstance(found.get(n), str) and found[n] for n in having):
        raise errors.unexpected(call.context, reply, doing=doing)
    return found


def ask(
    call: Call,
    action: Send | Lookup,
    *,
    doing: str,
    repeatable: bool = False,
    having: Sequence[str] = ("id",),
) -> Asked:
    """The object that ``action`` is answered with, see `request` and `object_in`."""
    reply = yield from succeed(call, action, doing=doing, repeatable=repeatable)
    return object_in(call, reply, doing=doing, having=having)


def read(call: Call, url: str, *, doing: str, having: Sequence[str] = ("id",)) -> Asked:
    """The object at ``url``."""
    action = Send(Request("GET", url))
    return (yield from ask(call, action, doing=doing, repeatable=True, having=having))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list; ``after`` is the id behind which the next one begins, None at the end."""

    items: list[dict[str, Any]]
    after: str | None


def read_page(call: Call, url: str, *, doing: str) -> Generator[Action, Any, Page]:
    """The page of a list at ``url``; what is no object in it is passed over."""
    reply = yield from fetch(call, url, doing=doing)
    page = object_in(call, reply, doing=doing, having=())
    data = page.get("data")
    if not isinstance(data, list):
        raise errors.unexpected(call.context, reply, doing=doing)
    items = [item for item in data if isinstance(item, dict)]
    last = as_text(page.get("last_id")) or as_text(items[-1].get("id") if items else None)
    return Page(items, last or None if page.get("has_more") else None)
