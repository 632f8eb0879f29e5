"""A model of LiteLLM answers: messages, options, usage, errors, and its end."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.models.code_answers import bar_chart
from litellm_azure_agents.emulator.models.litellm_model import LiteLLMModel, ModelRefused

from ..chat_server import Answer, chunk, refuses, says, usage
from ..wire import PATIENCE, Wire, last_run, names, said
from .support import agent, messages, model, new


def test_litellms_mock_answers_both_protocols() -> None:
    options = {"mock_response": "Hello from the mock."}
    with Emulator(model="gpt-4o-mini", model_options=options) as emulator:
        wire = Wire(emulator)
        events = wire.ask("asst_echo", "hi")
        assert said(events) == "Hello from the mock."
        assert names(events).count("thread.message.delta") == 1
        assert [n for n, _ in events].count("thread.message.delta") > 1  # streamed
        assert last_run(events)["usage"]["completion_tokens"] > 0
        body = {"agent_reference": {"type": "agent_reference", "name": "echo"}, "input": "hi"}
        answer = new(emulator, body)
        assert answer["output"][0]["content"][0]["text"] == "Hello from the mock."
        assert answer["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("mock", "code"),
    [
        ("litellm.RateLimitError", "rate_limit_exceeded"),
        ("litellm.ContextWindowExceededError", "invalid_prompt"),
        ("litellm.InternalServerError", "server_error"),
        ("Exception: content_filter_policy", "content_filter"),
    ],
)
def test_errors_of_the_model_fail_the_run_with_a_code(mock: str, code: str) -> None:
    with Emulator(model="gpt-4o-mini", model_options={"mock_response": mock}) as emulator:
        wire = Wire(emulator)
        run = last_run(wire.ask("asst_echo", "hi"))
        assert (run["status"], run["last_error"]["code"]) == ("failed", code)
        assert run["last_error"]["message"]
        body = {"agent_reference": {"type": "agent_reference", "name": "echo"}, "input": "hi"}
        answer = new(emulator, body)
        assert (answer["status"], answer["error"]["code"]) == ("failed", code)


def test_instructions_history_and_true_usage() -> None:
    with model(says("Ja", "wohl", prompt=101, completion=5), says("Again", prompt=140)) as (
        server, wire, _,
    ):  # fmt: skip
        id = agent(wire, instructions="Be brief.", temperature=0.3, top_p=0.5)
        events = wire.ask(id, "Really?")
        assert said(events) == "Jawohl"
        run = last_run(events)
        assert run["usage"] == {"prompt_tokens": 101, "completion_tokens": 5, "total_tokens": 106}
        step = wire.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps")["data"][0]
        assert step["usage"] == run["usage"]
        path = f"/threads/{run['thread_id']}/runs"
        more = [{"role": "user", "content": "Sure?"}]
        also = {"additional_instructions": "And polite.", "additional_messages": more}
        wire.stream(path, {"assistant_id": id, **also})
        first, second = server.requests
        assert first["temperature"] == 0.3
        assert first["top_p"] == 0.5
        assert first["stream"] is True
        assert "tools" not in first
        assert "max_tokens" not in first
        assert second["messages"] == [
            {"role": "system", "content": "Be brief.\nAnd polite."},
            {"role": "user", "content": "Really?"},
            {"role": "assistant", "content": "Jawohl"},
            {"role": "user", "content": "Sure?"},
        ]


def test_images_by_url_and_by_file() -> None:
    with model(says("A bar.")) as (server, wire, _):
        picture = bar_chart([1, 2])
        upload = {"file": ("bar.png", picture)}
        file = wire.http.post("/files", data={"purpose": "vision"}, files=upload).json()["id"]
        content = [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png",
                                                "detail": "low"}},
            {"type": "image_file", "image_file": {"file_id": file}},
        ]  # fmt: skip
        thread = {"messages": [{"role": "user", "content": content}]}
        wire.stream("/threads/runs", {"assistant_id": agent(wire), "thread": thread})
        sent = server.requests[0]["messages"][0]["content"]
        assert sent[0] == {"type": "text", "text": "What is it?"}
        assert sent[1]["image_url"] == {"url": "https://example.com/a.png", "detail": "low"}
        data = base64.b64encode(picture).decode()
        assert sent[2]["image_url"]["url"] == f"data:image/png;base64,{data}"


def test_response_format_and_limits() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    format = {"type": "json_schema", "json_schema": {"name": "out", "schema": schema}}
    many = '{"a": "' + "word! " * 200 + '"}'
    with model(says(many, completion=250), says("cut", finish="length", completion=300)) as (
        server, wire, _,
    ):  # fmt: skip
        id = agent(wire, response_format=format)
        events = wire.ask(id, "JSON, please", max_completion_tokens=300)
        assert said(events) == many  # what a model counts is what counts
        assert last_run(events)["status"] == "completed"
        assert server.requests[0]["response_format"] == format
        assert server.requests[0]["max_tokens"] == 300
        run = last_run(wire.ask(id, "Long, please"))
        assert run["status"] == "incomplete"
        assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
        assert run["usage"]["completion_tokens"] == 300


def test_content_filter_reasoning_and_refusal() -> None:
    thinking = (
        200,
        [
            chunk({"role": "assistant", "reasoning_content": "Hm, "}),
            chunk({"reasoning_content": "well."}),
            chunk({"content": "Yes."}),
            chunk({}, "stop"),
            usage(9, 8, reasoning_tokens=5),
        ],
    )
    filtered = says("No", finish="content_filter")
    with model(thinking, filtered, filtered) as (_, wire, emulator):
        reference = {"type": "agent_reference", "name": "echo"}
        answer = new(emulator, {"agent_reference": reference, "input": "?"})
        assert [item["type"] for item in answer["output"]] == ["reasoning", "message"]
        assert answer["output"][0]["content"][0]["text"] == "Hm, well."
        assert answer["usage"]["output_tokens_details"]["reasoning_tokens"] == 5
        answer = new(emulator, {"agent_reference": reference, "input": "?"})
        assert answer["incomplete_details"] == {"reason": "content_filter"}
        run = last_run(wire.ask("asst_echo", "?"))
        assert run["incomplete_details"] == {"reason": "content_filter"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refuses(429, "Slow down.", "rate_limit_exceeded"), "rate_limit_exceeded"),
        (refuses(500, "Oh.", "server_error"), "server_error"),
        (refuses(401, "Who?", "invalid_api_key"), "server_error"),
        (refuses(400, "This is too much.", "bad"), "invalid_prompt"),
        (refuses(400, "Not that.", "content_policy_violation"), "content_filter"),
    ],
)
def test_errors_of_a_server(answer: Answer, code: str) -> None:
    with model(answer) as (_, wire, _):
        run = last_run(wire.ask("asst_echo", "hi"))
        assert run["last_error"]["code"] == code
        assert run["usage"]["total_tokens"] == 0
        if code != "server_error":
            assert answer[1]["error"]["message"] in run["last_error"]["message"]


def test_an_answer_without_a_finish_reason_fails_the_run() -> None:
    with model((200, [chunk({"content": "Half an ans"})])) as (_, wire, _):
        run = last_run(wire.ask("asst_echo", "hi"))
        assert (run["status"], run["last_error"]["code"]) == ("failed", "server_error")
        assert "broke off" in run["last_error"]["message"]
        (message,) = messages(wire, run)[1:]
        assert (message["status"], message["content"][0]["text"]["value"]) == (
            "incomplete",
            "Half an ans",
        )


def endless() -> Iterator[dict[str, Any]]:
    """A model that never comes to an end."""
    while True:
        yield chunk({"content": "and "})
        time.sleep(0.01)


def test_a_cancelled_run_closes_the_stream_of_its_model() -> None:
    with model((200, endless()), (200, endless())) as (server, wire, emulator):
        thread = {"messages": [{"role": "user", "content": "hi"}]}
        run = wire.post("/threads/runs", {"assistant_id": "asst_echo", "thread": thread})
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        while not wire.get(f"/threads/{run['thread_id']}/messages", run_id=run["id"])["data"]:
            pass
        wire.post(path + "/cancel")
        assert server.left.wait(PATIENCE)
        assert wire.get(path)["status"] == "cancelled"
        server.left.clear()
        reference = {"type": "agent_reference", "name": "echo"}
        body = {"agent_reference": reference, "input": "hi", "background": True}
        response = new(emulator, body)
        while len(server.requests) < 2:
            time.sleep(0.01)
        url = f"{emulator.endpoint}/openai/v1/responses/{response['id']}/cancel"
        answer = httpx.post(url, headers={"authorization": "Bearer x"})
        assert answer.json()["status"] == "cancelled"
        assert server.left.wait(PATIENCE)


def test_a_model_that_is_the_emulator_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    own = LiteLLMModel(
        "azure_ai/agents/asst_echo", {"api_base": "http://localhost:8790/api/projects/p"}
    )
    with pytest.raises(ModelRefused, match="call itself"):
        own.refuse_loop("127.0.0.1", 8790)
    own.refuse_loop("127.0.0.1", 8791)
    monkeypatch.setenv("AZURE_AI_API_BASE", "http://127.0.0.1:8790/api/projects/p")
    with pytest.raises(ModelRefused):
        LiteLLMModel("azure_ai/agents/asst_echo").refuse_loop("127.0.0.1", 8790)
    LiteLLMModel("openai/gpt-4o").refuse_loop("127.0.0.1", 8790)
    with Emulator() as first:
        first.stop()
        looped = {"api_base": first.endpoint}
        with pytest.raises(ModelRefused):
            Emulator(first.port, model="azure_ai/agents/x", model_options=looped).start()
