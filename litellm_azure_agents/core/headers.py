"""Which headers a call may bring, besides those that the package sets itself. No I/O.

Three kinds of people give headers, and each may give less than the one before:

=========  =======================================  ==============================================
who        how                                      may give
=========  =======================================  ==============================================
operator   option ``fixed_headers``                 all but `FRAMING` and ``authorization``
developer  ``extra_headers`` of the SDK, or of a    all but `FRAMING` and `CREDENTIALS`
           deployment
client     the body of a request to a proxy         `CLIENTS`, ``x-client-*`` and what the option
                                                    ``allowed_headers`` names; of these never
                                                    `FRAMING`, `CREDENTIALS` or `IDENTITY`
=========  =======================================  ==============================================

Names are compared without case.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

CLIENT_PREFIX = "x-client-"
"""Headers that the service passes on to a hosted agent's code."""
CLIENTS = frozenset(
    {"traceparent", "tracestate", "baggage", "x-request-id", "x-ms-client-request-id"}
)
"""Headers that follow a request through several services. They grant nothing."""
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "api-key", "cookie", "cookie2"})
FRAMING = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding",
     "connection", "proxy-connection", "keep-alive", "te", "trailer", "upgrade", "expect",
     "accept"}
)  # fmt: skip
"""Headers that say where a request goes and how its body and its reply are to be read."""
IDENTITY = frozenset(
    {"x-ms-user-identity", "x-agent-user-id", "x-ms-user-isolation-key", "x-ms-chat-isolation-key",
     "x-agent-user-isolation-key", "x-agent-chat-isolation-key"}
)  # fmt: skip
"""Headers that tell an agent who its user is (protocols B6)."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


class HeaderError(ValueError):
    """A header can't be sent. The message names the header, and never shows its value."""


@dataclass(frozen=True, slots=True)
class ClientHeaders:
    """What is known of where the headers of a call through a proxy come from. Lower-case names."""

    named: Collection[str] = ()
    """Headers that the body of the client's request brought."""
    doubtful: Collection[str] | None = ()
    """Headers that either the client's body or LiteLLM brought; None for all others."""
    forwarded: Mapping[str, str] = field(default_factory=dict)
    """The HTTP headers of the request. LiteLLM forwards some of them if its operator wants it."""
    added_prefix: str | None = None
    """The prefix of headers that LiteLLM itself adds, None if it adds none."""


def well_formed(headers: Mapping[Any, Any]) -> dict[str, str]:
    """``headers`` as text, without those whose value is None.

    Raises `HeaderError` for a name or a value that HTTP can't carry: line breaks, control
    characters, characters beyond ASCII, other types; and for a name that is there twice.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise HeaderError(
                f"the header {_shown(name)} can't be sent: a name has letters, digits and "
                "hyphens only. Rename it, or leave it out"
            )
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise HeaderError(
                f"the header {_shown(name)} can't be sent: its value is a string, not "
                f"{type(value).__name__}"
            )
        text = str(value).strip(" \t")
        if not _VALUE.fullmatch(text):
            raise HeaderError(
                f"the header {_shown(name)} can't be sent: its value has a line break, a control "
                "character or a character beyond ASCII. Encode the value, or leave the header out"
            )
        if name.lower() in seen:
            raise HeaderError(f"the header {_shown(name)} is given twice; give it once")
        seen.add(name.lower())
        found[name] = text
    return found


def developers(headers: Mapping[Any, Any]) -> dict[str, str]:
    """The ``extra_headers`` of a developer. Raises `HeaderError` for one that he may not give."""
    given = well_formed(headers)
    for name in given:
        if name.lower() in CREDENTIALS:
            raise HeaderError(
                f"the header {_shown(name)} can't be given by extra_headers, because it carries a "
                "credential. Give the agent's credential by api_key or credential, and one for a "
                "gateway by the option fixed_headers"
            )
        if name.lower() in FRAMING:
            raise HeaderError(
                f"the header {_shown(name)} can't be given, because it is part of how the request "
                "is sent. Leave it out"
            )
    return given


def clients(
    headers: Mapping[Any, Any], origin: ClientHeaders, allowed: Iterable[str] = ()
) -> dict[str, str]:
    """``headers`` of a call through a proxy, of which ``origin`` says which its client sent.

    ``allowed`` are more names that clients may give. A forwarded header that is not allowed is
    left out: the client's HTTP library may have added it. Raises `HeaderError` for any other one
    that the client may not give.
    """
    never = CREDENTIALS | FRAMING | IDENTITY
    more = {name.lower() for name in allowed} - never
    passed: dict[str, str] = {}
    forwarded = {name.lower(): value for name, value in origin.forwarded.items()}
    for given, value in headers.items():
        name = str(given).lower()
        if name in CLIENTS or name.startswith(CLIENT_PREFIX) or name in more:
            passed[given] = value
            continue
        if name not in origin.named:
            if origin.doubtful is not None and name not in origin.doubtful:
                passed[given] = value  # the operator's, from the deployment
                continue
            if forwarded.get(name) == value:
                continue
            if origin.added_prefix is not None and name.startswith(origin.added_prefix):
                passed[given] = value
                continue
        reason = (
            "a client of this proxy can't set it"
            if name in never
            else "clients of this proxy may send x-client-*, "
            f"{', '.join(sorted(CLIENTS | more))} only. Its operator can add names with the option "
            "allowed_headers, and set a header himself with the option fixed_headers"
        )
        raise HeaderError(f"the header {_shown(given)} is not allowed: {reason}")
    return developers(passed)


def operators(headers: Mapping[Any, Any]) -> dict[str, str]:
    """The option ``fixed_headers``. Raises `HeaderError` for one that nobody may set."""
    given = well_formed(headers)
    for name in given:
        if name.lower() in FRAMING or name.lower() == "authorization":
            raise HeaderError(f"the header {_shown(name)} is set by this package; leave it out")
    return given


def merged(first: Mapping[str, str], *later: Mapping[str, str]) -> dict[str, str]:
    """All the headers; a later one replaces an earlier one of the same name."""
    found = {name.lower(): (name, value) for name, value in first.items()}
    for headers in later:
        found |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(found.values())


def _shown(name: Any) -> str:
    text = repr(name)
    return text if len(text) <= 60 else text[:57] + "..."
