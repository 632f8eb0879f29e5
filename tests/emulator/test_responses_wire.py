"""Responses on the wire: order and shapes of events, items of every kind, refusals, locks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator, Strictness

from .responses_help import Raw, check_stream, events_of, reference, said, steps, wait_for_end

MESSAGE = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done",
           "content_part.done", "output_item.done"]  # fmt: skip


@pytest.fixture
def raw(emulator: Emulator) -> Iterator[Raw]:
    client = Raw(emulator)
    yield client
    client.http.close()


# ---- streams --------------------------------------------------------------------------------


def test_plain_answer(raw: Raw) -> None:
    events = raw.stream("echo", "hello big world")
    assert steps(events) == ["created", "in_progress", *MESSAGE, "completed"]
    final = check_stream(events)
    assert said(final) == "You said: hello big world"
    assert final["model"] == "gpt-4o-mini"
    assert final["agent_reference"] == {**reference("echo"), "version": "2"}
    assert final["output"][0]["response_id"] == final["id"]
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []
    assert events[0]["response"]["usage"] is None
    usage = final["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens_details"] == {"cached_tokens": 0}
    assert usage["output_tokens"] > 3


def test_streamed_and_not_streamed_say_the_same(raw: Raw) -> None:
    streamed = check_stream(raw.stream("multi", "hey"))
    plain = raw.ask("multi", "hey")
    assert plain["usage"] == streamed["usage"]
    assert [[p["text"] for p in i["content"]] for i in plain["output"]] == [
        [p["text"] for p in i["content"]] for i in streamed["output"]
    ]
    assert [len(i["content"]) for i in plain["output"]] == [2, 3]
    assert raw.get(f"/openai/v1/responses/{plain['id']}") == plain


def test_difficult_characters_survive(raw: Raw) -> None:
    text = "\u2028 \x85 😀 \r\n"
    final = check_stream(raw.stream("unicode", text))
    assert said(final).endswith("You said: " + text)


def test_reasoning_has_summary_text_and_tokens(raw: Raw) -> None:
    events = raw.stream("reasoning", "why?")
    part = ["reasoning_summary_part.added", "reasoning_summary_text.delta",
            "reasoning_summary_text.done", "reasoning_summary_part.done"]  # fmt: skip
    text = ["content_part.added", "reasoning_text.delta", "reasoning_text.done",
            "content_part.done"]  # fmt: skip
    assert steps(events) == [
        "created", "in_progress", "output_item.added", *part, *part, *text, "output_item.done",
        *MESSAGE, "completed",
    ]  # fmt: skip
    final = check_stream(events)
    assert [p["text"] for p in final["output"][0]["summary"]] == [
        "**Reading the question**", "The user said: why?",
    ]  # fmt: skip
    details = final["usage"]["output_tokens_details"]
    assert 0 < details["reasoning_tokens"] < final["usage"]["output_tokens"]


@pytest.mark.parametrize(
    ("agent", "text", "kinds", "progress"),
    [
        ("web", "news?", ["web_search_call", "message"],
         ["web_search_call.in_progress", "web_search_call.searching",
          "web_search_call.completed"]),
        ("images", "generate an image", ["image_generation_call", "message"],
         ["image_generation_call.in_progress", "image_generation_call.generating",
          "image_generation_call.partial_image", "image_generation_call.completed"]),
        ("code", "plot 1 2 3", ["code_interpreter_call", "message"],
         ["code_interpreter_call.in_progress", "code_interpreter_call_code.delta",
          "code_interpreter_call_code.done", "code_interpreter_call.interpreting",
          "code_interpreter_call.completed"]),
        ("search", "cats", ["file_search_call", "message"],
         ["file_search_call.in_progress", "file_search_call.searching",
          "file_search_call.completed"]),
        ("bing", "news?", ["bing_grounding_call", "bing_grounding_call_output", "message"], []),
        ("approval", "search the docs", ["mcp_list_tools", "mcp_approval_request"],
         ["mcp_list_tools.in_progress", "mcp_list_tools.completed"]),
        ("workflow", "go", ["workflow_action", "message", "workflow_action",
                            "structured_outputs", "message"], []),
        ("consent", "go", ["oauth_consent_request"], []),
    ],
)  # fmt: skip
def test_items_and_their_events(
    raw: Raw, agent: str, text: str, kinds: list[str], progress: list[str]
) -> None:
    events = raw.stream(agent, text)
    final = check_stream(events)
    assert [item["type"] for item in final["output"]] == kinds
    about_message = ("output_item", "content_part", "output_text", "created", "in_progress",
                     "completed")  # fmt: skip
    assert [s for s in steps(events) if s.split(".")[0] not in about_message] == progress
    assert all("_" not in key[0] for item in final["output"] for key in item)


def test_item_fields(raw: Raw) -> None:
    consent = raw.ask("consent", "x")["output"][0]
    assert consent["consent_link"].startswith("https://")
    workflow = raw.ask("workflow", "x")["output"]
    assert workflow[2]["previous_action_id"] == "ask"
    assert workflow[3]["output"] == {"heard": True, "steps": 2}
    image = raw.ask("images", "an image please")["output"][0]
    assert image["result"].startswith("iVBORw0KGgo")
    bing = raw.ask("bing", "what is new?")["output"]
    assert bing[0]["call_id"] == bing[1]["call_id"]
    (citation,) = bing[2]["content"][0]["annotations"]
    text = bing[2]["content"][0]["text"]
    assert citation["type"] == "url_citation"
    assert text[citation["start_index"] : citation["end_index"]] == "【3:0†source】"
    refusal = raw.ask("refusal", "x")["output"][0]["content"]
    assert refusal == [{"type": "refusal", "refusal": "I'm sorry, I can't help with that."}]


def test_failed_and_incomplete(raw: Raw) -> None:
    failed = check_stream(raw.stream("fail", "fail with rate_limit_exceeded after text"))
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "rate_limit_exceeded"
    assert failed["output"][0]["status"] == "incomplete"
    assert raw.ask("fail", "x")["status"] == "failed"
    events = raw.stream("incomplete", "content_filter please")
    final = check_stream(events)
    assert final["incomplete_details"] == {"reason": "content_filter"}
    assert final["output"][0]["status"] == "incomplete"
    final = check_stream(raw.stream("long", "200 words", max_output_tokens=20))
    assert (final["status"], final["incomplete_details"]) == (
        "incomplete", {"reason": "max_output_tokens"},
    )  # fmt: skip
    assert final["usage"]["output_tokens"] == 20
    assert len(said(final).split()) == 20


def test_json_by_the_agents_own_schema(raw: Raw) -> None:
    answer = json.loads(said(raw.ask("order", "3 tickets to Paris")))
    assert answer == {"city": "Paris", "count": 3}
    model_only = {
        "model": "gpt-4o",
        "input": "2 in Rome",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {
            "type": "object", "properties": {"count": {"type": "integer"}},
            "required": ["count"]}}},
    }  # fmt: skip
    assert json.loads(said(raw.post("/openai/v1/responses", model_only))) == {"count": 2}


def test_structured_inputs_fill_the_instructions(raw: Raw) -> None:
    error = raw.refused(raw.body("template", "x"))
    assert error["param"] == "structured_inputs.user_name"
    error = raw.refused(
        raw.body("template", "x", structured_inputs={"user_name": "Ann", "shoe": 1})
    )
    assert error["param"] == "structured_inputs.shoe"
    final = raw.ask(
        "template", "What are your instructions?", structured_inputs={"user_name": "Ann"}
    )
    assert said(final) == "My instructions: You help Ann at Contoso."


# ---- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", []), ("tool_choice", "auto"), ("parallel_tool_calls", False),
        ("text", {"format": {"type": "text"}}), ("model", "gpt-4o"), ("instructions", "Sing."),
        ("temperature", 0.5), ("top_p", 0.5), ("reasoning", {"effort": "low"}),
        ("truncation", "auto"),
    ],
)  # fmt: skip
def test_fields_of_the_definition_are_refused_next_to_an_agent(
    raw: Raw, field: str, value: Any
) -> None:
    error = raw.refused(raw.body("echo", "hi", **{field: value}))
    assert error["message"] == "Not allowed when agent is specified."
    assert (error["code"], error["param"]) == ("invalid_payload", field)
    at_endpoint = {"input": "hi", field: value}
    path = "/agents/echo/endpoint/protocols/openai/responses?api-version=v1"
    assert raw.refused(at_endpoint, path=path)["param"] == field


def test_what_may_stand_next_to_an_agent(raw: Raw) -> None:
    final = raw.ask(
        "echo", "hi", max_output_tokens=100, metadata={"a": "b"}, user="u", store=True,
        include=["file_search_call.results"], stream_options={"include_obfuscation": False},
    )  # fmt: skip
    assert final["metadata"] == {"a": "b"}


def test_switches_let_unconfirmed_things_pass() -> None:
    lenient = Strictness(
        allowed_with_agent=frozenset({"temperature", "text"}),
        min_max_output_tokens=1,
        hosted_items_in_input=True,
        approvals_must_be_answered=False,
    )
    with Emulator(strictness=lenient) as emulator:
        raw = Raw(emulator)
        assert raw.ask("echo", "hi", temperature=0.3)["temperature"] == 0.3
        assert raw.refused(raw.body("echo", "hi", top_p=0.3))["param"] == "top_p"
        assert raw.ask("long", "hi", max_output_tokens=1)["status"] == "incomplete"
        sent_back = raw.ask("web", "news?")["output"]
        assert raw.ask("echo", [*sent_back, {"role": "user", "content": "x"}])
        first = raw.ask("approval", "search the docs")
        assert raw.ask("approval", "never mind the docs", previous_response_id=first["id"])


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": "hi"}, 400, "model"),
        ({"agent_reference": reference("nobody"), "input": "hi"}, 404, None),
        ({"agent_reference": reference("echo", "9"), "input": "hi"}, 404, None),
        ({"agent_reference": {"name": "echo"}, "input": "hi"}, 400, "agent_reference.type"),
        ({"agent_reference": reference("echo")}, 400, "input"),
        ({"agent_reference": reference("echo"), "input": 5}, 400, "input"),
        ({"agent_reference": reference("echo"), "input": [{"type": "dance"}]}, 400,
         "input[0].type"),
        ({"agent_reference": reference("echo"), "input": [{"role": "tool", "content": "x"}]}, 400,
         "input[0].role"),
        ({"agent_reference": reference("echo"),
          "input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, 400,
         "input[0].content[0]"),
        ({"agent_reference": reference("echo"), "input": "x", "nonsense": 1}, 400, "nonsense"),
        ({"agent_reference": reference("echo"), "input": "x", "max_output_tokens": 15}, 400,
         "max_output_tokens"),
        ({"agent_reference": reference("echo"), "input": "x", "previous_response_id": "resp_no"},
         400, "previous_response_id"),
        ({"agent_reference": reference("echo"), "input": "x", "conversation": "conv_no"}, 404,
         None),
        ({"agent_reference": reference("echo"), "input": "x", "background": True, "store": False},
         400, "store"),
        ({"agent_reference": reference("echo"), "input": "x", "metadata": {"a": 1}}, 400,
         "metadata.a"),
    ],
)  # fmt: skip
def test_bad_requests(raw: Raw, body: dict, status: int, param: str | None) -> None:
    error = raw.refused(body, status)
    assert error["param"] == param
    assert error["code"]


def test_sent_back_hosted_items_are_refused(raw: Raw) -> None:
    output = raw.ask("web", "news?")["output"]
    error = raw.refused(raw.body("echo", [output[0], {"role": "user", "content": "and?"}]))
    assert error["message"] == "The provided data does not match the expected schema"


# ---- conversations and chains ---------------------------------------------------------------


def test_conversation_and_previous_response_exclude_each_other(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})
    first = raw.ask("echo", "one")
    error = raw.refused(
        raw.body("echo", "x", conversation=conversation["id"], previous_response_id=first["id"])
    )
    assert error["code"] == "mutually_exclusive_parameters"


def test_a_conversation_is_locked_while_a_response_is_active(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})["id"]
    first = raw.ask("slow", "a b c d e f", conversation=conversation, background=True)
    assert first["status"] == "queued"
    for path, body in (
        ("/openai/v1/responses", raw.body("echo", "x", conversation={"id": conversation})),
        (f"/openai/v1/conversations/{conversation}/items",
         {"items": [{"role": "user", "content": "x"}]}),
    ):  # fmt: skip
        assert raw.refused(body, path=path)["code"] == "conversation_locked"
    assert raw.get(f"/openai/v1/conversations/{conversation}/items")["data"] == []
    raw.post(f"/openai/v1/responses/{first['id']}/cancel")
    after = raw.ask("echo", "What did I say before?", conversation=conversation)
    assert "not said anything" in said(after)  # what was cancelled left nothing


def test_items_join_the_conversation_when_the_answer_is_there(raw: Raw) -> None:
    body = {"items": [{"role": "user", "content": "my cat is Tom"}]}
    conversation = raw.post("/openai/v1/conversations", body)["id"]
    raw.ask("echo", "and a dog", conversation=conversation, store=False)
    raw.ask("fail", "this fails", conversation=conversation)
    answer = raw.ask("echo", "What did I say before?", conversation=conversation)
    assert said(answer) == "Earlier you said: 1. my cat is Tom 2. and a dog"
    items = raw.get(f"/openai/v1/conversations/{conversation}/items", order="asc")["data"]
    assert [i["role"] for i in items] == ["user", "user", "assistant", "user", "assistant"]


def test_chains_of_previous_responses_branch(raw: Raw) -> None:
    one = raw.ask("echo", "one")
    two = raw.ask("echo", "two", previous_response_id=one["id"])
    question = "What did I say before?"
    from_two = raw.ask("echo", question, previous_response_id=two["id"])
    from_one = raw.ask("echo", question, previous_response_id=one["id"])
    assert said(from_two) == "Earlier you said: 1. one 2. two"
    assert said(from_one) == "Earlier you said: 1. one"


def test_store_false_leaves_nothing(raw: Raw) -> None:
    response = raw.ask("echo", "secret", store=False)
    assert raw.http.get(f"/openai/v1/responses/{response['id']}").status_code == 404
    error = raw.refused(raw.body("echo", "x", previous_response_id=response["id"]))
    assert error["code"] == "previous_response_not_found"


def test_open_calls_must_be_answered(raw: Raw) -> None:
    first = raw.ask("weather", "What is the weather in Paris and Rome?")
    calls = [i for i in first["output"] if i["type"] == "function_call"]
    assert [json.loads(c["arguments"])["location"] for c in calls] == ["Paris", "Rome"]
    outputs = [
        {"type": "function_call_output", "call_id": c["call_id"], "output": "sunny"} for c in calls
    ]
    after = {"previous_response_id": first["id"]}
    error = raw.refused(raw.body("weather", "never mind", **after))
    message = f"No tool output found for function call {calls[0]['call_id']}."
    assert error["message"] == message
    error = raw.refused(raw.body("weather", outputs[:1], **after))
    assert calls[1]["call_id"] in error["message"]
    stray = {"type": "function_call_output", "call_id": "call_stray", "output": "x"}
    error = raw.refused(raw.body("weather", [*outputs, stray], **after))
    assert "No tool call found" in error["message"]
    assert "call_stray" in error["message"]
    final = check_stream(raw.stream("weather", outputs, **after))
    assert said(final).count("sunny") == 2
    # The whole history sent again needs no stored response.
    history = [{"role": "user", "content": "What is the weather in Paris and Rome?"}]
    for call in calls:
        history.append({k: call[k] for k in ("type", "call_id", "name", "arguments")})
    assert said(raw.ask("weather", [*history, *outputs])) == said(final)


def test_rounds_of_calls(raw: Raw) -> None:
    first = raw.ask("chain", "go")
    seen = []
    while first["output"][-1]["type"] == "function_call":
        (call,) = first["output"]
        seen.append(call["name"])
        output = {"type": "function_call_output", "call_id": call["call_id"],
                  "output": [{"type": "input_text", "text": f"{call['name']} ok"}]}  # fmt: skip
        first = raw.ask("chain", [output], previous_response_id=first["id"])
    assert seen == ["step_one", "step_two"]
    assert said(first) == "Both steps are done: step_one ok; step_two ok"


def test_item_references(raw: Raw) -> None:
    first = raw.ask("echo", "my cat is Tom", store=True)
    given = raw.get(f"/openai/v1/responses/{first['id']}/input_items")["data"][0]
    items = [
        {"type": "item_reference", "id": given["id"]},
        {"role": "user", "content": "What did I say before?"},
    ]
    assert "my cat is Tom" in said(raw.ask("echo", items))
    items[0]["id"] = "msg_unknown"
    assert raw.refused(raw.body("echo", items), 404)


# ---- connections ----------------------------------------------------------------------------


def test_foreground_stops_when_its_client_goes(emulator: Emulator, raw: Raw) -> None:
    body = raw.body("slow", "word " * 99, stream=True)
    with raw.http.stream("POST", "/openai/v1/responses", json=body) as answer:
        lines = answer.iter_lines()
        id = next(json.loads(x[6:])["response"]["id"] for x in lines if x.startswith("data: "))
        for line in lines:
            if "output_text.delta" in line:
                break
    stopped = wait_for_end(raw, id)
    assert stopped["status"] == "cancelled"
    with pytest.raises(httpx.ReadTimeout):
        raw.http.post("/openai/v1/responses", json={**body, "stream": False}, timeout=2)
    newest = list(emulator.project.responses.recent.values())[-1].response["id"]
    assert newest != id
    assert wait_for_end(raw, newest)["status"] == "cancelled"


def test_faults_cut_these_streams_too(raw: Raw) -> None:
    body = raw.body("echo", "hello", stream=True)
    headers = {"x-emulator-fault": "cut-after-events=3"}
    got: list[str] = []

    def read() -> None:
        with raw.http.stream("POST", "/openai/v1/responses", json=body, headers=headers) as answer:
            got.extend(answer.iter_text())

    with pytest.raises(httpx.RemoteProtocolError):
        read()
    assert len(events_of("".join(got))) == 3
    headers = {"x-emulator-fault": "status=429;retry-after=2"}
    answer = raw.http.post("/openai/v1/responses", json=body, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_many_streams_at_once(raw: Raw) -> None:
    finals: list[str] = []

    def ask(number: int) -> None:
        finals.append(said(check_stream(raw.stream("slow", f"number {number}"))))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(finals) == sorted(f"You said: number {n}" for n in range(20))
