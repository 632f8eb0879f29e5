"""Requests that must arrive exactly once, found by their nonce when a reply is lost."""

from __future__ import annotations

from collections.abc import Callable

from ..answer.answer import Answer
from ..core import errors
from ..core.actions import Actions, Exchange, Request, Send, Steps
from ..core.attempts import NONCE_KEY
from ..core.call import Call
from ..core.exchange import object_in, request, send_once
from ..core.json_values import Json, JsonObject, as_object, as_text
from .service import ThreadService


class Delivery:
    """Creates threads and adds messages exactly once, and finds what an attempt has started.

    See `core/attempts.py` for the nonce. Ids that become known go to the answer.
    """

    def __init__(self, call: Call, service: ThreadService, answer: Answer) -> None:
        self._call = call
        self._service = service
        self._answer = answer

    def create_thread(self, thread: JsonObject) -> Steps:
        """Create the thread, or find it if the reply is lost."""
        call, doing = self._call, "create the thread"

        def attempt() -> Exchange:
            return request(call, Send(Request("POST", self._service.url(), thread)), doing=doing)

        def arrived() -> Actions[bool]:
            yield from self.find_thread()
            return "thread_id" in self._answer.ids

        call.attempt.sent = True
        reply = yield from send_once(call, attempt, arrived)
        if reply is not None:
            if not reply.ok:
                raise errors.from_reply(call.context, reply, doing=doing)
            self._answer.know(thread_id=object_in(call, reply, doing=doing)["id"])

    def add_message(
        self,
        thread_id: str,
        message: JsonObject,
        number: int,
        perform: Callable[..., Exchange],
    ) -> Steps:
        """Add one message to the thread. ``perform`` sends it once the thread is free."""
        mark = f"{self._call.attempt.nonce}-{number}"
        body = {**message, "metadata": {NONCE_KEY: mark}}
        action = Send(Request("POST", self._service.url(thread_id, "messages"), body))

        def attempt() -> Exchange:
            return perform(action, doing="add a message to the thread")

        def arrived() -> Actions[bool]:
            newest = yield from self._service.newest_message(thread_id)
            return as_object(newest.get("metadata")).get(NONCE_KEY) == mark

        self._call.attempt.sent = True
        yield from send_once(self._call, attempt, arrived)

    def messages_added(self, thread_id: str) -> Actions[int]:
        """How many messages an earlier attempt at this request has added to the thread."""
        newest = yield from self._service.newest_message(thread_id)
        mark = as_text(as_object(newest.get("metadata")).get(NONCE_KEY))
        nonce, _, number = mark.rpartition("-")
        return int(number) + 1 if nonce == self._call.attempt.nonce and number.isdecimal() else 0

    def find_thread(self) -> Steps:
        """Look for a thread that carries the nonce, and take its id."""
        thread = yield from self._service.find_thread(self._is_ours)
        if thread is not None:
            self._answer.know(thread_id=thread.get("id"))

    def find_run(self) -> Actions[Json | None]:
        """The newest run that carries the nonce, or None."""
        if "thread_id" not in self._answer.ids:
            yield from self.find_thread()
        thread_id = self._answer.ids.get("thread_id")
        runs = (yield from self._service.runs(thread_id)) if thread_id else []
        return next((run for run in runs if self._is_ours(run)), None)

    def _is_ours(self, found: Json) -> bool:
        return as_object(found.get("metadata")).get(NONCE_KEY) == self._call.attempt.nonce
