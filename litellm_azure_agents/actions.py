"""The words between a turn and its driver.

A *turn* (``threads/turn.py``, ``responses/turn.py``) is a generator that yields actions and is sent
their results; ``drivers.py`` plays them. Nothing here or above it knows sockets, sleep or event
loops, so one turn serves sync, async, streamed, folded and polled calls alike.

=============  ====================================================================================
action         result sent back
=============  ====================================================================================
Send           Reply or Lost
Stream         Reply (``streaming`` if it is an event stream, which Read then reads) or Lost
Read           list of ServerEvent that arrived together; None at the end of the body; or Lost
Wait           None
Lookup         Reply or Lost; successful replies are cached by key and shared (single flight)
Salvage        as Read: what a just-cancelled Stream still brings, within the cleaning-up time
Emit           None (the driver hands the deltas to the caller)
=============  ====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .answer import Delta


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart body: form fields and one file."""

    fields: Mapping[str, str]
    filename: str
    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``url`` is absolute and already encoded; the driver adds the token."""

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. ``headers`` has lower-case names; ``content`` is empty while streaming."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    streaming: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The decoded body, or None when it is not JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


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
class Salvage:
    pass


@dataclass(frozen=True, slots=True)
class Emit:
    deltas: list[Delta]


Action = Send | Stream | Read | Wait | Lookup | Salvage | Emit
Exchange = Generator[Action, Any, Reply]
Steps = Generator[Action, Any, None]


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
