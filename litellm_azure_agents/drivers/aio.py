"""The driver: performs the actions of a turn on an event loop.

Sync calls use it too, on a loop in the background (`sync.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import anyio
import httpx

from ..auth.resolve import TokenSource
from ..core.actions import (
    Action,
    Claim,
    Drain,
    Emit,
    Gather,
    Job,
    Lookup,
    Lost,
    Read,
    Recall,
    Remember,
    Reply,
    Request,
    Send,
    ServerEvent,
    Silence,
    Steps,
    Stream,
    Turn,
    Wait,
)
from ..stores.base import Guard, StoreUnavailable
from .background import background
from .body import Arrivals, arrivals_of, read_limited
from .pool import Client, HttpSettings, client_for
from .shared_replies import replies
from .sse import EventParser
from .wire import (
    BACKGROUND_SECONDS,
    DRAIN_SECONDS,
    FOREGROUND_SECONDS,
    Session,
    close_upload,
    is_event_stream,
    reply_of,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a driver is made of. ``timeout`` in seconds; ``sync``: the caller is a sync call."""

    token: TokenSource
    headers: Mapping[str, str]
    timeout: float
    http: HttpSettings
    max_bytes: int
    sync: bool = False
    store: Guard | None = None

    def driver(self, *, timeout: float | None = None) -> AsyncDriver:
        return AsyncDriver(self, self.timeout if timeout is None else timeout)


