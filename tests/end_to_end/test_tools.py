"""Tool rounds with classic agents, by a stateless client, every way."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.end_to_end.test_chat import Chat
from tests.support.ways import COUNTS_NOTHING_AS_NOTHING, Result, Way


@pytest.fixture
def chat(emulator: Emulator) -> Chat:
    return Chat(emulator)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answers(result: Result, content: Any = None) -> list[dict[str, Any]]:
    """The turn and a result for each of its calls."""
    return [
        result.assistant_message(),
        *(
            {
                "role": "tool",
                "tool_call_id": id,
                "content": f"{name} says fine" if content is None else content,
            }
            for id, name, _ in result.tool_calls
        ),
    ]


QUESTION = user("What is the weather in Paris and Rome?")


@pytest.mark.parametrize("run_mode", ["stream", "poll"])
def test_parallel_calls_and_their_results(chat: Chat, way: Way, run_mode: str) -> None:
    first = chat(way, "asst_weather", [QUESTION], run_mode=run_mode)
    assert first.finish_reason == "tool_calls"
    assert [(n, json.loads(a)["location"]) for _, n, a in first.tool_calls] == [
        ("get_weather", "Paris"),
        ("get_weather", "Rome"),
    ]
    if COUNTS_NOTHING_AS_NOTHING or not way.streamed:
        assert first.usage == (0, 0, 0), "the run's usage comes with its end"
    history = [QUESTION, *answers(first)]
    second = chat(way, "asst_weather", history, run_mode=run_mode)
    assert second.finish_reason == "stop"
    assert second.text.count("get_weather says fine") == 2
    assert second.ids["run_id"] == first.ids["run_id"]
    assert second.usage[2] == chat.run(first.ids)["usage"]["total_tokens"]
    third = chat(
        way, "asst_weather", [*history, second.assistant_message(), user("Thanks!")],
        run_mode=run_mode,
    )  # fmt: skip
    assert third.ids["thread_id"] == first.ids["thread_id"]
    said = [t for role, t in chat.thread(first.ids["thread_id"]) if role == "user"]
    assert said == [QUESTION["content"], "Thanks!"]


def test_a_round_is_two_requests(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_weather", [QUESTION])
    chat(way, "asst_weather", [QUESTION, *answers(first)])
    assert [(m, path.rsplit("/", 1)[1]) for m, path in chat.requests()] == [
        ("POST", "runs"),
        ("POST", "submit_tool_outputs"),
    ]


def test_chains_of_calls(chat: Chat, way: Way) -> None:
    history: list[Any] = [user("Do step one, then step two.")]
    names = []
    for _ in range(5):
        result = chat(way, "asst_chain", history)
        if result.finish_reason != "tool_calls":
            break
        names += [name for _, name, _ in result.tool_calls]
        history += answers(result)
    assert names == ["step_one", "step_two"]
    assert result.finish_reason == "stop"
    assert result.text


def test_another_process_goes_on(chat: Chat) -> None:
    """Nothing but the history connects the two."""
    first = chat(Way("sync"), "asst_weather", [QUESTION])
    code = (
        "import sys, json, litellm, litellm_azure_agents; litellm_azure_agents.register();"
        "r = litellm.completion(**json.load(sys.stdin)); print(r.choices[0].message.content)"
    )
    call = {"model": "azure_ai/agents/asst_weather", "messages": [QUESTION, *answers(first)],
            **chat.where}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(call), capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.count("get_weather says fine") == 2


@pytest.mark.parametrize(
    ("content", "arrives"),
    [
        ("plain", "plain"),
        ("", ""),
        (None, ""),
        ([{"type": "text", "text": "two"}, {"type": "text", "text": "parts"}], "two\nparts"),
        ({"degrees": 20}, '{"degrees": 20}'),
        ([1, 2], "[1, 2]"),
        ("x" * 200_000, "x" * 200_000),
        ("𝒳\u2028 \x00", "𝒳\u2028 \x00"),
    ],
)
def test_results_of_all_kinds(chat: Chat, content: Any, arrives: str) -> None:
    question = user("What is the weather in Paris?")
    first = chat(Way("async stream"), "asst_weather", [question])
    (call,) = first.tool_calls
    history = [
        question,
        first.assistant_message(),
        {"role": "tool", "tool_call_id": call[0], "content": content},
    ]
    assert chat(Way("async stream"), "asst_weather", history).finish_reason == "stop"
    sent = chat.emulator.requests[-1].body
    if isinstance(sent, dict):  # the emulator's log keeps no body as large as the largest
        assert [o["output"] for o in sent["tool_outputs"]] == [arrives]


def test_wrong_results_leave_the_run_as_it_was(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_weather", [QUESTION])
    turn, paris, rome = answers(first)
    before = len(chat.requests())
    for wrong, says in (
        ([turn, paris], rome["tool_call_id"]),
        ([turn, paris, paris, rome], "twice"),
        ([turn, paris, rome, {**rome, "tool_call_id": "call_else"}], "call_else"),
    ):
        with pytest.raises(litellm.BadRequestError, match=says):
            chat(way, "asst_weather", [QUESTION, *wrong])
    assert len(chat.requests()) == before
    # A history that has lost its assistant turn: only the service can tell, and names the call.
    with pytest.raises(litellm.BadRequestError, match=r"waits for the results of call_"):
        chat(way, "asst_weather", [paris])
    assert chat.run(first.ids)["status"] == "requires_action"
    with pytest.raises(litellm.BadRequestError, match="thread_id"):
        chat(way, "asst_weather", [QUESTION, turn, paris, rome], thread_id="thread_other")
    right = chat(
        way, "asst_weather", [QUESTION, turn, rome, paris], thread_id=first.ids["thread_id"]
    )
    assert right.text.count("get_weather says fine") == 2


def test_an_expired_run_says_so(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_weather", [QUESTION])
    chat.emulator.expire_run(first.ids["run_id"])
    with pytest.raises(litellm.BadRequestError, match=r"expired.*send the last user message again"):
        chat(way, "asst_weather", [QUESTION, *answers(first)])


def test_a_user_message_instead_of_results(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_weather", [QUESTION])
    history = [QUESTION, first.assistant_message(), user("Never mind, hello!")]
    with pytest.raises(litellm.BadRequestError, match="get_weather"):
        chat(way, "asst_weather", history, on_pending_tools="error")
    result = chat(way, "asst_weather", history)
    assert result.text == "You said: Never mind, hello!"
    assert result.ids["thread_id"] == first.ids["thread_id"]
    assert chat.run(first.ids)["status"] == "cancelled"


def test_results_and_a_new_message_both_arrive(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_weather", [QUESTION])
    history = [QUESTION, *answers(first, "12 degrees"), user("Never mind, hello!")]
    result = chat(way, "asst_weather", history)
    assert "hello" in result.text
    thread = "\n".join(text for _, text in chat.thread(first.ids["thread_id"]))
    assert thread.count("12 degrees") >= 2


def test_the_thread_is_enough(chat: Chat) -> None:
    """The service's own call ids, as a client has them that talked to it directly."""
    first = chat(Way("sync"), "asst_weather", [user("What is the weather in Paris?")])
    run = chat.run(first.ids)
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]
    history = [
        user("What is the weather in Paris?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny as ever"},
    ]
    result = chat(Way("async"), "asst_weather", history, thread_id=first.ids["thread_id"])
    assert "sunny as ever" in result.text
    assert result.ids["run_id"] == first.ids["run_id"]


