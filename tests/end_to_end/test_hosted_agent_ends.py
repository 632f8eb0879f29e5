"""A hosted agent that fails, is cancelled or polled, against the real hosting SDK."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx
import litellm
import pytest
from litellm.exceptions import MidStreamFallbackError

import litellm_azure_agents
from litellm_azure_agents import doctor
from tests.support import hosting
from tests.support.toy_agent import UNSTORED, arguments_of, asking, tool, user
from tests.support.ways import Way, from_chunks


@pytest.fixture
def ask(way: Way, hosted_agent: str) -> Any:
    """Asks the agent in one of the four ways; ``messages`` may be the words of a user."""
    return asking(way, hosted_agent)


# -- what goes wrong ---------------------------------------------------------------------------


def test_a_raising_agent(hosted_agent: str, way: Way) -> None:
    with pytest.raises(litellm.InternalServerError) as caught:
        way.ask(**arguments_of(hosted_agent, "raise", {}))
    assert "secret detail" not in str(caught.value)
    assert "server_error" in str(caught.value)


def test_a_failure_has_its_class_before_the_first_chunk(hosted_agent: str, way: Way) -> None:
    with pytest.raises(litellm.RateLimitError) as caught:
        way.ask(**arguments_of(hosted_agent, "limit", {}))
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_failure_in_mid_answer(hosted_agent: str, way: Way) -> None:
    # LiteLLM wraps what comes in mid-stream, and keeps the original.
    kind = MidStreamFallbackError if way.streamed else litellm.InternalServerError
    with pytest.raises(kind, match="and breaks") as caught:
        way.ask(**arguments_of(hosted_agent, "late failure", {}))
    original = getattr(caught.value, "original_exception", caught.value)
    assert isinstance(original, litellm.InternalServerError)


def test_wrong_input_is_named_by_the_service(hosted_agent: str, way: Way) -> None:
    with pytest.raises(litellm.BadRequestError, match="previous_response_id"):
        way.ask(**arguments_of(hosted_agent, "hi", {"previous_response_id": "nonsense"}))


def test_an_agent_that_dies(tmp_path: Any) -> None:
    with hosting.agent(tmp_path) as url, pytest.raises(litellm.APIConnectionError) as caught:
        Way("sync").ask(**arguments_of(url, "die", {}))
    assert "read the response's events" in str(caught.value)


# -- ending early ------------------------------------------------------------------------------


def _cancelled(hosted_agent: str, response_id: str) -> bool:
    for _ in range(40):
        result = Way("sync").ask(**arguments_of(hosted_agent, "who was cancelled", {}))
        if response_id in json.loads(result.text):
            return True
        time.sleep(0.05)
    return False


def test_closing_a_stream_cancels_the_agent(hosted_agent: str) -> None:
    async def leave() -> str:
        stream: Any = await litellm.acompletion(
            stream=True, **arguments_of(hosted_agent, "slow", {})
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.aclose()
        return str(chunk._hidden_params["response_id"])

    assert _cancelled(hosted_agent, asyncio.run(leave()))


@pytest.mark.parametrize("background", [False, True])
def test_the_timeout_ends_the_call_and_the_agent(
    hosted_agent: str, way: Way, background: bool
) -> None:
    began = time.monotonic()
    ids: dict[str, str] = {}
    arguments = arguments_of(hosted_agent, "slow", {"timeout": 0.4, "background": background})

    def ask() -> None:
        if way.name != "sync stream":
            way.ask(**arguments)
            return
        for chunk in litellm.completion(stream=True, **arguments):
            ids.update(chunk.choices[0].delta.provider_specific_fields or {})

    with pytest.raises(litellm.Timeout):
        ask()
    assert time.monotonic() - began < 3
    if ids:
        assert _cancelled(hosted_agent, ids["response_id"])


def test_cancelling_the_task_cancels_a_background_response(hosted_agent: str) -> None:
    async def leave() -> str:
        stream: Any = await litellm.acompletion(
            stream=True, **arguments_of(hosted_agent, "slow", {"background": True})
        )
        response_id = stream._hidden_params["response_id"]

        async def read() -> None:
            async for _ in stream:
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await stream.aclose()
        return str(response_id)

    response_id = asyncio.run(leave())
    assert httpx.get(f"{hosted_agent}/responses/{response_id}").json()["status"] == "cancelled"


# -- polling, health ---------------------------------------------------------------------------


def test_polling(ask: Any) -> None:
    result = ask("weather", run_mode="poll", poll_interval=0.02)
    assert (result.text, result.finish_reason) == ("Let me look.", "tool_calls")
    history = [user("weather"), result.assistant_message(),
               tool(result, 0, "a"), tool(result, 1, "b")]  # fmt: skip
    second = ask(history, run_mode="poll", poll_interval=0.02)
    assert second.text == "Results: call_paris=a, call_rome=b"
    with pytest.raises(litellm.BadRequestError, match="store"):
        ask("hi", run_mode="poll", **UNSTORED)


def test_background_streams_as_well(ask: Any) -> None:
    assert ask("hi", background=True).text == "You said: hi "


def test_health_check_asks_nothing_of_the_agent(hosted_agent: str) -> None:
    answer = asyncio.run(
        litellm.ahealth_check(
            {"model": "azure_ai/agents/toy", "api_base": hosted_agent}, mode="chat"
        )
    )
    assert "error" not in answer, answer
    down = asyncio.run(
        litellm.ahealth_check(
            {"model": "azure_ai/agents/toy", "api_base": "http://127.0.0.1:1"}, mode="chat"
        )
    )
    assert "error" in down


def test_no_credential_is_sent_to_a_container(
    hosted_agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_token(*_: Any, **__: Any) -> Any:
        raise AssertionError("a token was asked for")

    monkeypatch.setattr("litellm_azure_agents.auth.resolve.place", no_token)
    assert Way("sync").ask(**arguments_of(hosted_agent, "hi", {})).text == "You said: hi "


def test_streamed_text_arrives_piece_by_piece(hosted_agent: str) -> None:
    chunks = list(litellm.completion(stream=True, **arguments_of(hosted_agent, "a b c", {})))
    assert from_chunks(chunks).text == "You said: a b c "
    assert litellm_azure_agents.__version__


def test_the_doctor_asks_a_container_one_question(hosted_agent: str) -> None:
    """A container has no project to look at, and must not get a token."""
    found = list(doctor.diagnose(agent="toy", api_base=hosted_agent))
    assert [finding.check for finding in found] == ["LiteLLM", "plugin", "endpoint", "turn"]
    assert {finding.status for finding in found} == {"ok"}
