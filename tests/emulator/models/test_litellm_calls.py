"""A model of LiteLLM calls functions, custom tools, MCP servers and file search."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator

from ..chat_server import calls, says
from ..wire import Wire, events_of, last_run, said
from .support import WEATHER, agent, messages, model, new, wait_for_store


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


def test_calls_are_streamed_as_the_model_makes_them() -> None:
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
        asked, result = server.requests[1]["messages"][-2:]
        assert asked["tool_calls"][0]["function"]["name"] == "run_sql"
        assert result["content"] == "1"


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
        declared = [t["function"]["name"] for t in shown.get("tools", [])]
        assert declared == ([] if inject else ["file_search"])
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
