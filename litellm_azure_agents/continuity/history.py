"""What the client's history says about the thread, run or response that it continues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .call_ids import CallRef, decode

_INSTRUCTIONS = ("system", "developer")


class HistoryError(ValueError):
    """The messages contradict themselves or the state they continue."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of one call: the ids of the call, and the client's message."""

    ref: CallRef
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the history relates to what the service has.

    ``ref`` is the newest of our call ids in the history; it names the thread or response.
    ``results`` are the results of the calls that wait, if the history ends in them.
    ``new`` is the index of the first message after the last assistant turn.
    ``foreign`` are results at the end whose ids are not ours: the service's own, another model's,
    or none at all (functions of the old kind).
    """

    ref: CallRef | None
    results: tuple[ToolResult, ...]
    new: int
    foreign: tuple[Mapping[str, Any], ...] = ()


def read_history(messages: Sequence[Mapping[str, Any]]) -> Continuation:
    """What a history continues. Raises HistoryError for missing, unknown and repeated results."""
    refs = [ref for message in messages for ref in map(decode, _ids_of(message)) if ref is not None]
    newest = refs[-1] if refs else None
    last_assistant = max(
        (i for i, m in enumerate(messages) if m.get("role") == "assistant"), default=-1
    )
    after = [m for m in messages[last_assistant + 1 :] if m.get("role") not in _INSTRUCTIONS]
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
    repeated = sorted(str(i) for i, times in Counter(map(str, given)).items() if times > 1)
    if repeated:
        raise HistoryError(f"results given twice for {', '.join(repeated)}; give one result a call")
    if not asked:
        return  # a trimmed history: the ids alone tell, and the service checks
    expected, answered = {str(i) for i in asked}, {str(i) for i in given}
    unknown = [str(i) for i in given if str(i) not in expected]
    if unknown:
        raise HistoryError(
            f"no call waits for the results {', '.join(unknown)}; the calls of the last assistant "
            f"message are {', '.join(map(str, asked))}"
        )
    missing = [str(i) for i in asked if str(i) not in answered]
    if missing:
        raise HistoryError(
            f"results are missing for {', '.join(missing)}; a step's calls are answered all at once"
        )
