"""Runs of classic agents and responses of new ones, by their ids or by LiteLLM's id of the call.

>>> from litellm_azure_agents import runs
>>> for event in runs.tail("run_…", api_base="https://…"):  # doctest: +SKIP
...     print(event.kind, event.text)

A *reference* is ``run_…``, ``resp_…``, or the ``litellm_call_id`` that the plugin writes into the
metadata of what it starts. The service finds no run without its thread: give ``thread_id`` if you
know it, else the newest ``max_threads`` threads are searched, and for a call id as many responses.
Each function has an async twin with an ``a`` before its name, takes the arguments of `connect`, and
raises LiteLLM's exceptions.

This is one module because it is a public one: half of it is the signatures and docstrings of its
functions and their async twins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .core import errors
from .core.actions import Actions, Emit, Gather, Job, Request, Send, Steps, Wait
from .core.attempts import CALL_ID_KEY
from .core.call import Call, checked_id
from .core.endpoint import Endpoint, check_id
from .core.exchange import ask, read, read_all
from .core.json_values import Json, JsonObject, as_object, as_objects, as_text
from .core.retry import poll_intervals
from .drivers.aio import Playing
from .drivers.connection import Connection, Requests
from .host.connection import connect

__all__ = [
    "RunEvent", "acancel", "alist", "ashow", "atail", "cancel", "list", "show", "tail",
]  # fmt: skip

MAX_THREADS = 100
AT_ONCE = 8
_STANDING = frozenset(
    {"completed", "failed", "cancelled", "expired", "incomplete", "requires_action"}
)
"""States in which a run does nothing more by itself."""


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What happened to a run since the last look: its status, a step, or more text."""

    kind: Literal["status", "step", "text"]
    text: str
    """The new status; the step in a few words; the text that is new."""
    raw: JsonObject = field(default_factory=dict, repr=False)
    """The run, step or message (of responses: the item) as the service gives it now."""


def list(thread_id: str, **connection: Any) -> Sequence[JsonObject]:
    """The runs of a thread, newest first."""
    at = connect(**connection)
    found: Sequence[JsonObject] = at.perform(_list(at, thread_id))
    return found


async def alist(thread_id: str, **connection: Any) -> Sequence[JsonObject]:
    """As `list`."""
    at = connect(**connection)
    found: Sequence[JsonObject] = await at.aperform(_list(at, thread_id))
    return found


def show(
    reference: str,
    *,
    thread_id: str | None = None,
    max_threads: int = MAX_THREADS,
    **connection: Any,
) -> JsonObject:
    """The run, with its steps under ``steps``; or the response. Raises NotFoundError."""
    at = connect(**connection)
    return dict(at.perform(_show(at, reference, thread_id, max_threads)))


async def ashow(
    reference: str,
    *,
    thread_id: str | None = None,
    max_threads: int = MAX_THREADS,
    **connection: Any,
) -> JsonObject:
    """As `show`."""
    at = connect(**connection)
    return dict(await at.aperform(_show(at, reference, thread_id, max_threads)))


def cancel(
    reference: str,
    *,
    thread_id: str | None = None,
    max_threads: int = MAX_THREADS,
    **connection: Any,
) -> JsonObject:
    """Cancel a run, or a response that runs in the background. Returns it as it is then."""
    at = connect(**connection)
    return dict(at.perform(_cancel(at, reference, thread_id, max_threads)))


async def acancel(
    reference: str,
    *,
    thread_id: str | None = None,
    max_threads: int = MAX_THREADS,
    **connection: Any,
) -> JsonObject:
    """As `cancel`."""
    at = connect(**connection)
    return dict(await at.aperform(_cancel(at, reference, thread_id, max_threads)))


def tail(
    reference: str,
    *,
    thread_id: str | None = None,
    max_threads: int = MAX_THREADS,
    poll_interval: float | None = None,
    **connection: Any,
) -> Iterator[RunEvent]:
    """What a run does, from its beginning until it ends or waits for tool results.

    Looks at it again and again: the service lets no second reader into a run's stream. Leaving the
    iterator leaves the run as it is. Raises Timeout when ``timeout`` is over.
    """
    at = connect(**connection)
    turn = _Tail(at, reference, thread_id, max_threads, poll_interval)
    playing: Iterator[Sequence[RunEvent]] = at.sync_driver().play(turn)
    for events in playing:
        yield from events


