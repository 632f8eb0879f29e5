"""What agents keep between turns: threads, conversations and responses. List, tag, delete, prune.

>>> from datetime import timedelta
>>> from litellm_azure_agents import conversations
>>> month = timedelta(days=30)
>>> conversations.prune("thread", older_than=month, api_base="https://…")  # doctest: +SKIP

A *thread* belongs to classic agents; a *conversation* or a chain of *responses* to new ones. Where
a function takes an id, its beginning (``thread_``, ``conv_``, ``resp_``) tells the kind; give
``kind`` for other ids. Each function has an async twin with an ``a`` before its name, takes the
arguments of `connect`, and raises LiteLLM's exceptions.

This is one module because it is a public one: half of it is the signatures and docstrings of its
functions and their async twins.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, get_args

from .core import errors
from .core.actions import Actions, Gather, Job, Request, Send, Steps
from .core.attempts import MAX_METADATA
from .core.call import Call, checked_id
from .core.exchange import ask, read, read_all, read_page, succeed
from .core.json_values import Json, JsonObject, as_int, as_object, as_objects, as_text
from .drivers.connection import Connection, Requests
from .host.connection import connect

__all__ = [
    "Pruned", "adelete", "aitems", "alist", "aprune", "ashow", "atag",
    "delete", "items", "list", "prune", "show", "tag",
]  # fmt: skip

Kind = Literal["thread", "conversation", "response"]
_PREFIXES: Mapping[str, Kind] = {
    "thread_": "thread", "conv_": "conversation", "resp_": "response", "caresp_": "response",
}  # fmt: skip
_PATHS: Mapping[Kind, str] = {
    "thread": "threads", "conversation": "conversations", "response": "responses",
}  # fmt: skip
_RUNNING = ("queued", "in_progress", "cancelling")
AT_ONCE = 8

OnProgress = Callable[[int, int], None]
"""Called with the number of objects done, and of all."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` found and did; nothing is deleted if ``dry_run``."""

    found: Sequence[JsonObject]
    deleted: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id -> why it could not be deleted."""
    dry_run: bool = False


def list(
    kind: Kind,
    *,
    limit: int | None = 20,
    agent: str | None = None,
    tags: Mapping[str, str] | None = None,
    older_than: timedelta | None = None,
    **connection: Any,
) -> Sequence[JsonObject]:
    """The newest objects of a kind, ``limit`` of them (None: all).

    ``tags`` are pairs that their metadata must have; ``older_than`` counts from their creation.
    ``agent`` is the name of a new agent (the service keeps no agent with a thread).
    """
    at = connect(**connection)
    found: Sequence[JsonObject] = at.perform(_list(at, kind, limit, agent, tags, older_than))
    return found


async def alist(
    kind: Kind,
    *,
    limit: int | None = 20,
    agent: str | None = None,
    tags: Mapping[str, str] | None = None,
    older_than: timedelta | None = None,
    **connection: Any,
) -> Sequence[JsonObject]:
    """As `list`."""
    at = connect(**connection)
    found: Sequence[JsonObject] = await at.aperform(_list(at, kind, limit, agent, tags, older_than))
    return found


def show(id: str, *, kind: Kind | None = None, **connection: Any) -> JsonObject:
    """A thread, conversation or response, as the service describes it."""
    at = connect(**connection)
    return dict(at.perform(_show(at, id, kind)))


async def ashow(id: str, *, kind: Kind | None = None, **connection: Any) -> JsonObject:
    """As `show`."""
    at = connect(**connection)
    return dict(await at.aperform(_show(at, id, kind)))


def items(id: str, *, kind: Kind | None = None, **connection: Any) -> Sequence[JsonObject]:
    """The messages of a thread, the items of a conversation, the input and output of a response;
    oldest first."""
    at = connect(**connection)
    found: Sequence[JsonObject] = at.perform(_items(at, id, kind))
    return found


async def aitems(id: str, *, kind: Kind | None = None, **connection: Any) -> Sequence[JsonObject]:
    """As `items`."""
    at = connect(**connection)
    found: Sequence[JsonObject] = await at.aperform(_items(at, id, kind))
    return found


def tag(
    id: str,
    tags: Mapping[str, str],
    *,
    remove: Iterable[str] = (),
    kind: Kind | None = None,
    **connection: Any,
) -> JsonObject:
    """Set pairs in the metadata of a thread or conversation, and ``remove`` keys; others stay.

    Returns the object. The service has no way to change a response.
    """
    at = connect(**connection)
    return dict(at.perform(_tag(at, id, kind, tags, remove)))


async def atag(
    id: str,
    tags: Mapping[str, str],
    *,
    remove: Iterable[str] = (),
    kind: Kind | None = None,
    **connection: Any,
) -> JsonObject:
    """As `tag`."""
    at = connect(**connection)
    return dict(await at.aperform(_tag(at, id, kind, tags, remove)))


def delete(id: str, *, kind: Kind | None = None, **connection: Any) -> None:
    """Delete a thread, conversation or response."""
    at = connect(**connection)
    at.perform(_delete(at, id, kind))


async def adelete(id: str, *, kind: Kind | None = None, **connection: Any) -> None:
    """As `delete`."""
    at = connect(**connection)
    await at.aperform(_delete(at, id, kind))


def prune(
    kind: Kind,
    *,
    older_than: timedelta | None = None,
    tags: Mapping[str, str] | None = None,
    agent: str | None = None,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
    **connection: Any,
) -> Pruned:
    """Delete all objects of a kind that are ``older_than`` and have all of ``tags``.

    A thread or conversation is as old as its newest message or response, so one that is still in
    use stays. A response stays while it runs, and while a newer response that stays continues it.
    At least one of the two conditions is needed. What can't be deleted is in ``failed``.
    """
    at = connect(**connection)
    found: Pruned = at.perform(_Prune(at, kind, older_than, tags, agent, dry_run, on_progress))
    return found


async def aprune(
    kind: Kind,
    *,
    older_than: timedelta | None = None,
    tags: Mapping[str, str] | None = None,
    agent: str | None = None,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
    **connection: Any,
) -> Pruned:
    """As `prune`."""
    at = connect(**connection)
    job = _Prune(at, kind, older_than, tags, agent, dry_run, on_progress)
    found: Pruned = await at.aperform(job)
    return found


# -- jobs --------------------------------------------------------------------------------------


class _Service:
    """Where the objects of one kind are."""

    def __init__(self, call: Call, kind: Kind) -> None:
        if kind not in get_args(Kind):
            allowed = ", ".join(get_args(Kind))
            message = f"kind is one of {allowed}, not {kind!r}"
            raise errors.bad_request(call.context, message, param="kind")
        self.call, self.kind = call, kind
        self._endpoint = call.endpoint if kind == "thread" else call.endpoint.openai

    def url(self, *segments: str, query: Sequence[tuple[str, str]] | None = None) -> str:
        return self._endpoint.url(_PATHS[self.kind], *segments, query=query)

    def list(
        self,
        *,
        agent: str | None,
        limit: int | None = None,
        wanted: Callable[[Json], bool] = lambda _: True,
    ) -> Actions[Sequence[JsonObject]]:
        if agent and self.kind == "thread":
            message = "threads can't be listed by agent: the service keeps no agent with a thread"
            raise errors.bad_request(self.call.context, message, param="agent")
        named = [("agent_name", agent)] if agent else []
        return (
            yield from read_all(
                self.call,
                lambda query: self.url(query=[*named, *query]),
                doing=f"list the {_PATHS[self.kind]}",
                limit=limit,
                wanted=wanted,
            )
        )

    def last_used(self, item: Json) -> Actions[int]:
        """When something last happened to an object, in seconds of the service's clock."""
        created, id = as_int(item.get("created_at")), as_text(item.get("id"))
        newest = [("limit", "1"), ("order", "desc")]
        if self.kind == "response":
            return created
        if self.kind == "thread":
            url = self.url(id, "messages", query=newest)
        else:
            query = [("conversation_id", id), *newest]
            url = self._endpoint.url("responses", query=query)
        page = yield from read_page(self.call, url, doing=f"see when {id} was last used")
        return max([created, *(as_int(item.get("created_at")) for item in page.items)])

    def delete(self, id: str) -> Steps:
        yield from succeed(
            self.call, Send(Request("DELETE", self.url(id))), doing=f"delete {id}", repeatable=True
        )


