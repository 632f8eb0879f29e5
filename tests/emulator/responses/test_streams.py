"""Answers and their events."""

from __future__ import annotations

import json
import threading

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from .client import Raw, check_stream, events_of, reference, said, steps, wait_for_end

MESSAGE = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done",
           "content_part.done", "output_item.done"]  # fmt: skip


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
