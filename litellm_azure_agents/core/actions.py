"""The words between a turn and its driver.

A *turn* (``threads/turn.py``, ``responses/turn.py``) is a generator that yields actions and is sent
their results; ``drivers`` plays them. Nothing here or above it knows sockets, sleep or event
loops, so one turn serves sync, async, streamed, folded and polled calls alike.

=============  ====================================================================================
action         result sent back
=============  ====================================================================================
Send           Reply or Lost
Stream         Reply (``streaming`` if it is an event stream, which Read then reads) or Lost
Read           list of ServerEvent that arrived together; None at the end of the body; or Lost
Wait           None
Lookup         Reply or Lost; successful replies are cached by key and shared (single flight)
Gather         list of what each generator returned, or the exception that it raised
Salvage        as Read: what a just-cancelled Stream still brings, within the cleaning-up time;
               its Reply if it brought no event stream
Emit           None (the driver hands the deltas to the caller)
=============  ====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..answer.answer import Delta


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart body: form fields and one file, whose bytes are given or read from a path."""

    fields: Mapping[str, str]
    filename: str
    data: bytes | Path
    media_type: str


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``url`` is absolute and already encoded; the driver adds the token.

    A body above ``max_bytes`` is not read: its Reply is ``too_large`` and without content.
    """

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. ``headers`` has lower-case names; ``content`` is empty while streaming."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    streaming: bool = False
    too_large: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def object(self) -> dict[str, Any] | None:
        """The JSON object that the body is, or None when it is anything else."""
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Lost:
    """No (complete) answer. ``sent`` tells whether the service may have acted on the request."""

    reason: str
    sent: bool
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event; ``data`` is undecoded JSON text."""

    name: str
    data: str


@dataclass(frozen=True, slots=True)
class Send:
    request: Request


@dataclass(frozen=True, slots=True)
class Stream:
    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    pass


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Lookup:
    key: str
    request: Request
    ttl: float


@dataclass(frozen=True, slots=True)
class Gather:
    """Generators that are played side by side, each of Send, Wait and Lookup only."""

    jobs: Sequence[Generator[Any, Any, Any]]
    at_once: int = 8


@dataclass(frozen=True, slots=True)
class Salvage:
    pass


@dataclass(frozen=True, slots=True)
class Emit:
    deltas: list[Delta]


Action = Send | Stream | Read | Wait | Lookup | Gather | Salvage | Emit
Exchange = Generator[Action, Any, Reply]
Steps = Generator[Action, Any, None]


class Job(Protocol):
    """Requests that end in a value; `abandon` is played when they end early."""

    def run(self) -> Generator[Action, Any, Any]:
        """The actions; returns the value, raises LiteLLM exceptions."""
        ...

    def abandon(self) -> Steps:
        """What is owed when the job ends early."""
        ...


class Turn(Protocol):
    """One call to an agent, as the drivers see it."""

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids known so far (``thread_id``, ``run_id``, ...)."""
        ...

    def run(self) -> Steps:
        """The actions of the call; raises LiteLLM exceptions."""
        ...

    def abandon(self) -> Steps:
        """What is owed when the call ends early: nothing may go on at the service."""
        ...