def _service_of(at: Connection, id: str, kind: Kind | None) -> _Service:
    """The service of an id. Raises BadRequestError if it is malformed or its kind is unknown."""
    checked_id(at.call.context, id, "id")
    found = kind or next((k for begin, k in _PREFIXES.items() if id.startswith(begin)), None)
    if found is None:
        message = f"{id!r} does not tell its kind: it begins with none of {', '.join(_PREFIXES)}"
        raise errors.bad_request(at.call.context, message, param="id")
    return _Service(at.call, found)


def _matches(tags: Mapping[str, str] | None, before: float | None) -> Callable[[Json], bool]:
    """Whether an object has all ``tags`` and was created ``before``."""

    def wanted(item: Json) -> bool:
        metadata = as_object(item.get("metadata"))
        if any(metadata.get(name) != value for name, value in (tags or {}).items()):
            return False
        return before is None or as_int(item.get("created_at")) < before

    return wanted


def _before(age: timedelta | None) -> float | None:
    return None if age is None else time.time() - age.total_seconds()


def _list(
    at: Connection,
    kind: Kind,
    limit: int | None,
    agent: str | None,
    tags: Mapping[str, str] | None,
    older_than: timedelta | None,
) -> Job:
    service = _Service(at.call, kind)
    wanted = _matches(tags, _before(older_than))
    return Requests(service.list(agent=agent, limit=limit, wanted=wanted))