TOOL = {
    "type": "function",
    "function": {
        "name": "tell_joke",
        "description": "Tells a joke.",
        "parameters": {"type": "object", "properties": {"topic": {"type": "string"}}},
    },
}


def test_the_callers_functions_join_the_agents(chat: Chat, way: Way) -> None:
    joke = chat(way, "asst_weather", "Tell me a joke about cats.", tools=[TOOL])
    assert [name for _, name, _ in joke.tool_calls] == ["tell_joke"]
    both = chat(way, "asst_weather", "A joke, and the weather in Rome!", tools=[TOOL])
    assert sorted(name for _, name, _ in both.tool_calls) == ["get_weather", "tell_joke"]
    history = [user("A joke, and the weather in Rome!"), *answers(both)]
    assert "tell_joke says fine" in chat(way, "asst_weather", history, tools=[TOOL]).text
    alone = chat(way, "asst_weather", "The weather in Rome?", tools=[TOOL], agent_tools="replace")
    assert not any(name == "get_weather" for _, name, _ in alone.tool_calls)


def test_tool_choice_and_parallel_tool_calls(chat: Chat, way: Way) -> None:
    none = chat(way, "asst_weather", [QUESTION], tool_choice="none")
    assert none.finish_reason == "stop"
    single = chat(way, "asst_weather", [QUESTION], parallel_tool_calls=False)
    assert len(single.tool_calls) == 1
    named = {"type": "function", "function": {"name": "get_time"}}
    forced = chat(way, "asst_weather", "Hello in Oslo.", tool_choice=named)
    assert {name for _, name, _ in forced.tool_calls} == {"get_time"}


@pytest.mark.parametrize("round_", ["first", "second"])
def test_a_thread_that_is_gone_is_made_anew(chat: Chat, way: Way, round_: str) -> None:
    """The ids in a history may be of another project, or of a thread that has been deleted; the
    history is the truth."""
    first = chat(way, "asst_weather", [QUESTION])
    history = [QUESTION, *answers(first)]
    if round_ == "first":
        chat.delete(f"/threads/{first.ids['thread_id']}")
    else:
        second = chat(way, "asst_weather", history, ephemeral_thread=True)
        history += [second.assistant_message(), user("What did I say before?")]
    last = chat(way, "asst_weather", history)
    assert last.ids["thread_id"] != first.ids["thread_id"]
    assert chat.thread(last.ids["thread_id"])[0] == ("user", QUESTION["content"])
    assert "get_weather says fine" in chat.thread(last.ids["thread_id"])[1][1]
    with pytest.raises(litellm.NotFoundError):
        chat(way, "asst_weather", history, thread_id=first.ids["thread_id"])


