"""The actions that a turn asks of its driver, and what the driver sends back.

A *turn* (``threads/turn.py``, ``responses/turn.py``) is a generator that yields actions and is sent
their results. A driver (``drivers/``) performs them. Turns know no sockets, no sleep and no event
loop, so one turn serves sync, async, streamed, whole and polled calls alike.

=============  ====================================================================================
action         result sent back
=============  ====================================================================================
Send           Reply or Lost
Stream         Reply (``streaming`` if it is an event stream, which Read then reads) or Lost
Read           list of ServerEvent that arrived together; None at the end of the body; Silence;
               or Lost
Wait           None
Lookup         Reply or Lost; successful replies are cached by key and shared (single-flight)
Gather         list of what each generator returned, or the exception that it raised
Drain          as Read: what a Stream that was cancelled a moment ago still brings, within the time
               for cleaning up; its Reply if it brought no event stream
Claim          what the thread store holds under the key, which it then holds no more; None if
               it holds nothing; Lost if it can't be asked
Recall         as Claim, but the store goes on holding it
Remember       None
Emit           None; the driver hands the items to the caller
=============  ====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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

    A body above ``max_bytes`` (else the driver's limit) is not read to its end: its Reply is
    ``too_large``.
    """

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply. ``headers`` has lower-case names; ``content`` is empty while streaming."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    streaming: bool = False
    too_large: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def object(self) -> dict[str, Any] | None:
        """The body as a JSON object, or None if it is anything else."""
        try:
            found = json.loads(self.content)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Lost:
    """No complete reply came. ``sent`` is true if the service may have acted on the request."""

    reason: str
    sent: bool
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing has arrived on the open stream for a while, not even a keep-alive."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event; ``data`` is undecoded JSON text."""

    name: str
    data: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request and read its whole reply."""

    request: Request


@dataclass(frozen=True, slots=True)
class Stream:
    """Send a request; if an event stream comes back, keep it open for Read."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Read the events that come next on the open stream; after ``quiet`` seconds without a byte,
    stop waiting. The stream stays open."""

    quiet: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass, at most until the call's deadline."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lookup:
    """Send a request whose successful reply is shared by all calls for ``ttl`` seconds."""

    key: str
    request: Request
    ttl: float


@dataclass(frozen=True, slots=True)
class Gather:
    """Perform generators side by side; each uses Send, Wait and Lookup only."""

    jobs: Sequence[Generator[Any, Any, Any]]
    at_once: int = 8


@dataclass(frozen=True, slots=True)
class Drain:
    """Read what a cancelled Stream still brings."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Take an entry out of the thread store: of several calls that ask, one gets it."""

    key: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Look at an entry of the thread store."""

    key: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Put an entry into the thread store. Without effect while the store is down."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Emit(Generic[T]):
    """Give items to the caller: deltas of an answer, or the service's own events."""

    items: list[T]


Action = (
    Send | Stream | Read | Wait | Lookup | Gather | Drain | Claim | Recall | Remember | Emit[Any]
)
Actions = Generator[Action, Any, T]
"""A generator of actions that returns a T."""
Steps = Actions[None]
Exchange = Actions[Reply]


class Job(Protocol):
    """Requests that end in a value."""

    def run(self) -> Actions[Any]:
        """Return the value. Raises LiteLLM's exceptions."""
        ...

    def abandon(self) -> Steps:
        """Clean up after a job that ended early."""
        ...


class Turn(Protocol[T_co]):
    """One call to an agent, as the drivers see it. T is the type of the items that it emits."""

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids known so far (``thread_id``, ``run_id``, ...)."""
        ...

    def run(self) -> Steps:
        """The actions of the call. Raises LiteLLM's exceptions."""
        ...

    def abandon(self) -> Steps:
        """Clean up after a call that ended early, so that nothing goes on at the service."""
        ...
