"""The shared part of the turns: reading a stream, giving out its deltas, mapping bad input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from ..answer.answer import Answer
from ..answer.artifacts import FileUrl
from ..content.messages import describe
from ..continuity.isolation import ids_of_delta, sealed_id
from ..core import errors
from ..core.actions import Actions, Drain, Emit, Lost, Read, Reply, ServerEvent, Silence, Steps
from ..core.call import Call
from ..core.deltas import Delta
from ..core.exchange import LostAnswer
from ..core.json_values import Json, JsonObject
from ..core.options import OptionError
from . import ownership
from .chat import Chat
from .finish import finish_reason, incomplete_reason
from .machine import EventMachine

LAST_LOOK = 2.0
"""Seconds before the deadline, or a quarter of the timeout, at which a silent run is looked at."""


def next_events(call: Call) -> Actions[list[ServerEvent] | Silence | Lost | None]:
    """The events that come next; None at the end of the stream, Lost if it broke.

    Silence if nothing came for `silence_timeout`, or if the deadline is near. Raises LiteLLM's
    Timeout when the deadline has passed.
    """
    before = call.remaining() - min(LAST_LOOK, call.timeout / 4)
    quiet = min(call.options.silence_timeout, before) if before > 0 else None
    batch: list[ServerEvent] | Silence | Lost | None = yield Read(quiet)
    if isinstance(batch, Lost) and batch.timed_out:
        raise errors.timed_out(call.context, call.timeout)
    return batch


def bad_input(call: Call, error: ValueError) -> Exception:
    """BadRequestError for what is wrong with the options or messages of a call."""
    param = error.param if isinstance(error, OptionError) else "messages"
    return errors.bad_request(call.context, describe(call.messages, error), param=param)


class AgentTurn(ABC):
    """One call to an agent whose answer becomes a chat completion.

    Subclasses have a ``machine`` that reads the events into ``answer``.
    """

    answer: Answer
    machine: EventMachine
    chat: Chat

    def __init__(self, call: Call) -> None:
        self._ids: dict[str, str] = {}
        self._given: set[str] = set()  # files and containers that the answer names
        self.call = call.with_ids(self._ids)

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids known so far."""
        return self._ids

    def new_answer(self, file_url: FileUrl | None) -> Answer:
        """An empty answer with the caller's options; the ids that become known go to `ids`."""
        options = self.call.options
        return Answer(
            ids=self._ids,
            citations=options.citations,
            inline_images=options.include_images == "inline",
            file_url=file_url,
            whole=not self.call.stream,
            seal=self._seal,
        )

    def _seal(self, call_id: str) -> str:
        owner = self.call.owner
        return call_id if owner is None else sealed_id(call_id, owner)

    @abstractmethod
    def owned_url(self) -> str | None:
        """The URL of what the answer belongs to: its thread, conversation or response."""

    @abstractmethod
    def converse(self) -> Steps:
        """Send what the call asks for and follow it to its end.

        Raises ValueError (OptionError, HistoryError) for bad input, LostAnswer for a request that
        got no reply.
        """

    @abstractmethod
    def look(self) -> Steps:
        """The stream is silent: read the run or response, and all of it if it has ended."""

    def run(self) -> Steps:
        """The actions of the whole call. Raises LiteLLM's exceptions."""
        try:
            yield from ownership.check_given(self.call, self.call.brought)
            yield from self.converse()
        except ValueError as error:
            raise bad_input(self.call, error) from None
        except LostAnswer as lost:
            raise errors.connection(self.call.context, lost.lost, doing=lost.doing) from None

    def read_stream(self) -> Actions[Lost | None]:
        """Read the stream until the machine knows the end; why it broke, if it broke earlier."""
        machine = self.machine
        while not machine.over:
            batch = yield from next_events(self.call)
            if isinstance(batch, Silence):
                yield from self.look()
                continue
            if not isinstance(batch, list):
                return batch
            for event in batch:
                machine.receive(event)
            yield from self.emit()
        return None

    def emit(self) -> Steps:
        """Give out what is new, once the answer has begun. A whole answer is given at its end."""
        if not self.call.stream:
            self.answer.settle()
        elif self.machine.started:
            deltas = self.answer.take()
            if deltas:
                self.chat.add(deltas)
                if self.call.owner is not None:
                    self._given.update(*map(ids_of_delta, deltas))
                yield Emit(deltas)

    def end(self, reason: str) -> Steps:
        """Give out the end of the answer; the chat goes on from here.

        The place of the chat is moved first: a client that has the end may ask again at once.
        """
        deltas = self.answer.take()
        self.chat.add(deltas)
        yield from self._hand_over(deltas)
        yield from self.chat.move(self._ids.get("thread_id"), reason)
        yield Emit(deltas)

    def _hand_over(self, deltas: Sequence[Delta]) -> Steps:
        """With isolation: what the caller has been given is his, so that he can name it."""
        if self.call.owner is None:
            return
        url = self.owned_url()
        if url is not None:
            ownership.learn(self.call, url)
        given = self._given.union(*map(ids_of_delta, deltas))
        session = self._ids.get("agent_session_id")
        yield from ownership.give(self.call, given | ({session} if session else set()))

    def finish_reason(self, ended: Json) -> str:
        """The finish reason of a run or response that completed or is incomplete.

        Of an incomplete one the service's own reason is given out as well.
        """
        reason = incomplete_reason(ended)
        if reason is not None:
            self.answer.fields(incomplete_reason=reason)
        return finish_reason(ended)

    def drain(self) -> Actions[JsonObject | None]:
        """Read one more batch of what a cancelled request still brings.

        Returns the object of a reply that is no stream, {} after events, None if nothing is left.
        """
        found: list[ServerEvent] | Reply | Lost | None = yield Drain()
        if isinstance(found, Reply):
            return found.object() if found.ok else None
        if not isinstance(found, list):
            return None
        for event in found:
            self.machine.receive(event)
        return {}
