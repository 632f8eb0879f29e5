"""The sync driver; `aio.py` has the async one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx

from ..auth.resolve import TokenSource
from ..core.actions import (
    Action,
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
    Stream,
    Turn,
    Wait,
)
from ..core.deltas import Delta
from .deadline import ending_at
from .pool import HttpSettings, sync_client
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


class SyncDriver:
    """Performs the actions of one turn or job."""

    def __init__(
        self, token: TokenSource, headers: Mapping[str, str], *, timeout: float, http: HttpSettings
    ) -> None:
        self._session = Session(token, headers, time.monotonic() + timeout)
        self._client = sync_client(http)
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] | None = None

    def play(self, turn: Turn[Any]) -> Generator[list[Delta], None, None]:
        """Yields the turn's deltas. Abandons the turn if it is closed or fails before its end."""
        complete = False
        try:
            yield from self._run(turn.run())
            complete = True
        finally:
            if not complete:
                self._session.deadline = time.monotonic() + CLEANUP_SECONDS
                self._close()
                with contextlib.suppress(Exception):
                    for _ in self._run(turn.abandon()):
                        pass
            self._drain(complete)
            self._close()

    def perform(self, job: Job) -> Any:
        """The value of a job. Abandons the job if it is interrupted or fails before its end."""
        try:
            return self._value(job.run())
        except BaseException:
            self._session.deadline = time.monotonic() + CLEANUP_SECONDS
            with contextlib.suppress(Exception):
                self._value(job.abandon())
            raise

    def _value(self, actions: Generator[Action, Any, Any]) -> Any:
        result: Any = None
        try:
            while True:
                result = self._perform(actions.send(result))
        except StopIteration as end:
            return end.value
        finally:
            actions.close()

    def _run(self, actions: Any) -> Iterator[list[Delta]]:
        result: Any = None
        try:
            while True:
                action: Action = actions.send(result)
                if isinstance(action, Emit):
                    result = None
                    yield action.items
                else:
                    result = self._perform(action)
        except StopIteration:
            return
        finally:
            actions.close()

    def _perform(self, action: Action) -> Any:
        if isinstance(action, Read):
            return self._read()
        if isinstance(action, Stream):
            return self._exchange(action.request, stream=True)
        if isinstance(action, Send):
            return self._exchange(action.request)
        if isinstance(action, Wait):
            time.sleep(min(action.seconds, self._session.remaining()))
        elif isinstance(action, Lookup):
            request = action.request
            ask = lambda: self._exchange(request)  # noqa: E731
            return replies.get(action.key, action.ttl, ask, wait=self._session.remaining())
        elif isinstance(action, Gather):
            return self._gather(action)
        return None  # Drain: a sync request is over once it is left

    def _gather(self, action: Gather) -> list[Any]:
        def outcome(job: Any) -> Any:
            try:
                return self._value(job)
            except Exception as error:
                return error

        if len(action.jobs) == 1:  # a single job needs no thread
            return [outcome(action.jobs[0])]
        pool = ThreadPoolExecutor(action.at_once, "azure-agents")
        try:
            return list(pool.map(outcome, action.jobs))
        finally:  # when interrupted, start no further job
            pool.shutdown(wait=False, cancel_futures=True)

    def _exchange(self, request: Request, *, stream: bool = False) -> Reply | Lost:
        session = self._session
        for _ in range(2):
            token = session.token.get()
            prepared = None
            try:
                with ending_at(session.deadline):
                    prepared = session.build(self._client, request, token)
                    response = self._client.send(prepared, stream=True, follow_redirects=False)
                    if stream and is_event_stream(response):
                        self._attach(response)
                        return reply_of(response, streaming=True)
                    try:
                        reply = self._whole(response, request.max_bytes)
                    finally:
                        response.close()
            except (httpx.HTTPError, OSError) as error:
                return session.lost(error)
            finally:
                close_upload(prepared)
            if reply.status != 401 or not session.token.invalidate():
                break
        return reply

    def _whole(self, response: httpx.Response, limit: int | None) -> Reply:
        if limit is None or not response.is_success:
            return reply_of(response, response.read())
        content = bytearray()
        if not exceeds(response, limit):
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > limit:
                    break
            else:
                return reply_of(response, bytes(content))
        return replace(reply_of(response), too_large=True)

    def _attach(self, response: httpx.Response) -> None:
        self._close()
        self._response = response
        self._chunks = response.iter_bytes()
        self._session.parser = EventParser()

    def _read(self) -> list[ServerEvent] | Lost | None:
        while self._chunks is not None:
            try:
                with ending_at(self._session.deadline):
                    chunk = next(self._chunks, None)
                if chunk is None:
                    return None
                events = self._session.parser.feed(chunk)
            except (httpx.HTTPError, OSError, ValueError) as error:
                return self._session.lost(error)
            if events:
                return events
        return None

    def _drain(self, complete: bool) -> None:
        if complete and self._chunks is not None:
            deadline = time.monotonic() + DRAIN_SECONDS
            with ending_at(deadline), contextlib.suppress(httpx.HTTPError, OSError):
                for _ in self._chunks:
                    pass

    def _close(self) -> None:
        if self._response is not None:
            with contextlib.suppress(httpx.HTTPError, OSError):
                self._response.close()
        self._response = self._chunks = None
