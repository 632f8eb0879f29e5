"""Ids that travel in tool calls, and what a history continues."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_azure_agents.continuity.call_ids import CallKind, CallRef, decode, encode
from litellm_azure_agents.continuity.history import HistoryError, read_history

T, R = "thread_JbQ1sT4nFxW2Ko8eRm6VyHcA", "run_9uLz3PdXw7GkTq5BvN2sYfJe"
C1, C2 = "call_a1B2c3D4e5F6g7H8i9J0kLmN", "call_z9Y8x7W6v5U4t3S2r1Q0pOnM"
A, B = encode(CallKind.RUN_CALL, T, R, C1), encode(CallKind.RUN_CALL, T, R, C2)


def test_ids_are_short_and_of_the_safe_alphabet() -> None:
    assert A == "az_t_JbQ1sT4nFxW2Ko8eRm6VyHcA_9uLz3PdXw7GkTq5BvN2sYfJe_a1B2c3D4e5F6g7H8i9J0kLmN"
    assert len(A) == 79
    assert decode(A) == CallRef(CallKind.RUN_CALL, (T, R, C1))


ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,40}", fullmatch=True).filter(
    lambda text: ".." not in text
)


@given(
    ids | ids.map("thread_".__add__), ids | ids.map("run_".__add__), ids | ids.map("call_".__add__)
)
def test_any_id_survives(thread: str, run: str, call: str) -> None:
    text = encode(CallKind.RUN_CALL, thread, run, call)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert decode(text) == CallRef(CallKind.RUN_CALL, (thread, run, call))


@pytest.mark.parametrize(
    "kind",
    [
        CallKind.RESPONSE_CALL,
        CallKind.CONVERSATION_CALL,
        CallKind.RESPONSE_APPROVAL,
        CallKind.CONVERSATION_APPROVAL,
    ],
)
def test_calls_of_responses_carry_two_ids(kind: CallKind) -> None:
    ref = decode(encode(kind, "resp_68d1a", "call_7"))
    assert ref is not None
    assert ref.ids == ("resp_68d1a", "call_7")
    assert ref.is_approval == kind.name.endswith("APPROVAL")


@pytest.mark.parametrize("approvals", [(), ("mcpr_1",), ("mcpr_1", "odd-one_2")])
def test_a_call_may_carry_approvals_along(approvals: tuple[str, ...]) -> None:
    ref = decode(encode(CallKind.CONVERSATION_CALL_WITH_APPROVALS, "conv_9", "call_7", *approvals))
    assert ref is not None
    assert (ref.owner, ref.call_id, ref.approvals) == (("conv_9",), "call_7", approvals)


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "call_abc", "az_t_a_b", "az_x_a_b_c", "az_t_a_b_c_d", "az_t_-z_b_c", "az_t_a_b_-",
     "az_t_..-d_b_c", "zz_t_a_b_c"],
)  # fmt: skip
def test_foreign_ids_are_not_ours(text: Any) -> None:
    assert decode(text) is None


def user(text: str = "hi") -> dict[str, Any]:
    return {"role": "user", "content": text}


def calls(*ids: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}"}
    return {
        "role": "assistant",
        "tool_calls": [{"id": i, "type": "function", "function": function} for i in ids],
    }


def result(id: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


ANSWER = {"role": "assistant", "content": "so"}


@pytest.mark.parametrize(
    ("messages", "ref", "results", "new"),
    [
        ([user()], None, 0, 0),
        ([user(), ANSWER, user()], None, 0, 2),
        ([user(), calls(A, B), result(A), result(B)], B, 2, 2),
        ([user(), calls(A, B), result(B), result(A)], B, 2, 2),
        ([user(), calls(A), result(A), ANSWER, user()], A, 0, 4),
        ([user(), calls(A), user("never mind")], A, 0, 2),
        ([user(), calls(A), result(A), user("and?")], A, 0, 2),
        ([result(A)], A, 1, 0),
        ([user(), calls("call_x"), result("call_x")], None, 0, 2),
    ],
)
def test_what_a_history_continues(
    messages: list[Any], ref: str | None, results: int, new: int
) -> None:
    history = read_history(messages)
    assert history.ref is None if ref is None else history.ref is not None
    if history.ref is not None:
        assert history.ref.owner == (T, R)
    assert len(history.results) == results
    assert history.new == new


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([calls(A, B), result(A)], f"missing for {B}"),
        ([calls(A), result(A), result(A)], f"twice for {A}"),
        ([calls(A), result(A), result(B)], f"no call waits for the results {B}"),
        ([calls(A), result("call_other")], "call_other"),
        ([result(A), result(encode(CallKind.RUN_CALL, T, "run_other", C2))], "different runs"),
    ],
)
def test_contradictions_are_named(messages: list[Any], says: str) -> None:
    with pytest.raises(HistoryError, match=re.escape(says)):
        read_history([user(), *messages])