def test_results_for_an_agent_of_the_other_protocol(chat: Chat, way: Way) -> None:
    """As when a Router falls back in the middle of a round."""
    first = chat(way, "weather", [QUESTION])
    result = chat(way, "asst_weather", [QUESTION, *answers(first)])
    assert chat.thread(result.ids["thread_id"])[0][0] == "user"
    assert "get_weather says fine" in chat.thread(result.ids["thread_id"])[1][1]


def test_old_style_functions(chat: Chat) -> None:
    """`functions` and `function_call`, as clients of 2023 send them."""
    question = user("Tell me a joke about cats.")
    arguments = {"functions": [TOOL["function"]], **chat.where}
    for streamed in (False, True):
        response = litellm.completion(
            model="azure_ai/agents/asst_echo", messages=[question], stream=streamed, **arguments
        )
        if streamed:
            response = litellm.stream_chunk_builder(list(response))
        message = response.choices[0].message
        assert message.function_call.name == "tell_joke"
        assert response.choices[0].finish_reason == "function_call"
        thread_id = message.provider_specific_fields["thread_id"]
        history = [
            question,
            {"role": "assistant", "content": None,
             "function_call": {"name": "tell_joke", "arguments": message.function_call.arguments}},
            {"role": "function", "name": "tell_joke", "content": "Meow."},
        ]  # fmt: skip
        done = litellm.completion(
            model="azure_ai/agents/asst_echo", messages=history, thread_id=thread_id, **arguments
        )
        assert "Meow." in done.choices[0].message.content


# -- approvals -----------------------------------------------------------------------------------


def approval(result: Result) -> dict[str, Any]:
    ((_, name, arguments),) = result.tool_calls
    assert name == "mcp_approval_request"
    return json.loads(arguments)


ASK = user("Please look it up in the docs.")


@pytest.mark.parametrize(
    ("answer", "approved"),
    [('{"approve": true}', True), ("true", True), ("Yes.", True), ('{"approve": false}', False),
     ("no", False), ('"deny"', False)],
)  # fmt: skip
def test_approvals_are_returned_and_answered(
    chat: Chat, way: Way, answer: str, approved: bool
) -> None:
    first = chat(way, "asst_approval", [ASK])
    assert first.finish_reason == "tool_calls"
    assert approval(first).keys() == {"server_label", "name", "arguments"}
    second = chat(way, "asst_approval", [ASK, *answers(first, answer)])
    assert second.finish_reason == "stop"
    assert second.text
    sent = chat.emulator.requests[-1].body["tool_approvals"]
    assert [a["approve"] for a in sent] == [approved]


def test_an_unclear_answer_is_refused(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_approval", [ASK])
    with pytest.raises(litellm.BadRequestError, match=r"unclear.*perhaps"):
        chat(way, "asst_approval", [ASK, *answers(first, "perhaps")])
    assert chat(way, "asst_approval", [ASK, *answers(first, "yes")]).finish_reason == "stop"


@pytest.mark.parametrize("run_mode", ["stream", "poll"])
@pytest.mark.parametrize("policy", ["approve", "deny"])
def test_approvals_answered_inside_the_call(
    chat: Chat, way: Way, policy: str, run_mode: str
) -> None:
    result = chat(way, "asst_approval", [ASK], approvals=policy, run_mode=run_mode)
    assert result.finish_reason == "stop"
    assert result.text
    answered = [r.body["tool_approvals"] for r in chat.emulator.requests
                if "tool_approvals" in (r.body or {})]  # fmt: skip
    assert [[a["approve"] for a in batch] for batch in answered] == [[policy == "approve"]]


@pytest.mark.parametrize("state", ["response", "conversation"])
@pytest.mark.parametrize("policy", ["approve", "deny"])
def test_approvals_beside_functions_are_answered_with_them(
    chat: Chat, way: Way, policy: str, state: str
) -> None:
    """A new agent asks for both in one response; the client is asked for the function only."""
    question = user("Look in the docs, and the weather in Oslo.")
    options = {"approvals": policy}
    if state == "conversation":
        options["conversation_id"] = post(chat, "/openai/v1/conversations", {})["id"]
    first = chat(way, "approval", [question], **options)
    assert [name for _, name, _ in first.tool_calls] == ["get_weather"]
    second = chat(way, "approval", [question, *answers(first)], **options)
    assert second.finish_reason == "stop"
    assert "get_weather says fine" in second.text
    assert approvals_given(chat) == [policy == "approve"]
    third = chat(way, "approval", [question], **options)
    history = [question, third.assistant_message(), user("Never mind, hello!")]
    before = len(chat.emulator.requests)
    assert chat(way, "approval", history, **options).finish_reason == "stop"
    assert approvals_given(chat, before) == [False], "what the user left behind is not approved"


def approvals_given(chat: Chat, request: int = -1) -> list[bool]:
    items = chat.emulator.requests[request].body["input"]
    return [item["approve"] for item in items if item["type"] == "mcp_approval_response"]


def post(chat: Chat, path: str, body: Any) -> Any:
    return httpx.post(
        chat.emulator.endpoint + path, json=body,
        headers={"Authorization": f"Bearer {chat.emulator.token}"},
    ).json()  # fmt: skip
