"""Which thread, run, conversation or response a call continues, and how their ids travel.

A client that only knows chat completions gives back what it was given: the ids of tool calls. So a
tool call's id carries what is needed to submit its result from any process. `encode` and `decode`
are the only places that know its form::

    az_<kind>_<thread>_<run>_<call>         e.g.  az_t_4K…_9f…_Xw…

Inside ``[A-Za-z0-9_-]``, since ``/v1/messages`` rewrites every other character (protocols D10), and
as short as opaque ids allow: the services' own prefixes (``thread_``, ``run_``, ``call_`` …) are
left out and put back. With ids of 24 characters that makes 79. Providers that refuse ids over 40
characters will refuse such a history; nothing shorter can carry three ids without a store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.endpoint import check_id

TAG = "az"
_PREFIXES: dict[str, tuple[str, ...]] = {
    # kind: the usual prefix of each id it carries
    "t": ("thread_", "run_", "call_"),  # function call of a run
    "a": ("thread_", "run_", "call_"),  # MCP approval of a run
    "r": ("resp_", "call_"),  # function call of a response
    "c": ("conv_", "call_"),  # function call in a conversation
    "p": ("resp_", "mcpr_"),  # MCP approval of a response
    "q": ("conv_", "mcpr_"),  # MCP approval in a conversation
    # As r and c, with the approvals (mcpr_) that wait beside and that the policy answers.
    "m": ("resp_", "call_"),
    "n": ("conv_", "call_"),
}


@dataclass(frozen=True, slots=True)
class CallRef:
    """What a tool call's id says: its kind and the ids it carries."""

    kind: str
    ids: tuple[str, ...]

    @property
    def call_id(self) -> str:
        """The service's own id of the call."""
        return self.ids[1] if self.kind in "mn" else self.ids[-1]

    @property
    def owner(self) -> tuple[str, ...]:
        """What the call belongs to: (thread, run), or (response,), or (conversation,)."""
        return self.ids[:1] if self.kind in "mn" else self.ids[:-1]

    @property
    def approvals(self) -> tuple[str, ...]:
        """Approval requests that are answered along with this call."""
        return self.ids[2:] if self.kind in "mn" else ()

    @property
    def is_approval(self) -> bool:
        return self.kind in "apq"


def encode(kind: str, *ids: str) -> str:
    """The id of a tool call for the client, carrying ``ids``."""
    prefixes = _prefixes(kind, len(ids))
    fields = [_pack(i, prefix) for i, prefix in zip(ids, prefixes, strict=True)]
    return "_".join((TAG, kind, *fields))


def decode(text: object) -> CallRef | None:
    """What the id carries, or None when it is not one of ours."""
    if not isinstance(text, str):
        return None
    tag, *rest = text.split("_")
    if tag != TAG or len(rest) < 2 or rest[0] not in _PREFIXES:
        return None
    prefixes = _prefixes(rest[0], len(rest) - 1)
    if len(rest) != 1 + len(prefixes):
        return None
    try:
        ids = tuple(
            check_id(_unpack(f, prefix), "id") for f, prefix in zip(rest[1:], prefixes, strict=True)
        )
    except ValueError:
        return None
    return CallRef(rest[0], ids)


def _prefixes(kind: str, ids: int) -> tuple[str, ...]:
    prefixes = _PREFIXES[kind]
    return prefixes + ("mcpr_",) * (ids - len(prefixes)) if kind in "mn" else prefixes


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


_SAID_ASIDE = ("system", "developer")


class HistoryError(ValueError):
    """The messages contradict themselves or the state they continue."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """One answered call: the ids it carries, and what the client's message says."""

    ref: CallRef
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the history relates to what the service has.

    ``ref`` is the newest of our call ids in the history (it names the thread or response);
    ``results`` are the answers to the calls that wait, when the history ends in them;
    ``new`` is the number of the first message that came after the last assistant turn;
    ``foreign`` are results at the end whose ids are not ours: the service's own, another model's,
    or none at all (functions of the old kind).
    """

    ref: CallRef | None
    results: tuple[ToolResult, ...]
    new: int
    foreign: tuple[Mapping[str, Any], ...] = ()


def read_history(messages: Sequence[Mapping[str, Any]]) -> Continuation:
    """What a history continues; `HistoryError` names missing, unknown and repeated results."""
    refs = [ref for message in messages for ref in map(decode, _ids_of(message)) if ref is not None]
    newest = refs[-1] if refs else None
    last_assistant = max(
        (i for i, m in enumerate(messages) if m.get("role") == "assistant"), default=-1
    )
    after = [m for m in messages[last_assistant + 1 :] if m.get("role") not in _SAID_ASIDE]
    tail = [m for m in after if m.get("role") in ("tool", "function")]
    ends_in_results = bool(tail) and after[-1] is tail[-1]
    asked = _call_ids(messages[last_assistant]) if last_assistant >= 0 else []
    _check_results(asked, tail)
    answered = [
        ToolResult(ref, m) for m in tail if (ref := decode(m.get("tool_call_id"))) is not None
    ]
    results: tuple[ToolResult, ...] = ()
    if answered and ends_in_results:
        owners = {result.ref.owner for result in answered}
        if len(owners) > 1 or len(answered) != len(tail):
            raise HistoryError(
                "the tool results at the end of messages belong to different runs: "
                + ", ".join(str(m.get("tool_call_id")) for m in tail)
            )
        results = tuple(answered)
    foreign = tuple(tail) if ends_in_results and not answered else ()
    return Continuation(newest, results, last_assistant + 1, foreign)


def _ids_of(message: Mapping[str, Any]) -> list[Any]:
    if message.get("role") == "tool":
        return [message.get("tool_call_id")]
    return _call_ids(message)


def _call_ids(message: Mapping[str, Any]) -> list[Any]:
    return [call.get("id") for call in message.get("tool_calls") or () if isinstance(call, Mapping)]


def _check_results(asked: Sequence[Any], tail: Sequence[Mapping[str, Any]]) -> None:
    given = [m.get("tool_call_id") for m in tail if m.get("role") == "tool"]
    if not given:
        return
    repeated = sorted({str(i) for i in given if given.count(i) > 1})
    if repeated:
        raise HistoryError(f"results given twice for {', '.join(repeated)}; give one result a call")
    if not asked:
        return  # a trimmed history: the ids alone tell, and the service checks
    unknown = [str(i) for i in given if i not in asked]
    if unknown:
        raise HistoryError(
            f"no call waits for the results {', '.join(unknown)}; the calls of the last assistant "
            f"message are {', '.join(map(str, asked))}"
        )
    missing = [str(i) for i in asked if i not in given]
    if missing:
        raise HistoryError(
            f"results are missing for {', '.join(missing)}; a step's calls are answered all at once"
        )
