"""Requests with the retries that are safe, as generators both protocols share."""

from __future__ import annotations

import time

from . import errors
from .actions import Exchange, Lookup, Lost, Reply, Request, Send, Stream, Wait
from .call import Call
from .retry import MAX_OBEYED_WAIT, backoff, is_retryable, retry_after


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


def fetch(call: Call, url: str, *, doing: str) -> Exchange:
    """GET ``url``; an answer that is an error is raised."""
    reply = yield from request(call, Send(Request("GET", url)), doing=doing, repeatable=True)
    if not reply.ok:
        raise errors.from_reply(call.context, reply, doing=doing)
    return reply
