"""What callers get wrong: a BadRequestError that says what, never an exception of Python's."""

from __future__ import annotations

import asyncio
import pickle
import random
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import files
from litellm_azure_agents.content.messages import check_messages, describe
from litellm_azure_agents.core.actions import Reply
from litellm_azure_agents.core.call import read_timeout
from litellm_azure_agents.core.options import Options, Params
from litellm_azure_agents.host.arguments import prepare
from litellm_azure_agents.host.handler import AgentsRoute
from litellm_azure_agents.tool_loop.loop import TooManyRounds
from litellm_azure_agents.vector_stores import FileOutcome, VectorStore, VectorStoreError
from tests.support.credentials import token_of
from tests.support.malformed import JUNK
from tests.support.playing import clients_to
from tests.support.scripted_turn import ScriptedService, outcome
from tests.support.stream_service import ThreadService

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
USER = {"role": "user", "content": "Go."}
AGENTS = ("agents/asst_rec", "agents/bob")


def arguments(**given: Any) -> dict[str, Any]:
    """What LiteLLM hands to the handler of ``azure_ai/agents/``."""
    return {
        "model": "agents/asst_rec", "messages": [USER], "api_base": BASE, "api_key": "k",
        "optional_params": {}, "litellm_params": {}, "headers": None, "timeout": 5.0,
        "provider": "azure_ai", "streamed": False, **given,
    }  # fmt: skip


def refusal(**given: Any) -> litellm.BadRequestError:
    """Preparing and playing the turn ends in a BadRequestError before anything is sent."""

    def send(request: Any) -> Any:
        raise AssertionError("it was sent")

    with pytest.raises(litellm.BadRequestError) as caught:
        ScriptedService([], send, Any).play(prepare(**arguments(**given)).turn.run())
    return caught.value


# -- messages ------------------------------------------------------------------------------------


def called(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


ANSWER = {"role": "tool", "tool_call_id": "a", "content": "1"}


@pytest.mark.parametrize("model", AGENTS)
@pytest.mark.parametrize("messages", [None, [], (), "Hello", USER, 5, {}])
def test_messages_that_are_no_list(model: str, messages: Any) -> None:
    error = refusal(model=model, messages=messages)
    assert "messages must be a list of at least one message" in str(error)
    assert error.body["param"] == "messages"


@pytest.mark.parametrize("model", AGENTS)
@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (None, "a mapping with 'role' and 'content'"),
        ("Hello", "a mapping with 'role' and 'content'"),
        ({}, "this message has none"),
        ({"content": "x"}, "this message has none"),
        ({"role": None, "content": "x"}, "the roles are"),
        ({"role": 5, "content": "x"}, "not 5"),
        ({"role": ["user"], "content": "x"}, "the roles are"),
        ({"role": "wizard", "content": "x"}, "not 'wizard'"),
        ({"role": "user", "content": 5}, "not int 5"),
        ({"role": "user", "content": {"a": 1}}, "a string or a list of parts"),
        ({"role": "user", "content": [None]}, "content[0] is None"),
        ({"role": "user", "content": ["a", {"text": "x"}]}, "content[1]"),
        ({"role": "user", "content": [{"type": ["x"]}]}, "'type'"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "'text' is a string"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "image_url takes"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": 5}]}, "image_url takes"),
        ({"role": "user", "content": [{"type": "image_file", "image_file": 5}]}, "file_id"),
        ({"role": "user", "content": [{"type": "image_file"}]}, "file_id"),
        ({"role": "user", "content": [{"type": "file", "file": 5}]}, "file_id"),
        ({"role": "user", "content": [{"type": "novelty"}]}, "'novelty'"),
        ({"role": "user", "content": "x", "name": 5}, "'name' is text"),
        ({"role": "user", "content": "x", "name": ["a b"]}, "'name' is text"),
        ({"role": "system", "content": 5}, "not int 5"),
        ({"role": "system", "content": [{"type": "image_url"}]}, "text only"),
        ({"role": "assistant", "content": 5}, "not int 5"),
        ({"role": "assistant", "tool_calls": 5}, "'tool_calls' is a list"),
        ({"role": "assistant", "tool_calls": {"id": "a"}}, "'tool_calls' is a list"),
        (called(5), "tool_calls[0] needs an 'id'"),
        (called({}), "tool_calls[0] needs an 'id'"),
        (called({"id": "a", "function": 5}), "'function' is a mapping"),
        (called({"id": "a", "function": {"name": "f", "arguments": {}}}), "is JSON text"),
        (called({"id": 5, "function": {"name": "f"}}), "needs an 'id'"),
        ({"role": "assistant", "function_call": "f"}, "function_call:"),
        ({"role": "tool", "content": "x"}, "needs 'tool_call_id'"),
        ({"role": "tool", "tool_call_id": 5, "content": "x"}, "not int 5"),
        ({"role": "function", "content": "x"}, "needs 'name'"),
    ],
)  # fmt: skip
def test_the_wrong_message_is_named(model: str, message: Any, hint: str) -> None:
    error = refusal(model=model, messages=[USER, message, USER])
    assert "messages[1]: " in str(error)
    assert hint in str(error)


@pytest.mark.parametrize("content", [None, "", []])
def test_a_last_message_that_says_nothing(content: Any) -> None:
    error = refusal(messages=[USER, {"role": "user", "content": content}])
    assert "messages[1]: the last message says nothing" in str(error)