async def atail(
    reference: str,
    *,
    thread_id: str | None = None,
    max_threads: int = MAX_THREADS,
    poll_interval: float | None = None,
    **connection: Any,
) -> AsyncIterator[RunEvent]:
    """As `tail`."""
    at = connect(**connection)
    turn = _Tail(at, reference, thread_id, max_threads, poll_interval)
    playing: Playing[RunEvent] = at.async_driver().play(turn)
    try:
        async for events in playing:
            for event in events:
                yield event
    finally:
        await playing.aclose()


# -- where a run is ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """A run of a thread, or a response (then ``thread_id`` is None)."""

    endpoint: Endpoint
    id: str
    thread_id: str | None

    def url(self, *segments: str, query: Sequence[tuple[str, str]] | None = None) -> str:
        path = ("responses",) if self.thread_id is None else ("threads", self.thread_id, "runs")
        return self.endpoint.url(*path, self.id, *segments, query=query)

    @property
    def what(self) -> str:
        return f"the {'response' if self.thread_id is None else 'run'} {self.id}"


class _Search:
    """Finds what a reference means."""

    def __init__(
        self, at: Connection, reference: str, thread_id: str | None, max_threads: int
    ) -> None:
        self.call = at.call
        try:
            self._reference = check_id(reference, "the run")
            self._thread_id = None if thread_id is None else check_id(thread_id, "thread_id")
        except ValueError as error:
            raise errors.bad_request(at.call.context, str(error)) from None
        self._most = max_threads

    def find(self) -> Actions[_Place]:
        reference, endpoint = self._reference, self.call.endpoint
        if reference.startswith(("resp_", "caresp_")):
            return _Place(endpoint.openai, reference, None)
        of_run = reference.startswith("run_")
        if of_run and self._thread_id:
            return _Place(endpoint, reference, self._thread_id)
        matches = _has_id(reference) if of_run else _has_call_id(reference)
        place = yield from self._run(matches)
        if place is None and not of_run and not self._thread_id:
            place = yield from self._response(matches)
        if place is None:
            where = f"in the thread {self._thread_id}"
            if not self._thread_id:
                more = "" if of_run else f" and {self._most} responses"
                where = f"in the newest {self._most} threads{more}; give its thread_id"
            raise errors.not_found(
                self.call.context, f"no run {reference!r} {where}", param="reference"
            )
        return place

    def _run(self, matches: Callable[[Json], bool]) -> Actions[_Place | None]:
        if self._thread_id:
            ids = [self._thread_id]
        else:
            threads = yield from read_all(
                self.call,
                lambda query: self.call.endpoint.url("threads", query=query),
                doing="list the threads",
                limit=self._most,
            )
            ids = [as_text(thread.get("id")) for thread in threads]
        for start in range(0, len(ids), AT_ONCE):  # newest first: mostly the first group has it
            group = ids[start : start + AT_ONCE]
            results = yield Gather([self._run_of(id, matches) for id in group], AT_ONCE)
            for result in results:
                if isinstance(result, _Place):
                    return result
                gone = isinstance(result, errors.NotFoundError) and not self._thread_id
                if isinstance(result, Exception) and not gone:
                    raise result
        return None

    def _run_of(self, thread_id: str, matches: Callable[[Json], bool]) -> Actions[_Place | None]:
        found = yield from read_all(
            self.call,
            lambda query: self.call.endpoint.url("threads", thread_id, "runs", query=query),
            doing=f"list the runs of the thread {thread_id}",
            wanted=matches,
            limit=1,
        )
        if not found:
            return None
        return _Place(self.call.endpoint, as_text(found[0].get("id")), thread_id)

    def _response(self, matches: Callable[[Json], bool]) -> Actions[_Place | None]:
        endpoint = self.call.endpoint.openai
        responses = yield from read_all(
            self.call,
            lambda query: endpoint.url("responses", query=query),
            doing="list the responses",
            limit=self._most,
        )
        found = next(filter(matches, responses), None)
        return None if found is None else _Place(endpoint, as_text(found.get("id")), None)


def _has_id(id: str) -> Callable[[Json], bool]:
    return lambda run: run.get("id") == id


def _has_call_id(call_id: str) -> Callable[[Json], bool]:
    return lambda run: as_object(run.get("metadata")).get(CALL_ID_KEY) == call_id


# -- jobs --------------------------------------------------------------------------------------


def _list(at: Connection, thread_id: str) -> Job:
    checked_id(at.call.context, thread_id, "thread_id")
    return Requests(
        read_all(
            at.call,
            lambda query: at.call.endpoint.url("threads", thread_id, "runs", query=query),
            doing=f"list the runs of the thread {thread_id}",
        )
    )


