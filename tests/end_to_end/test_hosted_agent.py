"""New agents against the real hosting SDK: in a process of its own."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents.continuity.call_ids import decode
from tests.support.toy_agent import UNSTORED, arguments_of, asking, seen, tool, user
from tests.support.ways import Way

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
SYSTEM = {"role": "system", "content": "be brief"}


@pytest.fixture
def ask(way: Way, hosted_agent: str) -> Any:
    """Asks the agent in one of the four ways; ``messages`` may be the words of a user."""
    return asking(way, hosted_agent)


# -- one turn ----------------------------------------------------------------------------------


def test_an_answer(ask: Any) -> None:
    result = ask("good morning")
    assert result.text == "You said: good morning "
    assert (result.finish_reason, result.usage) == ("stop", (11, 5, 16))
    assert result.ids["response_id"].startswith("caresp_")
    assert result.ids["thread_id"] == result.ids["response_id"]
    assert result.fields["agent_session_id"]


def test_both_names_of_the_provider(ask: Any) -> None:
    assert ask("hi", model="azure_agents/toy").text == "You said: hi "


def test_the_whole_history_goes_when_no_state_is_known(ask: Any) -> None:
    history = [SYSTEM, user("a"), {"role": "assistant", "content": "b"},
               {"role": "developer", "content": "c"}, user("seen")]  # fmt: skip
    got = seen(ask(history, additional_instructions="first"))
    assert got["items"] == [
        ["message", "developer", "first"],
        ["message", "system", "be brief"],
        ["message", "user", "a"],
        ["message", "assistant", "b"],
        ["message", "system", "c"],  # LiteLLM gives developer messages over as system ones
        ["message", "user", "seen"],
    ]


def test_parts_of_a_message(ask: Any) -> None:
    parts = [
        {"type": "text", "text": "seen"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,QQ=="}},
    ]
    result = ask([user(parts)])  # type: ignore[arg-type]
    assert result.text == "You said: seen|input_image|input_file "


def test_settings_reach_a_container(ask: Any) -> None:
    got = seen(
        ask(
            "seen", temperature=0.5, max_tokens=77, tools=TOOLS, run_metadata={"a": "b"},
            instructions="Sing.", structured_inputs={"x": 1}, agent_session_id="mine",
            reasoning_effort="low", response_format={"type": "json_object"}, store=True,
        )
    )["request"]  # fmt: skip
    assert got["temperature"] == 0.5
    assert got["max_output_tokens"] == 77
    assert got["tools"] == [{"type": "function", "name": "get_weather", "parameters": {}}]
    assert got["metadata"] == {"a": "b"}
    assert got["instructions"] == "Sing."
    assert got["structured_inputs"] == {"x": 1}
    assert got["agent_session_id"] == "mine"
    assert got["reasoning"] == {"effort": "low"}
    assert got["text"] == {"format": {"type": "json_object"}}
    assert got["model"] == ""


def test_the_session_comes_back(ask: Any) -> None:
    assert ask("hi", agent_session_id="mine").fields["agent_session_id"] == "mine"


def test_client_headers_pass(ask: Any) -> None:
    got = seen(ask("seen", extra_headers={"x-client-tenant": "blue", "x-agent-user-id": "ann"}))
    assert got["headers"] == {"x-client-tenant": "blue"}
    assert got["user"] == "ann"


def test_reasoning_and_text(ask: Any) -> None:
    result = ask("think")
    assert (result.reasoning, result.text) == ("First I think.", "Then I speak.")


def test_citations_point_into_the_delivered_text(ask: Any) -> None:
    result = ask("cite")
    assert result.text == "First part.\n\nCited text."
    (annotation,) = result.annotations
    citation = annotation["url_citation"]
    assert citation["url"] == "https://a.test"
    assert result.text[citation["start_index"] : citation["end_index"]] == "Cited"


def test_an_incomplete_answer(ask: Any) -> None:
    result = ask("cut")
    assert (result.text, result.finish_reason) == ("Half an ans", "length")
    assert result.usage == (11, 5, 16)


def test_missing_numbers_are_marked(ask: Any) -> None:
    assert ask("uncounted").fields["usage_unknown"] is True


def test_a_consent_link_is_shown(ask: Any) -> None:
    result = ask("consent")
    assert "https://login.test/consent" in result.text
    assert result.fields["oauth_consent_requests"][0]["server_label"] == "mail"


def test_calls_that_the_agent_answers_itself_are_no_calls_for_the_client(ask: Any) -> None:
    result = ask("own tool", include_run_steps=True)
    assert (result.text, result.tool_calls) == ("I looked it up myself.", [])
    assert result.finish_reason == "stop"
    assert [(s["type"], s.get("output")) for s in result.fields["run_steps"][-2:]] == [
        ("function", None), ("function_output", "found")
    ]  # fmt: skip


# -- tools -------------------------------------------------------------------------------------


def test_tools_over_two_turns_without_a_thread_id(ask: Any) -> None:
    history = [SYSTEM, user("weather")]
    first = ask(history)
    assert (first.text, first.finish_reason) == ("Let me look.", "tool_calls")
    assert [(n, json.loads(a)) for _, n, a in first.tool_calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Rome"}),
    ]
    ref = decode(first.tool_calls[0][0])
    assert ref is not None
    assert ref.ids == (first.ids["response_id"], "call_paris")
    history += [first.assistant_message(), tool(first, 1, "rain"), tool(first, 0, "sun")]
    second = ask(history)
    assert second.text == "Results: call_rome=rain, call_paris=sun"
    assert second.finish_reason == "stop"
    # Later the response of the calls is still known; all after it is new.
    history += [second.assistant_message(), user("seen")]
    got = seen(ask(history))
    assert got["items"] == [
        ["function_call_output", None, "call_rome"],
        ["function_call_output", None, "call_paris"],
        ["message", "assistant", "Results: call_rome=rain, call_paris=sun"],
        ["message", "user", "seen"],
    ]
    assert [item[1] for item in got["history"] if item[0] == "message"] == [
        "system", "user", "assistant",
    ]  # fmt: skip


def test_a_chain_of_calls(ask: Any) -> None:
    history: list[Any] = [user("weather")]
    first = ask(history)
    history += [first.assistant_message(), tool(first, 0, "again"), tool(first, 1, "")]
    second = ask(history)
    assert [n for _, n, _ in second.tool_calls] == ["get_weather"]
    history += [second.assistant_message(), tool(second, 0, {"degrees": 20})]
    assert ask(history).text == 'Results: call_again={"degrees": 20}'


def test_pieces_of_a_call_of_the_clients_own_function(hosted_agent: str) -> None:
    stream = litellm.completion(
        stream=True, **arguments_of(hosted_agent, "weather", {"tools": TOOLS})
    )
    pieces = [c for chunk in stream for c in chunk.choices[0].delta.tool_calls or ()]
    assert next(c.id for c in pieces if c.index == 0)
    assert "".join(c.function.arguments for c in pieces if c.index == 1) == '{"city": "Rome"}'
    assert len([c for c in pieces if c.id]) == 2


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([0], "missing"),
        ([0, 1, 1], "twice"),
        ([0, 1, "call_other"], "call_other"),
    ],
)
def test_wrong_results_are_named(hosted_agent: str, results: list[Any], said: str) -> None:
    first = Way("sync").ask(**arguments_of(hosted_agent, "weather", {}))
    answers = [
        tool(first, r, "x") if isinstance(r, int)
        else {"role": "tool", "tool_call_id": r, "content": "x"}
        for r in results
    ]  # fmt: skip
    history = [user("weather"), first.assistant_message(), *answers]
    with pytest.raises(litellm.BadRequestError, match=said):
        Way("sync").ask(**arguments_of(hosted_agent, history, {}))


def test_another_question_instead_of_results(ask: Any) -> None:
    first = ask("weather")
    history = [user("weather"), first.assistant_message(), user("seen")]
    got = seen(ask(history))
    assert [item[0] for item in got["items"]] == ["function_call_output"] * 2 + ["message"]
    assert all("cancelled" in output for output in got["outputs"])
    with pytest.raises(litellm.BadRequestError, match=r"get_weather \(az_r_"):
        ask(history, on_pending_tools="error")


def test_unstored_the_history_is_whole(ask: Any) -> None:
    history: list[Any] = [user("weather")]
    first = ask(history, **UNSTORED)
    assert [i for i, _, _ in first.tool_calls] == ["call_paris", "call_rome"]
    assert "thread_id" not in first.ids
    history += [first.assistant_message(), tool(first, 0, "sun"), tool(first, 1, "rain")]
    second = ask(history, **UNSTORED)
    assert second.text == "Results: call_paris=sun, call_rome=rain"
    got = seen(ask([*history, second.assistant_message(), user("seen")], **UNSTORED))
    assert [item[0] for item in got["items"]] == [
        "message", "message", "function_call", "function_call",
        "function_call_output", "function_call_output", "message", "message",
    ]  # fmt: skip
    assert got["history"] == []


def test_ids_of_another_place_are_no_obstacle(ask: Any, hosted_agent: str) -> None:
    first = ask("weather")
    history = [user("weather"), first.assistant_message(), tool(first, 0, "a"), tool(first, 1, "b")]
    httpx.delete(f"{hosted_agent}/responses/{first.ids['response_id']}").raise_for_status()
    assert ask(history).text == "Results: call_paris=a, call_rome=b"


# -- state -------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["thread_id", "previous_response_id"])
def test_continuing_a_response(ask: Any, option: str) -> None:
    first = ask("one")
    history = [user("one"), first.assistant_message(), user("seen")]
    got = seen(ask(history, **{option: first.ids["response_id"]}))
    assert got["items"] == [["message", "user", "seen"]]
    assert [item[1] for item in got["history"]] == ["user", "assistant"]


@pytest.mark.parametrize("option", ["thread_id", "conversation_id"])
def test_a_conversation(ask: Any, option: str, way: Way) -> None:
    state = {option: f"conv_{option}_{way.name.replace(' ', '-')}_{time.time_ns()}"}
    first = ask("weather", **state)
    assert first.ids["thread_id"] == first.ids["conversation_id"] == state[option]
    ref = decode(first.tool_calls[0][0])
    assert ref is not None
    assert ref.owner == (state[option],)
    history = [user("weather"), first.assistant_message(), tool(first, 0, "a"), tool(first, 1, "b")]
    second = ask(history)  # the ids are enough
    assert second.text == "Results: call_paris=a, call_rome=b"
    assert second.ids["conversation_id"] == state[option]
    got = seen(ask([*history, second.assistant_message(), user("seen")]))
    assert got["items"] == [["message", "user", "seen"]]
    assert len(got["history"]) == 7  # question, text, two calls, two results, answer


def test_contradicting_ids(hosted_agent: str) -> None:
    ask = Way("sync").ask
    first = ask(**arguments_of(hosted_agent, "weather", {}))
    history = [user("weather"), first.assistant_message(), tool(first, 0, "a"), tool(first, 1, "b")]
    with pytest.raises(litellm.BadRequestError, match="belong to"):
        ask(**arguments_of(hosted_agent, history, {"thread_id": "conv_x"}))
    with pytest.raises(litellm.BadRequestError, match="classic"):
        ask(**arguments_of(hosted_agent, "hi", {"thread_id": "thread_1"}))


# -- approvals ---------------------------------------------------------------------------------


def test_an_approval_is_asked_of_the_client(ask: Any) -> None:
    first = ask("approval")
    ((call_id, name, arguments),) = first.tool_calls
    assert name == "mcp_approval_request"
    assert json.loads(arguments)["server_label"] == "files"
    assert first.finish_reason == "tool_calls"
    history = [user("approval"), first.assistant_message()]
    assert decode(call_id) is not None
    assert ask([*history, tool(first, 0, '{"approve": true}')]).text == "The tool was approved."
    assert ask([*history, tool(first, 0, "no")]).text == "The tool was denied."
    with pytest.raises(litellm.BadRequestError, match="unclear"):
        ask([*history, tool(first, 0, "perhaps")])


@pytest.mark.parametrize(("policy", "word"), [("approve", "approved"), ("deny", "denied")])
def test_approvals_by_policy(ask: Any, policy: str, word: str) -> None:
    result = ask("approval", approvals=policy)
    assert (result.text, result.tool_calls) == (f"The tool was {word}.", [])
    assert result.usage == (22, 10, 32)  # of both responses
