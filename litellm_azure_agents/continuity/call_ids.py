"""Tool call ids that carry the ids of their thread and run, response or conversation.

A client that knows chat completions only sends back what it received. So the id of a tool call
carries what is needed to submit its result from any process. `encode` and `decode` are the only
places that know its form::

    az_<kind>_<thread>_<run>_<call>         e.g.  az_t_4K…_9f…_Xw…

All characters are in ``[A-Za-z0-9_-]``, because ``/v1/messages`` rewrites every other one
(protocols D10). The services' own prefixes (``thread_``, ``run_``, ``call_`` …) are left out and
put back. With ids of 24 characters that makes 79. Providers that refuse ids over 40 characters will
refuse such a history; a shorter form can't carry three ids without a store.

With ``thread_isolation`` an id is sealed, so that nobody can use another's or make one up::

    azs_<seal>_<kind>_<thread>_<run>_<call>

Whether a seal is right is checked in one place, before a turn sees the messages
(`isolation.admit`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from ..core.endpoint import check_id

Owner = Literal["run", "response", "conversation"]
"""What a call belongs to: a run of a thread, a stored response, or a conversation."""
_TAG, _SEALED = "az", "azs"
_APPROVAL_PREFIX = "mcpr_"


class CallKind(Enum):
    """What a tool call is and what it belongs to. The value is the letter in its id."""

    RUN_CALL = "t"
    RUN_APPROVAL = "a"
    RESPONSE_CALL = "r"
    RESPONSE_APPROVAL = "p"
    RESPONSE_CALL_WITH_APPROVALS = "m"
    CONVERSATION_CALL = "c"
    CONVERSATION_APPROVAL = "q"
    CONVERSATION_CALL_WITH_APPROVALS = "n"

    @property
    def owner(self) -> Owner:
        if self in (CallKind.RUN_CALL, CallKind.RUN_APPROVAL):
            return "run"
        return "response" if self.name.startswith("RESPONSE") else "conversation"

    @property
    def is_approval(self) -> bool:
        return self.name.endswith("_APPROVAL")

    @property
    def carries_approvals(self) -> bool:
        """Whether approval requests that the policy answers follow the call's own id."""
        return self.name.endswith("_WITH_APPROVALS")

    def prefixes(self, ids: int) -> tuple[str, ...]:
        """The usual prefixes of the ``ids`` ids that an id of this kind carries."""
        owners = {"run": ("thread_", "run_"), "response": ("resp_",), "conversation": ("conv_",)}
        # The approvals of a run have ordinary call ids (protocols A4).
        own = _APPROVAL_PREFIX if self.is_approval and self.owner != "run" else "call_"
        usual = (*owners[self.owner], own)
        return usual + (_APPROVAL_PREFIX,) * (ids - len(usual) if self.carries_approvals else 0)


@dataclass(frozen=True, slots=True)
class CallRef:
    """What a tool call's id says: its kind and the ids that it carries."""

    kind: CallKind
    ids: tuple[str, ...]

    @property
    def call_id(self) -> str:
        """The service's own id of the call."""
        return self.ids[len(self.owner)]

    @property
    def owner(self) -> tuple[str, ...]:
        """The ids that the call belongs to: (thread, run), (response,) or (conversation,)."""
        return self.ids[: 2 if self.of_run else 1]

    @property
    def of_run(self) -> bool:
        """Whether the call belongs to a run of a classic agent."""
        return self.kind.owner == "run"

    @property
    def approvals(self) -> tuple[str, ...]:
        """Approval requests that are answered along with this call."""
        return self.ids[2:] if self.kind.carries_approvals else ()

    @property
    def is_approval(self) -> bool:
        return self.kind.is_approval


def encode(kind: CallKind, *ids: str) -> str:
    """The id of a tool call for the client, carrying ``ids``."""
    fields = [_pack(i, prefix) for i, prefix in zip(ids, kind.prefixes(len(ids)), strict=True)]
    return "_".join((_TAG, kind.value, *fields))


def sealed(text: str, seal: Callable[[str], str]) -> str:
    """One of our ids with a seal, which is ``seal`` of the id; any other text as it is."""
    tag, _, rest = text.partition("_")
    return f"{_SEALED}_{seal(text)}_{rest}" if tag == _TAG else text


def seal_of(text: str) -> str | None:
    """The seal of one of our ids, "" if it has none; None if it is not one of ours."""
    tag, _, rest = text.partition("_")
    if tag == _SEALED:
        return rest.partition("_")[0]
    return "" if tag == _TAG else None


def unsealed(text: str) -> str:
    """One of our ids without its seal; any other text as it is."""
    tag, _, rest = text.partition("_")
    return f"{_TAG}_{rest.partition('_')[2]}" if tag == _SEALED else text


def decode(text: object) -> CallRef | None:
    """What the id carries, or None if it is not one of ours."""
    if not isinstance(text, str):
        return None
    tag, *rest = unsealed(text).split("_")
    if tag != _TAG or len(rest) < 2:
        return None
    try:
        kind = CallKind(rest[0])
        fields = zip(rest[1:], kind.prefixes(len(rest) - 1), strict=True)
        ids = tuple(check_id(_unpack(field, prefix), "id") for field, prefix in fields)
    except ValueError:
        return None
    return CallRef(kind, ids)


def _pack(value: str, prefix: str) -> str:
    """Escape with '-': '--' is '-', '-u' is '_', '-d' is '.', and a leading '-n' has no prefix."""
    if value.startswith(prefix) and len(value) > len(prefix):
        body, lead = value[len(prefix) :], ""
    else:
        body, lead = value, "-n"
    return lead + body.replace("-", "--").replace("_", "-u").replace(".", "-d")


def _unpack(packed: str, prefix: str) -> str:
    if packed.startswith("-n"):
        packed, prefix = packed[2:], ""
    out: list[str] = []
    characters = iter(packed)
    for character in characters:
        out.append(_unescape(next(characters, "")) if character == "-" else character)
    return prefix + "".join(out)


def _unescape(mark: str) -> str:
    try:
        return {"-": "-", "u": "_", "d": "."}[mark]
    except KeyError:
        raise ValueError("not one of our ids") from None
