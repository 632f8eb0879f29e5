"""Owners, seals, and what a request names by id: the pure part of isolation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_azure_agents.continuity.call_ids import CallKind, decode, encode
from litellm_azure_agents.continuity.isolation import (
    NotOwned,
    access_key,
    admit,
    belongs_to,
    ids_of_response,
    owned,
    owner_of,
    references_of_input,
    references_of_messages,
    references_of_tools,
    sealed_id,
)
from litellm_azure_agents.core.options import OptionError
from litellm_azure_agents.core.owner import KnownOwners

SECRET = "a secret of the proxy"
ADA, BOB = (owner_of("key", name, SECRET) for name in ("ada", "bob"))
CALL_ID = encode(CallKind.RUN_CALL, "thread_a", "run_b", "call_c")


def test_an_owner_is_a_keyed_hash() -> None:
    again = owner_of("key", "ada", SECRET)
    others = [BOB, owner_of("user", "ada", SECRET), owner_of("key", "ada", "another secret")]
    assert again == ADA
    assert len({ADA.tag, *(other.tag for other in others)}) == 4
    assert "ada" not in ADA.tag
    assert SECRET not in repr(ADA)
    assert ADA.secret.hex() not in repr(ADA)


# -- metadata ----------------------------------------------------------------------------------


def test_metadata_names_the_owner_whatever_the_caller_says() -> None:
    forged = owned({"a": "b"}, BOB)
    assert belongs_to({"metadata": forged}, BOB)
    marked = owned(forged, ADA)
    assert marked["a"] == "b"
    assert belongs_to({"metadata": marked}, ADA)
    assert not belongs_to({"metadata": marked}, BOB)
    assert owned(forged, None) == {"a": "b"}


@pytest.mark.parametrize("metadata", [None, {}, {"litellm_owner": ""}, {"litellm_owner": None}, []])
def test_what_nobody_owns_is_nobodys(metadata: Any) -> None:
    assert not belongs_to({"metadata": metadata}, ADA)


def test_there_must_be_room_for_the_owner() -> None:
    with pytest.raises(OptionError, match="16 pairs"):
        owned({str(n): "x" for n in range(16)}, ADA)


# -- seals -------------------------------------------------------------------------------------

_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,30}", fullmatch=True)


@given(_ids, _ids, _ids)
def test_a_sealed_id_carries_what_it_carried(thread: str, run: str, call: str) -> None:
    if ".." in thread + "/" + run + "/" + call:
        return
    plain = encode(CallKind.RUN_CALL, thread, run, call)
    own = sealed_id(plain, ADA)
    assert decode(own) == decode(plain)
    assert own != sealed_id(plain, BOB)
    (admitted,) = admit([{"role": "tool", "tool_call_id": own, "content": ""}], ADA)
    assert admitted["tool_call_id"] == plain


def test_an_id_of_the_services_has_no_seal() -> None:
    assert sealed_id("call_1", ADA) == "call_1"


def history(call_id: str, *more: dict[str, Any]) -> list[Any]:
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "1"},
        *more,
    ]


WRONG = {
    "without a seal": CALL_ID,
    "with another's seal": sealed_id(CALL_ID, BOB),
    "with the seal of another id": sealed_id(CALL_ID, ADA)[:-1] + "d",
    "with an empty seal": CALL_ID.replace("az_", "azs__", 1),
    "with half a seal": sealed_id(CALL_ID, ADA).replace("azs_", "azs_0", 1),
}


@pytest.mark.parametrize("how", WRONG)
def test_results_need_the_callers_seal(how: str) -> None:
    with pytest.raises(NotOwned) as caught:
        admit(history(WRONG[how]), ADA)
    assert caught.value.reference.id == WRONG[how]


@pytest.mark.parametrize("how", WRONG)
def test_in_old_turns_an_id_without_the_callers_seal_leads_nowhere(how: str) -> None:
    messages = history(
        WRONG[how], {"role": "assistant", "content": "ok"}, {"role": "user", "content": "?"}
    )
    admitted = admit(messages, ADA)
    call_id = admitted[1]["tool_calls"][0]["id"]
    assert decode(call_id) is None
    assert admitted[2]["tool_call_id"] == call_id, "the result still belongs to its call"


def test_ids_of_other_models_stay() -> None:
    messages = history("call_1")
    assert admit(messages, ADA) == messages


# -- references --------------------------------------------------------------------------------


def test_files_in_messages() -> None:
    content = [
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "image_file", "image_file": {"file_id": "file_2"}},
        {"type": "input_file", "file_id": "file_3"},
        {"type": "file", "file": {"file_data": "data:…", "filename": "a.txt"}},
        {"type": "text", "text": "file_4"},
        "file_5",
    ]
    messages = [{"role": "user", "content": content}, {"role": "tool", "content": content[:1]}]
    found = [reference.id for reference in references_of_messages(messages)]
    assert found == ["file_1", "file_2", "file_3", "file_1"]


def test_files_stores_and_containers_of_tools() -> None:
    resources = {
        "code_interpreter": {"file_ids": ["file_1"]},
        "file_search": {"vector_store_ids": ["vs_1", "vs_2"]},
    }
    tools = [
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_2"]}},
        {"type": "shell", "environment": {"container_id": "cntr_2"}},
    ]
    found = [*references_of_tools(resources, "x"), *references_of_tools(tools, "x")]
    assert [(r.what, r.id) for r in found] == [
        ("file", "file_1"), ("vector store", "vs_1"), ("vector store", "vs_2"),
        ("container", "cntr_1"), ("file", "file_2"), ("container", "cntr_2"),
    ]  # fmt: skip


def test_what_the_input_of_a_response_names() -> None:
    items = [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_2"},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "file_id": "f_1"}]},
        {"type": "function_call_output", "output": [{"type": "input_file", "file_id": "f_2"}]},
        {"type": "computer_call_output", "output": {"type": "x", "file_id": "f_3"}},
        {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
        {"type": "message", "role": "assistant", "id": "msg_3", "content": [
            {"type": "output_text", "text": "", "annotations": [{"file_id": "cited"}]}]},
    ]  # fmt: skip
    found = [(r.what, r.id) for r in references_of_input(items)]
    assert found == [
        ("item", "msg_1"), ("item", "msg_2"), ("file", "f_1"), ("file", "f_2"), ("file", "f_3"),
        ("container", "cntr_1"),
    ]  # fmt: skip
    assert list(references_of_input("text")) == []


def test_what_a_response_gives_out() -> None:
    note = {"type": "container_file_citation", "file_id": "f_1", "container_id": "cntr_1"}
    response = {
        "agent_session_id": "session_1",
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "content": [
                    {
                        "text": "f_2",
                        "annotations": [note, {"type": "file_citation", "file_id": "f_4"}],
                    }
                ],
            },
            {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_2"},
            {"type": "file_search_call", "id": "fs_1", "results": [{"file_id": "f_3"}]},
        ],
    }
    ids = {"session_1", "msg_1", "ci_1", "fs_1", "f_1", "cntr_1", "cntr_2"}
    assert ids_of_response(response) == ids


def test_what_is_given_out_is_remembered_by_owner() -> None:
    keys = {access_key(ADA, "f_1"), access_key(BOB, "f_1"), access_key(ADA, "f_2")}
    assert len(keys) == 3
    assert not any("f_1" in key for key in keys)


# -- known owners ------------------------------------------------------------------------------


def test_known_owners_are_forgotten_in_time() -> None:
    now = [0.0]
    known = KnownOwners(clock=lambda: now[0])
    known.learn("https://a/threads/t", "tag")
    now[0] = 599.0
    assert known.tag_of("https://a/threads/t") == "tag"
    now[0] = 600.0
    assert known.tag_of("https://a/threads/t") is None