def _show(at: Connection, reference: str, thread_id: str | None, max_threads: int) -> Job:
    search = _Search(at, reference, thread_id, max_threads)

    def run() -> Actions[JsonObject]:
        place = yield from search.find()
        found = yield from read(at.call, place.url(), doing=f"read {place.what}")
        if place.thread_id is not None:
            found["steps"] = yield from _steps(at.call, place)
        return found

    return Requests(run())


def _steps(call: Call, place: _Place) -> Actions[Sequence[JsonObject]]:
    return (
        yield from read_all(
            call,
            lambda query: place.url("steps", query=query),
            doing=f"list the steps of {place.what}",
            order="asc",
        )
    )


def _cancel(at: Connection, reference: str, thread_id: str | None, max_threads: int) -> Job:
    search = _Search(at, reference, thread_id, max_threads)

    def run() -> Actions[JsonObject]:
        place = yield from search.find()
        action = Send(Request("POST", place.url("cancel")))
        return (yield from ask(at.call, action, doing=f"cancel {place.what}", repeatable=True))

    return Requests(run())


class _Tail:
    """A turn that emits what changed in a run between two looks."""

    def __init__(
        self,
        at: Connection,
        reference: str,
        thread_id: str | None,
        max_threads: int,
        poll_interval: float | None,
    ) -> None:
        self._call = at.call
        self._search = _Search(at, reference, thread_id, max_threads)
        self._next_interval = poll_intervals(poll_interval)
        self._status = ""
        self._seen: dict[str, str] = {}
        """Id of a step, message or item -> what was told of it last."""

    @property
    def ids(self) -> Mapping[str, str]:
        return {}

    def run(self) -> Steps:
        place = yield from self._search.find()
        while True:
            run = yield from read(
                self._call, place.url(), doing=f"read {place.what}", having=("id", "status")
            )
            if place.thread_id is None:
                events = self._items(as_objects(run.get("output")))
            else:
                events = self._items((yield from _steps(self._call, place)))
                messages = yield from self._messages(place.thread_id, place.id)
                events = [*events, *self._items(messages)]
            status = as_text(run.get("status"))
            if status != self._status:
                told, self._status = RunEvent("status", status, run), status
                events = [*events, told] if status in _STANDING else [told, *events]
            if events:
                yield Emit([*events])
            if status in _STANDING:
                return
            if self._call.remaining() <= 0:
                raise errors.timed_out(self._call.context, self._call.timeout)
            yield Wait(min(self._next_interval(), max(self._call.remaining(), 0.01)))

    def abandon(self) -> Steps:
        yield from ()

    def _messages(self, thread_id: str, run_id: str) -> Actions[Sequence[JsonObject]]:
        url, of_run = self._call.endpoint.url, ("run_id", run_id)
        return (
            yield from read_all(
                self._call,
                lambda query: url("threads", thread_id, "messages", query=[of_run, *query]),
                doing="list the run's messages",
                order="asc",
            )
        )

    def _items(self, items: Sequence[Json]) -> Sequence[RunEvent]:
        """An event for each step and message that is new, or has changed."""
        events = []
        for number, item in enumerate(items):
            id = as_text(item.get("id")) or str(number)
            kind, text = _told(item)
            before = self._seen.get(id, "")
            if not text or text == before:
                continue
            self._seen[id] = text
            if kind == "text" and text.startswith(before):
                text = text[len(before) :]
            events.append(RunEvent(kind, text, dict(item)))
        return events


def _told(item: Json) -> tuple[Literal["step", "text"], str]:
    """What is told of a step, message or output item; no text for one that says nothing."""
    if item.get("role") == "assistant":
        return "text", "".join(map(_part_text, as_objects(item.get("content"))))
    if item.get("role"):
        return "text", ""
    details = as_object(item.get("step_details"))
    if details.get("type") == "message_creation":
        return "step", ""  # its message is told
    calls = as_objects(details.get("tool_calls")) or [item]
    named = ", ".join(filter(None, map(_call_name, calls)))
    error = as_text(as_object(item.get("last_error")).get("message"))
    state = as_text(item.get("status")) or "completed"
    return "step", f"{named or as_text(item.get('type'))}: {state}{f' ({error})' if error else ''}"


def _part_text(part: Json) -> str:
    text = part.get("text")
    if isinstance(text, str):
        return text
    return as_text(as_object(text).get("value")) or as_text(part.get("refusal"))


def _call_name(call: Json) -> str:
    """The call in a few words: functions with their arguments."""
    function = as_object(call.get("function"))
    name = as_text(function.get("name")) or as_text(call.get("name"))
    if not name:
        return as_text(call.get("type"))
    return f"{name}({as_text(function.get('arguments')) or as_text(call.get('arguments'))})"