def test_what_frameworks_send_is_taken() -> None:
    told = [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": ["Hi", {"type": "text", "text": ""}], "name": "ann"},
        {"role": "user", "content": None},
        litellm.Message(content="Hello", role="assistant"),
        {"role": "assistant", "tool_calls": None, "function_call": None, "content": "Hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "…"}]},
        called({"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}),
        {"role": "tool", "tool_call_id": "a", "content": {"rows": 3}},
        {"role": "assistant", "function_call": {"name": "f", "arguments": None}},
        {"role": "function", "name": "f", "content": "1"},
        USER,
    ]  # fmt: skip
    assert len(check_messages(told)) == len(told)
    for model in AGENTS:
        turn = prepare(**arguments(model=model, messages=told)).turn
        _, failure = outcome(turn, ScriptedService([], _not_found, random.Random(1)))
        assert not isinstance(failure, litellm.BadRequestError), failure


def test_an_index_counts_the_messages_as_they_were_given() -> None:
    system = {"role": "system", "content": "Be brief."}
    wrong = {"role": "user", "content": [{"type": "audio"}]}
    for model in AGENTS:
        error = refusal(model=model, messages=[system, system, USER, wrong])
        assert "messages[3]: an agent takes text, images and files, no audio" in str(error)
    assert describe([], ValueError("of none")) == "of none"


# -- options -------------------------------------------------------------------------------------

NUMBERS: list[Any] = ["abc", "", [], {}, b"x", object(), -1, 0, float("nan"), httpx.Timeout(0)]


@pytest.mark.parametrize("timeout", NUMBERS)
def test_a_timeout_that_is_none(timeout: Any) -> None:
    error = refusal(timeout=timeout)
    assert "timeout" in str(error)
    assert error.body["param"] == "timeout"
    with pytest.raises(litellm.BadRequestError, match="timeout"):
        files.info("file-1", api_base=BASE, api_key="k", timeout=timeout)


def test_timeouts_in_their_forms() -> None:
    assert read_timeout(None) == read_timeout(httpx.Timeout(None)) == 600
    assert read_timeout(httpx.Timeout(5, read=None)) == 600
    assert read_timeout(httpx.Timeout(None, read=7)) == read_timeout("7") == 7
    assert read_timeout(float("inf")) == 1e6


@pytest.mark.parametrize("retries", ["x", 2.5, [], {}, True])
def test_retries_that_are_no_number(retries: Any) -> None:
    error = refusal(optional_params={"max_retries": retries})
    assert "max_retries is a whole number" in str(error)
    with pytest.raises(litellm.BadRequestError, match="max_retries"):
        files.info("file-1", api_base=BASE, api_key="k", max_retries=retries)


def test_bad_arguments_through_litellm() -> None:
    where = {"model": "azure_ai/agents/asst_rec", "api_base": BASE, "api_key": "k"}
    with clients_to(ThreadService("plain")):
        with pytest.raises(litellm.BadRequestError, match=r"messages\[0\]"):
            litellm.completion(messages=[{"role": "user", "content": [5]}], **where)
        with pytest.raises(litellm.BadRequestError, match="max_retries"):
            asyncio.run(litellm.acompletion(messages=[USER], max_retries="x", **where))
        with pytest.raises(litellm.BadRequestError, match="greater than 0"):
            litellm.completion(messages=[USER], timeout=-1, **where)


NAMES = [*Options.model_fields, *Params.model_fields, "n", "modalities", "stop", "logprobs", "seed"]


@pytest.mark.parametrize("model", AGENTS)
@pytest.mark.parametrize("name", NAMES)
def test_any_value_of_an_option_is_taken_or_refused(model: str, name: str) -> None:
    """Whatever is taken may be refused by the service; nothing else may come of it."""
    for value in [*JUNK, [{"type": "function"}], [{"type": "function", "function": 5}],
                  [{"type": "function", "function": {"name": []}}], [{"name": ["f"]}],
                  {"type": "json_schema", "json_schema": 5}, {"function": 5}, [{"type": []}],
                  {"type": "json_schema", "json_schema": {"schema": {1: 2}}}]:  # fmt: skip
        given = arguments(model=model, optional_params={name: value}, messages=[USER, *TURNS])
        try:
            turn = prepare(**given).turn
        except (litellm.BadRequestError, litellm.AuthenticationError):
            continue
        outcome(turn, ScriptedService([], _not_found, random.Random(1)))


TURNS = [called({"id": "a", "function": {"name": "f", "arguments": "{}"}}), ANSWER]


def _not_found(request: Any) -> Any:
    found = b'{"id": "asst_rec", "name": "bob", "tools": [], "versions": {}}'
    return Reply(200 if request.method == "GET" else 404, {}, found)


def test_the_route_gives_the_same_errors() -> None:
    given = arguments(messages=[{"role": "user", "content": 5}])
    del given["provider"], given["streamed"]
    with pytest.raises(litellm.BadRequestError, match=r"messages\[0\]"):
        AgentsRoute.completion(acompletion=False, stream=False, **given)


# -- exceptions of our own -----------------------------------------------------------------------


def test_our_exceptions_go_from_process_to_process() -> None:
    failed = FileOutcome("a.txt", "failed", "file-1", "invalid_file", "Empty.")
    for error in (
        VectorStoreError(VectorStore("vs_1", None, [failed])),
        TooManyRounds(3, [USER]),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_nothing_prepared_shows_a_secret() -> None:
    secret = "s3cr3t-0123456789"
    for given in ({"api_key": secret}, {"litellm_params": {"azure_ad_token": secret}}):
        prepared = prepare(**arguments(**{"api_key": None, **given}))
        assert secret not in repr(prepared)
        assert token_of(prepared.connection.token) == secret
    prepared = prepare(**arguments(optional_params={"fixed_headers": {"api-key": secret}}))
    assert secret not in repr(prepared)
    assert prepared.connection.call.headers["api-key"] == secret