def _show(at: Connection, id: str, kind: Kind | None) -> Job:
    service = _service_of(at, id, kind)
    return Requests(read(at.call, service.url(id), doing=f"read {id}"))


def _items(at: Connection, id: str, kind: Kind | None) -> Job:
    service = _service_of(at, id, kind)
    path = {"thread": "messages", "conversation": "items", "response": "input_items"}

    def run() -> Actions[Sequence[JsonObject]]:
        found: Sequence[JsonObject] = yield from read_all(
            at.call,
            lambda query: service.url(id, path[service.kind], query=query),
            doing=f"list the messages of {id}",
            order="asc",
        )
        if service.kind == "response":
            response = yield from read(at.call, service.url(id), doing=f"read {id}")
            found = [*found, *map(dict, as_objects(response.get("output")))]
        return found

    return Requests(run())


def _tag(
    at: Connection, id: str, kind: Kind | None, tags: Mapping[str, str], remove: Iterable[str]
) -> Job:
    service, gone = _service_of(at, id, kind), set(remove)
    if service.kind == "response":
        message = f"{id} is a response, which the service can't change; tag its conversation"
        raise errors.bad_request(at.call.context, message, param="id")

    def run() -> Actions[JsonObject]:
        now = yield from read(at.call, service.url(id), doing=f"read {id}")
        metadata = {**as_object(now.get("metadata")), **tags}
        metadata = {name: value for name, value in metadata.items() if name not in gone}
        if len(metadata) > MAX_METADATA:
            message = (
                f"{id} would have {len(metadata)} pairs of metadata; the most is {MAX_METADATA}"
            )
            raise errors.bad_request(at.call.context, message, param="tags")
        action = Send(Request("POST", service.url(id), {"metadata": metadata}))
        return (yield from ask(at.call, action, doing=f"tag {id}", repeatable=True))

    return Requests(run())


def _delete(at: Connection, id: str, kind: Kind | None) -> Job:
    return Requests(_service_of(at, id, kind).delete(id))


class _Prune:
    """The job of `prune`. Interrupted, it has deleted some of what it found."""

    def __init__(
        self,
        at: Connection,
        kind: Kind,
        older_than: timedelta | None,
        tags: Mapping[str, str] | None,
        agent: str | None,
        dry_run: bool,
        on_progress: OnProgress | None,
    ) -> None:
        if older_than is None and not tags:
            message = "prune needs older_than or tags: without either it would delete everything"
            raise errors.bad_request(at.call.context, message)
        self._service = _Service(at.call, kind)
        self._agent, self._dry_run = agent, dry_run
        self._before, self._tags = _before(older_than), tags
        self._on_progress = on_progress
        self._done = self._total = 0

    def run(self) -> Actions[Pruned]:
        found = yield from self._find()
        if self._dry_run:
            return Pruned(found, dry_run=True)
        self._done, self._total = 0, len(found)
        ids = [as_text(item.get("id")) for item in found]
        results = yield Gather([self._delete(id) for id in ids], AT_ONCE)
        failed = {
            id: str(getattr(result, "message", result))
            for id, result in zip(ids, results, strict=True)
            if isinstance(result, Exception)
        }
        return Pruned(found, [id for id in ids if id not in failed], failed)

    def abandon(self) -> Steps:
        yield from ()

    def _find(self) -> Actions[Sequence[JsonObject]]:
        wanted = _matches(self._tags, self._before)
        service = self._service
        if service.kind == "response":
            all_of_them = yield from service.list(agent=self._agent)
            return unneeded(all_of_them, wanted)
        found = yield from service.list(agent=self._agent, wanted=wanted)
        if self._before is None:
            return found
        used = yield Gather([service.last_used(item) for item in found], AT_ONCE)
        old = []
        for item, when in zip(found, used, strict=True):
            if isinstance(when, errors.NotFoundError):  # somebody else has deleted it
                continue
            if isinstance(when, Exception):
                raise when
            if when < self._before:
                old.append(item)
        return old

    def _delete(self, id: str) -> Steps:
        with contextlib.suppress(errors.NotFoundError):  # somebody else was faster
            yield from self._service.delete(id)
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def unneeded(
    responses: Sequence[JsonObject], wanted: Callable[[Json], bool]
) -> Sequence[JsonObject]:
    """The ``wanted`` responses that have ended and that no other one of ``responses`` continues."""
    by_id = {as_text(response.get("id")): response for response in responses}
    needed: set[str] = set()
    for response in responses:
        if wanted(response) and response.get("status") not in _RUNNING:
            continue
        id = as_text(response.get("id"))
        while id in by_id and id not in needed:
            needed.add(id)
            id = as_text(by_id[id].get("previous_response_id"))
    return [response for response in responses if response.get("id") not in needed]