class AsyncDriver:
    """Performs the actions of one turn or job."""

    def __init__(self, setup: Setup, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        self._setup = setup
        self._session = Session(setup.token, setup.headers, deadline, setup.max_bytes)
        self._response: Any = None
        self._body: Arrivals | None = None
        self._opening: asyncio.Task[Reply | Lost] | None = None

    def play(self, turn: Turn[T]) -> Playing[T]:
        """What the turn emits. Abandons the turn if it is closed, cancelled or fails early."""
        return Playing(self, turn)

    async def perform(self, job: Job) -> Any:
        """The value of a job. Abandons the job if it is cancelled or fails before its end."""
        try:
            return await self._value(job.run())
        except BaseException:
            await _hold(self._abandon(job.abandon))
            raise

    async def advance(self, actions: Generator[Action, Any, None]) -> list[Any] | None:
        """Perform ``actions`` until they emit something. Returns that, or None at the end."""
        result: Any = None
        try:
            while True:
                action: Action = actions.send(result)
                if isinstance(action, Emit):
                    return action.items
                result = await self._perform(action)
        except StopIteration:
            return None

    async def complete(self) -> None:
        """The turn is over: read its stream to the end, so that the connection can be reused."""
        if self._body is not None:
            with anyio.move_on_after(DRAIN_SECONDS), contextlib.suppress(httpx.HTTPError, OSError):
                while await self._body.read(DRAIN_SECONDS):
                    pass
        await self._close()

    async def abandon(self, turn: Turn[Any]) -> None:
        """The turn ended early: stop what it started, and close its connection at once."""
        stream = self._response.extensions.get("network_stream") if self._response else None
        await self._abandon(turn.abandon)
        if self._opening is not None:
            self._opening.cancel()
        await self._close()
        if stream is not None:
            # A cancel scope (a proxy's client went away) cuts httpx's own closing short, and the
            # socket would stay open: the service must see that nobody listens.
            with contextlib.suppress(Exception):
                await stream.aclose()

    async def _abandon(self, steps: Callable[[], Steps]) -> None:
        """Perform ``steps`` within `FOREGROUND_SECONDS`, or else again in the background.

        They can be performed twice: what they cancel or delete may be gone already.
        """
        self._session.deadline = time.monotonic() + FOREGROUND_SECONDS
        finished = False
        try:
            with anyio.move_on_after(FOREGROUND_SECONDS), contextlib.suppress(Exception):
                await self._value(steps())
                finished = not self._session.expired()
        finally:  # also when the loop ends, which cancels this task
            if not finished:
                self.abandon_later(steps)

    def abandon_later(self, steps: Callable[[], Steps]) -> None:
        """Perform ``steps`` on the background loop; nobody waits for them."""
        later = self._setup.driver(timeout=BACKGROUND_SECONDS)
        background().submit(later._quietly(steps))

    async def _quietly(self, steps: Callable[[], Steps]) -> None:
        with contextlib.suppress(Exception):
            await self._value(steps())
        await self._close()

    # -- actions -------------------------------------------------------------------------------

    async def _value(self, actions: Generator[Action, Any, T]) -> T:
        result: Any = None
        try:
            while True:
                result = await self._perform(actions.send(result))
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            actions.close()

    async def _perform(self, action: Action) -> Any:
        if isinstance(action, Read):
            return await self._read(action.quiet)
        if isinstance(action, Stream):
            # Goes on when this task is cancelled or its time is up: what the request has started
            # must be known, to be cancelled.
            self._opening = opening = asyncio.ensure_future(
                self._exchange(action.request, stream=True)
            )
            done, _ = await asyncio.wait({opening}, timeout=self._session.remaining())
            if not done:
                return Lost("no reply within the timeout", sent=True, timed_out=True)
            self._opening = None
            return opening.result()
        if isinstance(action, Send):
            return await self._exchange(action.request)
        if isinstance(action, Wait):
            await asyncio.sleep(min(action.seconds, self._session.remaining()))
        elif isinstance(action, Lookup):
            ask = partial(self._exchange, action.request)
            return await replies.get(action.key, action.ttl, ask, wait=self._session.remaining())
        elif isinstance(action, Gather):
            return await self._gather(action)
        elif isinstance(action, Drain):
            return await self._drain()
        elif isinstance(action, (Claim, Recall, Remember)):
            return await self._ask_store(action)
        return None

    async def _ask_store(self, action: Claim | Recall | Remember) -> str | Lost | None:
        store = self._setup.store
        try:
            if store is not None and isinstance(action, Claim):
                return await store.claim(action.key)
            if store is not None and isinstance(action, Recall):
                return await store.recall(action.key)
            if store is not None and isinstance(action, Remember):
                await store.remember(action.key, action.value)
        except StoreUnavailable:
            return Lost("the thread store can't be used", sent=True)
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
            with anyio.move_on_after(session.remaining() + (FOREGROUND_SECONDS if stream else 0)):
                token = await session.token.get()
                prepared = None
                try:
                    client: Client = await client_for(self._setup.http, sync=self._setup.sync)
                    prepared = session.build(client, request, token)
                    response = await client.send(prepared, stream=True, follow_redirects=False)
                    if stream and is_event_stream(response):
                        await self._attach(response)
                        return reply_of(response, streaming=True)
                    try:
                        limit = session.limit(request, response.status_code)
                        content, more = await read_limited(response, limit)
                        reply = reply_of(response, content, too_large=more)
                    finally:
                        await response.aclose()
                except (httpx.HTTPError, OSError) as error:
                    return session.lost(error)
                finally:
                    close_upload(prepared)
            if reply is None:
                return Lost("no reply within the timeout", sent=True, timed_out=True)
            if reply.status != 401 or not session.token.invalidate():
                break
        return reply or Lost("no reply", sent=True)

    # -- the open stream -----------------------------------------------------------------------

    async def _attach(self, response: Any) -> None:
        await self._close()
        self._response = response
        self._body = arrivals_of(response)
        self._session.parser = EventParser(self._setup.max_bytes)

    async def _read(self, quiet: float | None = None) -> list[ServerEvent] | Silence | Lost | None:
        """Every byte counts as life, also that of a comment; then the waiting begins anew."""
        while self._body is not None:
            remaining = self._session.remaining()
            wait = remaining if quiet is None else min(quiet, remaining)
            try:
                data = await self._body.read(wait)
                if data is None:
                    return None
                events = self._session.parser.feed(data)
            except (httpx.HTTPError, OSError, ValueError) as error:
                return self._session.lost(error)
            if events:
                return events
            if not data:
                if wait < remaining:
                    return Silence()
                return Lost("no event within the timeout", sent=True, timed_out=True)
        return None

    async def _drain(self) -> list[ServerEvent] | Reply | Silence | Lost | None:
        opening, self._opening = self._opening, None
        if opening is not None:
            done, _ = await asyncio.wait({opening}, timeout=self._session.remaining())
            if not done:
                opening.cancel()
                return None
            reply = opening.result()
            if isinstance(reply, Reply) and not reply.streaming:
                return reply
        return await self._read()

    async def _close(self) -> None:
        if self._body is not None:
            await self._body.stop()
        if self._response is not None:
            with contextlib.suppress(httpx.HTTPError, OSError, RuntimeError):
                await self._response.aclose()
        self._response = self._body = None


class Playing(Generic[T]):
    """An asynchronous iterator over what a turn emits.

    This is not a generator: an event loop that ends closes all of its generators at once. One
    inside another would then be closed twice, which Python reports as an error.
    """

    def __init__(self, driver: AsyncDriver, turn: Turn[T]) -> None:
        self._driver = driver
        self._turn = turn
        self._actions = turn.run()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False

    def __aiter__(self) -> Playing[T]:
        return self

    async def __anext__(self) -> list[T]:
        if self._over:
            raise StopAsyncIteration
        self._loop = asyncio.get_running_loop()
        try:
            items: list[T] | None = await self._driver.advance(self._actions)
        except BaseException:
            await self.aclose()
            raise
        if items is None:
            if not self._over:  # closed meanwhile, it is cleaned up already
                self._over = True
                _start(self._driver.complete())
            raise StopAsyncIteration
        return items

    async def aclose(self) -> None:
        """Abandon the turn, if it isn't over. Takes about a second at most."""
        if not self._over:
            self._over = True
            self._actions.close()
            await _hold(self._driver.abandon(self._turn))

    def __del__(self) -> None:
        """A stream that was begun and dropped is abandoned too, as asyncio does with generators."""
        if self._over or self._loop is None:
            return
        self._over = True
        driver, turn = self._driver, self._turn
        try:
            self._loop.call_soon_threadsafe(lambda: _start(driver.abandon(turn)))
        except RuntimeError:  # the loop is closed
            driver.abandon_later(turn.abandon)


_tasks: set[asyncio.Task[None]] = set()
"""Keeps tasks alive that nobody waits for."""


def _start(coroutine: Any) -> asyncio.Task[None]:
    task: asyncio.Task[None] = asyncio.ensure_future(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def _hold(coroutine: Any) -> None:
    """Wait for cleaning up in a task of its own. It goes on when the caller's task is cancelled:
    for a client that went away every await of that task is cancelled."""
    await asyncio.shield(_start(coroutine))
