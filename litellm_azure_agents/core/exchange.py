"""Requests with the retries that are safe, as generators that both protocols share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import errors
from .actions import Actions, Exchange, Lookup, Lost, Reply, Request, Send, Steps, Stream, Wait
from .call import Call
from .json_values import Json, JsonObject, as_int, as_text
from .retry import LOOKS, MAX_OBEYED_WAIT, RECOVERY_PATIENCE, backoff, is_retryable
from .service_errors import wait_asked_for


class LostAnswer(Exception):
    """A request got no reply and may have been acted on: look before sending it again."""

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
    """Perform ``action`` until it has a reply, within the caller's timeout.

    Sent again is what the service refused unread (429, 503) and what was never sent. If
    ``repeatable`` (reading, cancelling), also what got no reply or a 5xx. Returns the Reply, also
    one that is an error. Raises `LostAnswer` if a request that is not repeatable got no reply, and
    LiteLLM's exceptions for timeouts and failing connections.
    """
    attempt, began = 0, call.clock()
    # Once something may run at the service, its state has to be found out.
    may_run = call.attempt.sent or call.attempt.inherited
    patience = RECOVERY_PATIENCE if repeatable and may_run else call.patience
    while True:
        result: Reply | Lost = yield action
        patient = True
        if isinstance(result, Lost):
            if result.timed_out:
                raise errors.timed_out(call.context, call.timeout)
            if result.sent and not repeatable:
                raise LostAnswer(result, doing)
            wait = backoff(attempt, call.random)
            failure = errors.connection(call.context, result, doing=doing)
        elif result.too_large and result.ok and action.request.max_bytes is None:
            raise errors.too_large(call.context, call.options.max_response_bytes, doing=doing)
        else:
            patient = not is_retryable(result)
            if patient and not (repeatable and result.status >= 500):
                return result
            asked = wait_asked_for(result, time.time())
            wait = backoff(attempt, call.random) if asked is None else asked
            failure = errors.from_reply(call.context, result, doing=doing)
        waited = call.clock() - began + wait
        if attempt >= call.max_retries and not (patient and waited < patience):
            raise failure
        if wait > min(MAX_OBEYED_WAIT, call.remaining()):
            raise failure
        attempt += 1
        yield Wait(wait)


def send_once(
    call: Call, attempt: Callable[[], Exchange], arrived: Callable[[], Actions[bool]]
) -> Actions[Reply | None]:
    """Send a request that must not be acted on twice.

    If its reply gets lost, ``arrived`` looks whether the service acted on it; if not, ``attempt``
    is made again. Returns the reply, or None if the request arrived and only its reply was lost.
    Raises `LostAnswer` when the tries or the time for them are used up.
    """
    began, tries = call.clock(), 0
    patience = RECOVERY_PATIENCE if call.patience else 0.0
    while True:
        try:
            return (yield from attempt())
        except LostAnswer as lost:
            for pause in LOOKS:  # it may still be on its way
                if pause > call.remaining():
                    raise
                yield Wait(pause)
                try:
                    if (yield from arrived()):
                        return None
                except errors.Timeout:
                    raise
                except Exception:  # what became of it can't be found out
                    raise lost from None
            if tries >= call.max_retries and call.clock() - began > patience:
                raise
            tries += 1


def insist(action: Send, *, random: Callable[[], float]) -> Steps:
    """Perform ``action`` until it has any reply, within the driver's time for cleaning up.

    For requests whose reply changes nothing: cancelling, deleting.
    """
    for attempt in range(8):
        result: Reply | Lost = yield action
        if isinstance(result, Reply) or result.timed_out:
            return
        yield Wait(backoff(attempt, random) / 5)


def succeed(call: Call, action: Send | Lookup, *, doing: str, repeatable: bool = False) -> Exchange:
    """As `request`; raises the exception for a reply that is an error."""
    reply = yield from request(call, action, doing=doing, repeatable=repeatable)
    if not reply.ok:
        raise errors.from_reply(call.context, reply, doing=doing)
    return reply


def fetch(call: Call, url: str, *, doing: str) -> Exchange:
    """GET ``url``; raises the exception for a reply that is an error."""
    return (yield from succeed(call, Send(Request("GET", url)), doing=doing, repeatable=True))


# -- replies that are objects ------------------------------------------------------------------


def object_in(
    call: Call, reply: Reply, *, doing: str, having: Sequence[str] = ("id",)
) -> JsonObject:
    """The JSON object of a successful reply.

    Raises InternalServerError if it is none or a required string is missing: the reply is not from
    a Foundry project.
    """
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
) -> Actions[JsonObject]:
    """The object of the reply to ``action``, see `request` and `object_in`."""
    reply = yield from succeed(call, action, doing=doing, repeatable=repeatable)
    return object_in(call, reply, doing=doing, having=having)


def read(
    call: Call, url: str, *, doing: str, having: Sequence[str] = ("id",)
) -> Actions[JsonObject]:
    """The object at ``url``."""
    action = Send(Request("GET", url))
    return (yield from ask(call, action, doing=doing, repeatable=True, having=having))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list; ``after`` is the id after which the next page begins, None at the end."""

    items: list[JsonObject]
    after: str | None


def read_page(call: Call, url: str, *, doing: str) -> Actions[Page]:
    """A page of the list at ``url``; items that are no objects are ignored."""
    reply = yield from fetch(call, url, doing=doing)
    page = object_in(call, reply, doing=doing, having=())
    data = page.get("data")
    if not isinstance(data, list):
        raise errors.unexpected(call.context, reply, doing=doing)
    items = [item for item in data if isinstance(item, dict)]
    last = as_text(page.get("last_id")) or as_text(items[-1].get("id") if items else None)
    return Page(items, last or None if page.get("has_more") else None)


def find_recent(
    call: Call,
    url: Callable[[Sequence[tuple[str, str]]], str],
    wanted: Callable[[Json], bool],
    *,
    doing: str,
) -> Actions[JsonObject | None]:
    """The first ``wanted`` object of a list, or None.

    The list has the newest first. It is read page by page, back to the time of the first attempt at
    this request: a busy project makes more than a page meanwhile. ``url`` takes what to add to the
    query.
    """
    age = call.clock() - call.attempt.began
    newest = 0

    def reaches_back(page: Page) -> bool:
        nonlocal newest
        made = [as_int(item.get("created_at")) for item in page.items]
        newest = newest or max(made, default=0)
        # By the service's clock it is `newest` or later now; 2, because both times are rounded.
        return min(made, default=0) < newest - age - 2

    found = yield from read_all(call, url, doing=doing, wanted=wanted, limit=1, until=reaches_back)
    return found[0] if found else None


def read_all(
    call: Call,
    url: Callable[[Sequence[tuple[str, str]]], str],
    *,
    doing: str,
    order: str = "desc",
    wanted: Callable[[Json], bool] = lambda _: True,
    limit: int | None = None,
    until: Callable[[Page], bool] = lambda _: False,
) -> Actions[list[JsonObject]]:
    """The ``wanted`` items of a list, page after page, ``limit`` of them at most.

    ``url`` gives the list's URL with a query. Newest first, unless ``order`` is ``asc``. No page is
    read after one of which ``until`` is true.
    """
    found: list[JsonObject] = []
    after: list[tuple[str, str]] = []
    while limit is None or len(found) < limit:
        page = yield from read_page(
            call, url([("limit", "100"), ("order", order), *after]), doing=doing
        )
        found += [item for item in page.items if wanted(item)]
        if page.after is None or until(page):
            break
        after = [("after", page.after)]
    return found[:limit]
