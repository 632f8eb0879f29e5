"""Looks up whose a thing is, before anything is sent that could read or change it."""

from __future__ import annotations

from collections.abc import Iterable

from ..continuity.isolation import access_key, belongs_to
from ..core import errors
from ..core.actions import Recall, Remember, Request, Send, Steps
from ..core.call import Call
from ..core.exchange import request
from ..core.owner import Reference, known_owners


def check_owned(call: Call, url: str, reference: Reference) -> Steps:
    """Raise NotFoundError unless the object at ``url`` belongs to the caller.

    The owner is asked for once, and remembered. What doesn't exist and what is another's get the
    same error. Without isolation everything is the caller's.
    """
    owner = call.owner
    if owner is None:
        return
    tag = known_owners.tag_of(url)
    if tag is None:
        doing = f"look up the {reference.what} {reference.id}"
        reply = yield from request(call, Send(Request("GET", url)), doing=doing, repeatable=True)
        if not reply.ok and reply.status not in (400, 404):
            raise errors.from_reply(call.context, reply, doing=doing)
        if reply.ok and belongs_to(reply.object() or {}, owner):
            tag = owner.tag
            known_owners.learn(url, tag)
    if tag != owner.tag:
        raise not_found(call, reference)


def check_given(call: Call, references: Iterable[Reference]) -> Steps:
    """Raise NotFoundError for what was not given out to the caller before: files, items …

    The service says of these not whose they are, so the store has to know.
    """
    if call.owner is None:
        return
    for reference in dict.fromkeys(references):
        found = yield Recall(access_key(call.owner, reference.id))
        if not isinstance(found, str):
            raise not_found(call, reference)


def give(call: Call, ids: Iterable[str]) -> Steps:
    """Remember what the caller is given, so that he can name it later."""
    if call.owner is not None:
        for id in sorted(set(ids)):
            yield Remember(access_key(call.owner, id), "1")


def learn(call: Call, url: str) -> None:
    """The thing at ``url`` was made by this call, or is the caller's by another proof."""
    if call.owner is not None:
        known_owners.learn(url, call.owner.tag)


def not_found(call: Call, reference: Reference) -> Exception:
    """The error for what is not the caller's, and for what doesn't exist."""
    return errors.not_found(
        call.context, f"There is no {reference.what} {reference.id!r}", param=reference.param
    )
