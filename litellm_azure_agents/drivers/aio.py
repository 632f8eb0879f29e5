"""The async driver; `sync.py` has the sync one. They differ only where asyncio needs it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import httpx

from ..auth.resolve import TokenSource
from ..core.actions import (
    Action,
    Drain,
    Emit,
    Gather,
    Job,
    Lookup,
    Lost,
    Read,
    Reply,
    Request,
    Send,
    ServerEvent,
    Steps,
    Stream,
    Turn,
    Wait,
)
from ..core.deltas import Delta
from .pool import HttpSettings, async_client
from .shared_replies import replies
from .sse import EventParser
from .wire import (
    CLEANUP_SECONDS,
    DRAIN_SECONDS,
    Session,
    close_upload,
    exceeds,
    is_event_stream,
    reply_of,
)

MAX_PIECES = 64
"""The most pieces of a body that are read together; only pieces that have already arrived."""
LOOKS = 3
"""Rounds of the event loop after which a piece counts as not arrived: a read that has to ask the
socket takes two."""


class AsyncDriver:
    """Performs the actions of one turn or job."""

    def __init__(
        self, token: TokenSource, headers: Mapping[str, str], *, timeout: float, http: HttpSettings
    ) -> None:
        self._session = Session(token, headers, time.monotonic() + timeout)
        self._client = async_client(http)
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._opening: asyncio.Task[Reply | Lost] | None = None
        self._ahead: asyncio.Future[bytes | None] | None = None

    def play(self, turn: Turn[Any]) -> Playing:
        """The turn's deltas. Abandons the turn if it is closed, cancelled or fails early."""
        return Playing(self, turn)

    async def advance(self, actions: Steps) -> list[Delta] | None:
        """Perform ``actions`` until they emit deltas. Returns those, or None at the end."""
        result: Any = None
        try:
            while True:
                action: Action = actions.send(result)
                if isinstance(action, Emit):
                    return action.items
                result = await self._perform(action)
        except StopIteration:
            return None

    def finish(self, turn: Turn[Any], actions: Steps, *, complete: bool) -> asyncio.Task[None]:
        """Clean up in a new task, which goes on when the caller's task is cancelled: for a client
        that went away every await of that task is cancelled."""
        task = asyncio.ensure_future(self._finish(turn, actions, complete))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return task

    async def perform(self, job: Job) -> Any:
        """The value of a job. Abandons the job if it is cancelled or fails before its end."""
        try:
            return await self._value(job.run())
        except BaseException:
            task = asyncio.ensure_future(self._abandon(job))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
            await asyncio.shield(task)
            raise

    async def _abandon(self, job: Job) -> None:
        self._session.deadline = time.monotonic() + CLEANUP_SECONDS
        with contextlib.suppress(Exception):
            await self._value(job.abandon())

    async def _value(self, actions: Generator[Action, Any, Any]) -> Any:
        result: Any = None
        try:
            while True:
                result = await self._perform(actions.send(result))
        except StopIteration as end:
            return end.value
        finally:
            actions.close()

    async def _finish(self, turn: Turn[Any], actions: Steps, complete: bool) -> None:
        if not complete:
            actions.close()
            self._session.deadline = time.monotonic() + CLEANUP_SECONDS
            with contextlib.suppress(Exception):
                owed = turn.abandon()
                while await self.advance(owed) is not None:
                    pass
            if self._opening is not None:
                self._opening.cancel()
        stream = self._response.extensions.get("network_stream") if self._response else None
        await self._drain(complete)
        await self._close()
        if not complete and stream is not None:
            # A cancel scope (a proxy's client went away) interrupts httpx's own closing. Close the
            # socket here, so that the service sees that nobody reads any more.
            with contextlib.suppress(Exception):
                await stream.aclose()

    async def _perform(self, action: Action) -> Any:
        if isinstance(action, Read):
            return await self._read()
        if isinstance(action, Stream):
            # Goes on when this task is cancelled: its run must be known, to be cancelled.
            self._opening = asyncio.ensure_future(self._exchange(action.request, stream=True))
            result = await asyncio.shield(self._opening)
            self._opening = None
            return result
        if isinstance(action, Send):
            return await self._exchange(action.request)
        if isinstance(action, Wait):
            await asyncio.sleep(min(action.seconds, self._session.remaining()))
        elif isinstance(action, Lookup):
            request = action.request
            ask = lambda: self._exchange(request)  # noqa: E731
            return await replies.aget(action.key, action.ttl, ask, wait=self._session.remaining())
        elif isinstance(action, Gather):
            return await self._gather(action)
        elif isinstance(action, Drain):
            return await self._drain_opening()
        return None

    async def _gather(self, action: Gather) -> list[Any]:
        places = asyncio.Semaphore(action.at_once)

        async def outcome(job: Any) -> Any:
            async with places:
                return await self._value(job)

        tasks = [asyncio.ensure_future(outcome(job)) for job in action.jobs]
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
        for result in results:
            if isinstance(result, asyncio.CancelledError):
                raise result
        return list(results)

    async def _exchange(self, request: Request, *, stream: bool = False) -> Reply | Lost:
        session = self._session
        reply: Reply | None = None
        for _ in range(2):
            reply = None
            with anyio.move_on_after(session.remaining()):
                token = await session.token.aget()
                prepared = None
                try:
                    prepared = session.build(self._client, request, token)
                    response = await self._client.send(
                        prepared, stream=True, follow_redirects=False
                    )
                    if stream and is_event_stream(response):
                        await self._attach(response)
                        return reply_of(response, streaming=True)
                    try:
                        reply = await self._whole(response, request.max_bytes)
                    finally:
                        await response.aclose()
                except (httpx.HTTPError, OSError) as error:
                    return session.lost(error)
                finally:
                    close_upload(prepared)
            if reply is None:
                return Lost("no answer within the timeout", sent=True, timed_out=True)
            if reply.status != 401 or not session.token.invalidate():
                break
        return reply or Lost("no answer", sent=True)

    async def _whole(self, response: httpx.Response, limit: int | None) -> Reply:
        if limit is None or not response.is_success:
            return reply_of(response, await response.aread())
        content = bytearray()
        if not exceeds(response, limit):
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > limit:
                    break
            else:
                return reply_of(response, bytes(content))
        return replace(reply_of(response), too_large=True)

    async def _attach(self, response: httpx.Response) -> None:
        await self._close()
        self._response = response
        self._chunks = response.aiter_bytes()
        self._session.parser = EventParser()

    async def _read(self) -> list[ServerEvent] | Lost | None:
        while self._chunks is not None:
            events: list[ServerEvent] | None = None
            timed_out = True
            with anyio.move_on_after(self._session.remaining()):
                try:
                    chunk = await self._piece()
                    if chunk is not None:
                        events = self._session.parser.feed(await self._with_what_is_there(chunk))
                except (httpx.HTTPError, OSError, ValueError) as error:
                    return self._session.lost(error)
                timed_out = False
            if timed_out:
                return Lost("no event within the timeout", sent=True, timed_out=True)
            if events is None:
                return None
            if events:
                return events
        return None

    async def _piece(self) -> bytes | None:
        """The next piece of the body, or None at its end."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return await ahead
        return None if self._chunks is None else await anext(self._chunks, None)

    async def _with_what_is_there(self, first: bytes) -> bytes:
        """``first`` and the pieces behind it that have arrived already.

        httpx returns each HTTP chunk on its own, and the service sends a chunk for each event.
        Chunks read together become one chunk for LiteLLM, which needs far more time for a chunk
        than reading it takes.
        """
        pieces = [first]
        while len(pieces) < MAX_PIECES and self._chunks is not None:
            self._ahead = ahead = asyncio.ensure_future(anext(self._chunks, None))
            for _ in range(LOOKS):
                await asyncio.sleep(0)
                if ahead.done():
                    break
            if not ahead.done() or ahead.exception() is not None or ahead.result() is None:
                break  # the next `_piece` handles it
            pieces.append(ahead.result() or b"")
            self._ahead = None
        return b"".join(pieces)

    async def _drain_opening(self) -> list[ServerEvent] | Reply | Lost | None:
        opening, self._opening = self._opening, None
        if opening is not None:
            with anyio.move_on_after(self._session.remaining()):
                reply = await opening
                if isinstance(reply, Reply) and not reply.streaming:
                    return reply
        return await self._read()

    async def _drain(self, complete: bool) -> None:
        if complete and self._chunks is not None:
            with anyio.move_on_after(DRAIN_SECONDS), contextlib.suppress(httpx.HTTPError, OSError):
                while await self._piece() is not None:
                    pass

    async def _close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait([self._ahead])
            if not self._ahead.cancelled():
                self._ahead.exception()  # retrieved, so that asyncio does not log it
            self._ahead = None
        if self._response is not None:
            with contextlib.suppress(httpx.HTTPError, OSError, RuntimeError):
                await self._response.aclose()
        self._response = self._chunks = None


class Playing:
    """An asynchronous iterator over the deltas of a turn.

    This is not a generator: an event loop that ends closes all of its generators at once. One
    inside another would then be closed twice, which Python reports as an error.
    """

    def __init__(self, driver: AsyncDriver, turn: Turn[Any]) -> None:
        self._driver = driver
        self._turn = turn
        self._actions = turn.run()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False

    def __aiter__(self) -> Playing:
        return self

    async def __anext__(self) -> list[Delta]:
        if self._over:
            raise StopAsyncIteration
        self._loop = asyncio.get_running_loop()
        try:
            deltas = await self._driver.advance(self._actions)
        except BaseException:
            await self.aclose()
            raise
        if deltas is None:
            if not self._over:  # else it was closed meanwhile and is cleaned up already
                self._over = True
                self._driver.finish(self._turn, self._actions, complete=True)
            raise StopAsyncIteration
        return deltas

    async def aclose(self) -> None:
        """Abandon the turn if it isn't over."""
        if not self._over:
            self._over = True
            await asyncio.shield(self._driver.finish(self._turn, self._actions, complete=False))

    def __del__(self) -> None:
        """Abandon a turn whose iterator was dropped, as asyncio does with generators."""
        if not self._over and self._loop is not None and not self._loop.is_closed():
            finish = partial(self._driver.finish, self._turn, self._actions, complete=False)
            self._loop.call_soon_threadsafe(finish)


_tasks: set[asyncio.Task[None]] = set()
