"""Agents answered by a model: LiteLLM's mock, and a server that speaks OpenAI's protocol."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.models.base import SearchHit
from litellm_azure_agents.emulator.models.code_answers import bar_chart
from litellm_azure_agents.emulator.models.litellm_model import LiteLLMModel, ModelRefused
from litellm_azure_agents.emulator.models.markers import Markers

from .chat_server import Answer, ChatServer, calls, chat_server, chunk, refuses, says, usage
from .wire import PATIENCE, Wire, events_of, last_run, names, said

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@contextmanager
def model(*answers: Answer, **options: Any) -> Iterator[tuple[ChatServer, Wire, Emulator]]:
    """An emulator with a model behind it that gives these answers."""
    with chat_server(*answers) as server:
        calling = {"api_base": server.url, "api_key": "k", "max_retries": 0}
        with Emulator(model="openai/test", model_options=calling, **options) as emulator:
            wire = Wire(emulator)
            yield server, wire, emulator
            wire.http.close()


def agent(wire: Wire, **fields: Any) -> str:
    id: str = wire.post("/assistants", {"model": "gpt-4o", **fields})["id"]
    return id


def messages(wire: Wire, run: Any) -> Any:
    return wire.get(f"/threads/{run['thread_id']}/messages", order="asc")["data"]


# ---- LiteLLM's own mock ---------------------------------------------------------------------


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


def new(emulator: Emulator, body: dict[str, Any]) -> Any:
    """A response of a new agent."""
    answer = httpx.post(
        f"{emulator.endpoint}/openai/v1/responses",
        json=body,
        headers={"authorization": f"Bearer {emulator.token}"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_mocked_tool_calls() -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    options = {
        "mock_response": "Let me look.",
        "mock_tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
    with Emulator(model="gpt-4o-mini", model_options=options) as emulator:
        wire = Wire(emulator)
        run = last_run(wire.ask(agent(wire, tools=[WEATHER]), "Weather in Oslo?"))
        assert run["status"] == "requires_action"
        asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert [call["function"] for call in asked] == [function]


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


# ---- a server ------------------------------------------------------------------------------


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


def test_functions_are_called_answered_and_used() -> None:
    oslo, rome = {"city": "Oslo"}, {"city": "Rome"}
    with model(
        calls(("get_weather", oslo), ("get_weather", rome), text="One moment."),
        says("Cold in Oslo, warm in Rome.", prompt=60),
    ) as (server, wire, _):
        id = agent(wire, tools=[WEATHER])
        events = wire.ask(id, "Oslo and Rome?", tool_choice={"type": "function",
                          "function": {"name": "get_weather"}})  # fmt: skip
        run = last_run(events)
        asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert [c["function"]["arguments"] for c in asked] == ['{"city": "Oslo"}',
                                                               '{"city": "Rome"}']  # fmt: skip
        assert said(events) == "One moment."
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        outputs = [{"tool_call_id": c["id"], "output": o}
                   for c, o in zip(asked, ("-3", "21"), strict=True)]  # fmt: skip
        events = wire.stream(path + "/submit_tool_outputs", {"tool_outputs": outputs})
        assert said(events) == "Cold in Oslo, warm in Rome."
        assert last_run(events)["usage"] == {
            "prompt_tokens": 80, "completion_tokens": 16, "total_tokens": 96,
        }  # fmt: skip
        first, second = server.requests
        assert first["tools"] == [WEATHER]
        assert first["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
        assert "tool_choice" not in second  # else it would call for ever
        sent = second["messages"][1:]
        assert [m["role"] for m in sent] == ["assistant", "tool", "assistant", "tool"]
        assert sent[0]["content"] == "One moment."
        for message, result, city in ((sent[0], sent[1], "Oslo"), (sent[2], sent[3], "Rome")):
            (call,) = message["tool_calls"]
            assert city in call["function"]["arguments"]
            assert result["tool_call_id"] == call["id"]
        assert [sent[1]["content"], sent[3]["content"]] == ["-3", "21"]


def test_calls_come_as_the_model_makes_them() -> None:
    go = threading.Event()

    def slowly() -> Iterator[dict[str, Any]]:
        first, *rest = calls(("get_weather", {"city": "Oslo"}), ("get_weather", {}))[1]
        yield first
        for number, event in enumerate(rest):
            if number == 3:
                assert go.wait(5)
            yield event

    with model((200, slowly()), (200, slowly())) as (_, wire, emulator):
        id = agent(wire, tools=[WEATHER])
        thread = {"messages": [{"role": "user", "content": "Oslo?"}]}
        body: dict[str, Any] = {"assistant_id": id, "thread": thread, "stream": True}
        with wire.http.stream("POST", "/threads/runs", json=body) as answer:
            text = ""
            for piece in answer.iter_text():
                text += piece
                if '"arguments":"{\\"cit' in text:  # the model has not said more yet
                    go.set()
        events = events_of(text)
        assert go.is_set()
        asked = last_run(events)["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert [c["function"]["arguments"] for c in asked] == ['{"city": "Oslo"}', "{}"]
        deltas = [d["delta"]["step_details"]["tool_calls"][0] for n, d in events
                  if n == "thread.run.step.delta"]  # fmt: skip
        for index in (0, 1):
            mine = [d for d in deltas if d["index"] == index]
            assert mine[0]["id"] == asked[index]["id"]
            whole = "".join(d["function"]["arguments"] for d in mine)
            assert whole == asked[index]["function"]["arguments"]
        assert last_run(events)["status"] == "requires_action"
        flat = {"type": "function", **WEATHER["function"]}  # type: ignore[dict-item]
        body = {"model": "m", "tools": [flat], "input": "Oslo?"}
        answer = new(emulator, body)
        assert [i["arguments"] for i in answer["output"]] == ['{"city": "Oslo"}', "{}"]
        assert answer["usage"]["output_tokens"] == 9


def test_functions_of_new_agents() -> None:
    flat = {"type": "function", **WEATHER["function"]}  # type: ignore[dict-item]
    with model(calls(("get_weather", {"city": "Oslo"})), says("Cold.", prompt=30)) as (
        server, wire, emulator,
    ):  # fmt: skip
        definition = {"kind": "prompt", "model": "gpt-4o", "instructions": "Hm.", "tools": [flat]}
        wire.post("/agents/meteo/versions", {"definition": definition})
        reference = {"type": "agent_reference", "name": "meteo"}
        answer = new(emulator, {"agent_reference": reference, "input": "Oslo?"})
        (call,) = answer["output"]
        assert (call["name"], call["arguments"]) == ("get_weather", '{"city": "Oslo"}')
        assert answer["usage"]["input_tokens"] == 20
        assert answer["usage"]["output_tokens"] == 9
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "-3"}
        answer = new(emulator, {"agent_reference": reference, "input": [output],
                                "previous_response_id": answer["id"]})  # fmt: skip
        assert answer["output"][0]["content"][0]["text"] == "Cold."
        assert server.requests[1]["messages"][-1]["content"] == "-3"
        assert server.requests[1]["messages"][0]["content"] == "Hm."


def test_custom_tools() -> None:
    with model(calls(("run_sql", {"input": "SELECT 1"})), says("One.")) as (server, _, emulator):
        body = {"model": "m", "tools": [{"type": "custom", "name": "run_sql"}], "input": "Count."}
        answer = new(emulator, body)
        (call,) = answer["output"]
        assert (call["type"], call["input"]) == ("custom_tool_call", "SELECT 1")
        output = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "1"}
        more = {**body, "input": [output], "previous_response_id": answer["id"]}
        assert new(emulator, more)["output"][0]["content"][0]["text"] == "One."
        asked, told = server.requests[1]["messages"][-2:]
        assert asked["tool_calls"][0]["function"]["name"] == "run_sql"
        assert told["content"] == "1"


@pytest.mark.parametrize("inject", [False, True])
def test_file_search_with_citations(inject: bool) -> None:
    asks = [] if inject else [calls(("file_search", {"query": "lions feeding"}))]
    answer = says("Lions eat at noon 【4:", "0†zoo.", "txt】", ". See 【9:9†", "no】", prompt=50)
    with model(*asks, answer, inject_search=inject) as (server, wire, _):
        upload = {"file": ("zoo.txt", b"Opens at nine. Feeding time for lions is noon.")}
        file = wire.http.post("/files", data={"purpose": "assistants"}, files=upload).json()["id"]
        store = wire.post("/vector_stores", {"file_ids": [file]})["id"]
        id = agent(wire, tools=[{"type": "file_search"}],
                   tool_resources={"file_search": {"vector_store_ids": [store]}})  # fmt: skip
        wait_for_store(wire, store)
        run = last_run(wire.ask(id, "When do lions eat?"))
        assert run["status"] == "completed", run["last_error"]
        (part,) = messages(wire, run)[-1]["content"]
        text = part["text"]
        assert text["value"] == "Lions eat at noon 【4:0†zoo.txt】. See 【9:9†no】"
        (cited,) = text["annotations"]
        assert text["value"][cited["start_index"] : cited["end_index"]] == cited["text"]
        quote = "Feeding time for lions is noon."
        assert cited["file_citation"] == {"file_id": file, "quote": quote}
        shown = server.requests[-1]
        assert "【4:0†zoo.txt】\nOpens at nine." in shown["messages"][-1]["content"]
        assert "marker" in shown["messages"][0]["content"]
        offered = [t["function"]["name"] for t in shown.get("tools", [])]
        assert offered == ([] if inject else ["file_search"])
        steps = wire.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps", order="asc")["data"]
        assert [s["type"] for s in steps] == ["tool_calls", "message_creation"]
        assert run["usage"]["prompt_tokens"] == (50 if inject else 70)


def test_max_tool_calls_bounds_the_calls_of_hosted_tools() -> None:
    answers = (
        calls(("web_search", {"input": "a"}), ("web_search", {"input": "b"})),
        says("Enough."),
    )
    with model(*answers) as (server, _, emulator):
        body = {"model": "m", "input": "hi", "tools": [{"type": "web_search"}], "max_tool_calls": 1}
        found = new(emulator, body)
        assert [item["type"] for item in found["output"]] == ["web_search_call", "message"]
        assert found["output"][0]["action"]["query"] == "a"
        assert found["max_tool_calls"] == 1
        assert "tools" in server.requests[0]
        assert "tools" not in server.requests[1]


def wait_for_store(wire: Wire, store: str) -> None:
    while wire.get(f"/vector_stores/{store}")["status"] == "in_progress":
        pass


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


def test_filtered_reasoned_and_refused() -> None:
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


def test_an_answer_that_breaks_off_is_no_answer() -> None:
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


def test_a_cancelled_run_lets_go_of_its_model() -> None:
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


def test_a_tool_the_agent_lacks_fails_the_run() -> None:
    with model(calls(("launch", {}))) as (_, wire, _):
        run = last_run(wire.ask(agent(wire, tools=[WEATHER]), "Go"))
        assert "'launch'" in run["last_error"]["message"]


def test_approval_of_mcp_calls_and_scripts_beside_the_model() -> None:
    with model(calls(("docs_search_docs", {"query": "x"})), says("Fine.")) as (server, wire, _):
        run = last_run(wire.ask("asst_approval", "search the docs"))
        (asked,) = run["required_action"]["submit_tool_approval"]["tool_calls"]
        assert (asked["server_label"], asked["name"]) == ("docs", "search_docs")
        approvals = [{"tool_call_id": asked["id"], "approve": False}]
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        assert said(wire.stream(path, {"tool_approvals": approvals})) == "Fine."
        assert server.requests[1]["messages"][-1]["content"] == "The user did not allow this call."
        failed = last_run(wire.ask("asst_fail", "fail with server_error: As told."))
        assert failed["last_error"]["message"] == "As told."
        assert len(server.requests) == 2


# ---- guards, and markers -------------------------------------------------------------------


def test_an_emulator_does_not_ask_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    own = LiteLLMModel(
        "azure_ai/agents/asst_echo", {"api_base": "http://localhost:8790/api/projects/p"}
    )
    with pytest.raises(ModelRefused, match="ask itself"):
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


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_markers_in_any_pieces(size: int) -> None:
    hits = [
        SearchHit("f0", "a.txt", 1.0, "Alpha is first."),
        SearchHit("f1", "b】.md", 1.0, "Beta."),
    ]
    made = {"sandbox:/mnt/data/t.csv": "x1", "sandbox:/mnt/data/t.csv.gz": "x2"}
    text = "Alpha【4:0†a.txt】 【1】【see】 s sandbox [t](sandbox:/mnt/data/t.csv) 【4:7†z】 【"
    markers = Markers(hits, made)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    out = [t for piece in pieces for t in markers.feed(piece)] + list(markers.flush())
    whole = "".join(t.text for t in out)
    assert whole == text.replace("【1】", "【4:1†b】.md】")
    found = [(a.kind, a.file_id, a.quote) for t in out for a in t.annotations]
    assert found == [
        ("file_citation", "f0", "Alpha is first."),
        ("file_citation", "f1", "Beta."),
        ("file_path", "x1", ""),
    ]
    for t in out:
        for a in t.annotations:
            assert t.text.endswith(a.marker)


def test_markers_hold_nothing_back_without_need() -> None:
    markers = Markers([], {})
    assert [t.text for t in markers.feed("【4:0")] == ["【4:0"]
