"""An event loop in a thread of its own, one for each process.

Sync calls run on it, and so does the cleaning up that outlasts its call. It starts when it is first
needed. A forked child starts its own: threads don't survive a fork.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

EXIT_SECONDS = 3.0
"""How long the end of the process waits for cleaning up."""


class BackgroundLoop:
    """Runs coroutines for other threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._pending: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="azure-agents", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result. An exception in this thread (KeyboardInterrupt) cancels it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start the coroutine, in the context of the caller; cancelling the future cancels it."""
        future: Future[T] = Future()
        context = contextvars.copy_context()
        self.loop.call_soon_threadsafe(self._start, coroutine, future, context=context)
        return future

    def close(self, timeout: float) -> None:
        """Wait for what is pending, then stop."""
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._settle(timeout), self.loop).result(timeout + 1)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(1)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _start(self, coroutine: Coroutine[Any, Any, T], future: Future[T]) -> None:
        task = self.loop.create_task(coroutine)
        self._pending.add(task)

        def done(task: asyncio.Task[T]) -> None:
            self._pending.discard(task)
            if not future.set_running_or_notify_cancel():
                if not task.cancelled():
                    task.exception()  # seen: asyncio would report it otherwise
            elif task.cancelled():
                future.set_exception(asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        def cancelled(future: Future[T]) -> None:
            if future.cancelled():
                self.loop.call_soon_threadsafe(task.cancel)

        task.add_done_callback(done)
        future.add_done_callback(cancelled)

    async def _settle(self, timeout: float) -> None:
        if self._pending:
            await asyncio.wait(set(self._pending), timeout=timeout)
        await self.loop.shutdown_asyncgens()  # closes the HTTP clients, see `pool`


_lock = threading.Lock()
_current: BackgroundLoop | None = None


def background() -> BackgroundLoop:
    """The loop of this process."""
    global _current
    with _lock:
        if _current is None:
            _current = BackgroundLoop()
        return _current


def _forget() -> None:
    global _lock, _current
    _lock, _current = threading.Lock(), None


def _at_exit() -> None:
    if _current is not None:
        _current.close(EXIT_SECONDS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(_at_exit)
