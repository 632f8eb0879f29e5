"""Chats of clients that only resend their history, on one thread by the thread store."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.stores.resolve import forget_stores
from tests.faults.turns import Service
from tests.support.redis_server import free_port, running_redis
from tests.support.ways import Result, Way

AGENTS = {"threads": "asst_echo", "responses": "echo"}
WEATHER = {"threads": "asst_weather", "responses": "weather"}
PROXY = {"url": "http://proxy/v1/chat/completions", "method": "POST", "headers": {}, "body": {}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.fixture(params=AGENTS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Client:
    """A client that keeps its history and nothing else."""

    def __init__(self, emulator: Emulator, agent: str, **options: Any) -> None:
        self.emulator = emulator
        self.agent = agent
        self.options = {"thread_store": "memory", **options}
        self.history: list[Any] = []

    def ask(self, text: str, way: Way | None = None, **options: Any) -> Result:
        """One more turn of the chat."""
        self.history.append(user(text))
        result = self.send(self.history, way, **options)
        self.history.append(result.assistant_message())
        return result

    def send(self, messages: list[Any], way: Way | None = None, **options: Any) -> Result:
        return (way or Way("sync")).ask(**self.arguments(messages, **options))

    def arguments(self, messages: list[Any], **options: Any) -> dict[str, Any]:
        where = {"api_base": self.emulator.endpoint, "api_key": self.emulator.token}
        model = f"azure_ai/agents/{self.agent}"
        given: dict[str, Any] = {"model": model, "messages": list(messages), **where}
        return {**given, **self.options, **options}

    def sent(self) -> list[Any]:
        """For each request that made a run or response, how many messages it brought."""
        found = []
        for request in self.emulator.requests:
            body = request.body if isinstance(request.body, dict) else {}
            thread = body.get("thread") or {}
            for name in ("input", "additional_messages"):
                if name in body:
                    found.append(len(body[name]))
            if "messages" in thread:
                found.append(len(thread["messages"]))
        return found


@pytest.fixture
def client(emulator: Emulator, protocol: str) -> Iterator[Client]:
    forget_stores()
    yield Client(emulator, AGENTS[protocol])
    forget_stores()


@pytest.fixture
def tools_client(emulator: Emulator, protocol: str) -> Client:
    forget_stores()
    return Client(emulator, WEATHER[protocol])


# -- an ordinary chat --------------------------------------------------------------------------


def test_each_turn_is_one_request_with_one_message(client: Client, way: Way) -> None:
    for number in range(5):
        client.ask(f"This is number {number}.", way)
    memory = client.ask("What did I say before?", way)
    assert client.sent() == [1] * 6
    assert len(client.emulator.requests) == 6
    assert "number 0" in memory.text
    assert "number 4" in memory.text


def test_a_chat_is_one_thread(emulator: Emulator, way: Way) -> None:
    client = Client(emulator, "asst_echo")
    for number in range(4):
        client.ask(f"number {number}", way)
    (thread,) = Service(emulator).list("/threads")
    messages = Service(emulator).list(f"/threads/{thread['id']}/messages")
    assert [m["role"] for m in messages] == ["user", "assistant"] * 4


def test_without_a_store_every_turn_tells_the_whole_history(client: Client) -> None:
    for number in range(3):
        client.ask(f"number {number}", thread_store=None)
    assert client.sent() == [1, 3, 5]


def test_polling_counts_too(client: Client) -> None:
    for number in range(3):
        client.ask(f"number {number}", run_mode="poll", poll_interval=0.01)
    assert client.sent() == [1, 1, 1]


def test_clients_may_change_what_says_nothing(client: Client) -> None:
    client.ask("first")
    answer = client.history[-1]
    text = answer["content"]
    client.history[-1] = {
        "role": "assistant",
        "content": [{"type": "text", "text": f" {text}\n"}],
        "reasoning_content": "never mind",
        "tool_calls": None,
    }
    client.ask("second")
    assert client.sent() == [1, 1]


# -- tool rounds -------------------------------------------------------------------------------


def test_tool_rounds_stay_in_their_chat(tools_client: Client, way: Way) -> None:
    client = tools_client
    ids = set()
    for _ in range(2):
        result = client.ask("What is the weather in Paris and Rome?", way)
        assert len(result.tool_calls) == 2
        call = client.history[-1]["tool_calls"][0]["function"]
        call["arguments"] = json.dumps(json.loads(call["arguments"]), indent=2)
        client.history += [
            {"role": "tool", "tool_call_id": id, "content": '{"sky": "blue"}'}
            for id, _, _ in result.tool_calls
        ]
        done = client.send(client.history, way)
        assert done.finish_reason == "stop"
        client.history.append(done.assistant_message())
        ids.add(done.ids["thread_id"])
        ids.add(client.ask("Thanks!", way).ids["thread_id"])
    if client.agent.startswith("asst_"):
        assert len(ids) == 1
    else:  # a chain of responses: what each request brought is what was new
        assert client.sent() == [1, 2, 1, 1, 2, 1]


def test_a_question_instead_of_results(tools_client: Client) -> None:
    client = tools_client
    client.ask("What is the weather in Paris?")
    first = client.sent()
    client.ask("Never mind. Hello!")
    brought = client.sent()[len(first) :]
    assert brought[-1] <= 2, "the question, and in a response that the call was cancelled"
    if client.agent.startswith("asst_"):
        assert len(Service(client.emulator).list("/threads")) == 1


def test_results_of_an_edited_history_go_to_their_run_and_are_not_remembered(
    emulator: Emulator,
) -> None:
    client = Client(emulator, "asst_weather")
    first = client.ask("What is the weather in Paris?")
    client.history[0] = user("What is the weather in Paris, please?")
    client.history.append(
        {"role": "tool", "tool_call_id": first.tool_calls[0][0], "content": "fog"}
    )
    second = client.send(client.history)
    assert second.ids["thread_id"] == first.ids["thread_id"]
    client.history.append(second.assistant_message())
    assert client.ask("Thanks!").ids["thread_id"] != first.ids["thread_id"]


def test_functions_of_the_old_kind(emulator: Emulator) -> None:
    """Their results carry no ids: without a store a new thread would be told the history."""
    functions = [{"name": "get_weather", "parameters": {"type": "object", "properties": {}}}]
    client = Client(emulator, "asst_weather", functions=functions)
    message = litellm.completion(
        **client.arguments([user("What is the weather in Paris?")])
    ).choices[0].message  # fmt: skip
    call = message.function_call
    history = [
        user("What is the weather in Paris?"),
        {"role": "assistant", "content": None, "function_call": call.model_dump()},
        {"role": "function", "name": call.name, "content": "hail"},
    ]
    answer = client.send(history)
    assert "hail" in answer.text
    assert len(Service(emulator).list("/threads")) == 1


# -- what is not continued ---------------------------------------------------------------------


def test_a_regenerated_turn_is_a_new_thread_with_the_history(client: Client) -> None:
    client.ask("My name is Ada.")
    client.ask("What did I say before?")
    again = client.send(client.history[:3])
    assert client.sent() == [1, 1, 3]
    assert "Ada" in again.text
    client.ask("And now?")  # the first answer's thread is as good as ever
    assert client.sent()[-1] == 1


@pytest.mark.parametrize("edited", [0, 1])
def test_an_edited_turn_is_a_new_thread_with_the_history(client: Client, edited: int) -> None:
    client.ask("My name is Ada.")
    client.history[edited] = {**client.history[edited], "content": "My name is Bob."}
    answer = client.ask("What did I say before?")
    assert client.sent() == [1, 3]
    assert ("Bob" in answer.text) == (edited == 0)


def test_of_calls_at_once_one_continues_and_each_thread_is_whole(emulator: Emulator) -> None:
    client = Client(emulator, "asst_echo")
    first = client.ask("Hello")
    history = [*client.history, user("And?")]

    async def both() -> list[Result]:
        way = Way("async stream")
        calls = [way.aask(**client.arguments(history)) for _ in range(4)]
        return list(await asyncio.gather(*calls))

    results = asyncio.run(both())
    threads = [result.ids["thread_id"] for result in results]
    assert len(set(threads)) == 4
    assert threads.count(first.ids["thread_id"]) == 1
    for thread in threads:
        messages = Service(emulator).list(f"/threads/{thread}/messages")
        texts = [part["text"]["value"] for m in messages for part in m["content"]]
        assert texts == ["Hello", "You said: Hello", "And?", "You said: And?"]


def test_of_responses_at_once_one_continues(emulator: Emulator) -> None:
    client = Client(emulator, "echo")
    client.ask("Hello")
    history = [*client.history, user("And?")]

    async def both() -> None:
        way = Way("async")
        await asyncio.gather(*(way.aask(**client.arguments(history)) for _ in range(3)))

    asyncio.run(both())
    assert sorted(client.sent()[1:]) == [1, 3, 3]


@pytest.mark.parametrize("way_name", ["sync stream", "async stream"])
def test_a_stream_that_the_client_cut_is_not_continued(emulator: Emulator, way_name: str) -> None:
    client = Client(emulator, "asst_echo")
    client.ask("Hello")
    history = [*client.history, user("write many words")]

    def cut() -> None:
        stream: Any = litellm.completion(**client.arguments(history), stream=True)
        next(stream)
        stream.completion_stream.close()

    async def acut() -> None:
        stream: Any = await litellm.acompletion(**client.arguments(history), stream=True)
        await anext(stream)
        await stream.aclose()

    cut() if way_name == "sync stream" else asyncio.run(acut())
    client.send(history)
    assert client.sent() == [1, 1, 3]


def test_a_turn_that_failed_in_its_run_is_not_continued(client: Client) -> None:
    client.ask("Hello")
    client.emulator.faults.add(
        path_regex=".*(runs|responses)$", method="POST", times=1, error_after_events=3
    )
    with pytest.raises(litellm.InternalServerError):
        client.send([*client.history, user("And?")], max_retries=0)
    client.emulator.faults.clear()
    before = len(client.sent())
    answer = client.send([*client.history, user("And?")])
    assert answer.text == "You said: And?"
    # What a response knows never changes, so it can be continued after all.
    assert client.sent()[before:] == ([3] if client.agent.startswith("asst_") else [1])


def test_a_turn_that_was_refused_can_be_asked_again(client: Client) -> None:
    client.ask("Hello")
    client.emulator.faults.add(method="POST", times=1, status=429, retry_after="0")
    with pytest.raises(litellm.RateLimitError):
        client.send([*client.history, user("And?")], max_retries=0)
    client.ask("And?")
    assert client.sent()[-1] == 1


def test_a_thread_that_was_deleted_is_told_anew(emulator: Emulator) -> None:
    client = Client(emulator, "asst_echo")
    first = client.ask("My name is Ada.")
    Service(emulator)._client.delete(
        f"{emulator.endpoint}/threads/{first.ids['thread_id']}?api-version=v1"
    )
    assert "Ada" in client.ask("What did I say before?").text
    client.ask("And now?")
    assert client.sent()[-1] == 1


def test_a_response_that_was_deleted_is_told_anew(emulator: Emulator) -> None:
    client = Client(emulator, "echo")
    first = client.ask("My name is Ada.")
    Service(emulator)._client.delete(
        f"{emulator.endpoint}/openai/v1/responses/{first.ids['response_id']}"
    )
    assert "Ada" in client.ask("What did I say before?").text
    client.ask("And now?")
    assert client.sent()[-1] == 1


# -- whose chat --------------------------------------------------------------------------------


def test_two_callers_with_the_same_words(client: Client) -> None:
    def ask(history: list[Any], key: str) -> Result:
        metadata = {"user_api_key_hash": key}
        return client.send(history, metadata=metadata)

    answers = {key: ask([user("Hello")], key) for key in ("ada", "bob")}
    history = [user("Hello"), answers["ada"].assistant_message(), user("And?")]
    ask(history, "eve")
    assert client.sent()[-1] == 3
    for key in ("ada", "bob"):
        ask(history, key)
        assert client.sent()[-1] == 1


def test_chats_that_begin_alike_by_the_clients_own_names(client: Client) -> None:
    client.options["chat_id_from"] = ["X-OpenWebUI-Chat-Id", "metadata.session_id"]

    def ask(history: list[Any], chat: str, session: str) -> Result:
        request = {**PROXY, "headers": {"x-openwebui-chat-id": chat}}
        metadata = {"session_id": session}
        return client.send(history, proxy_server_request=request, metadata=metadata)

    first = ask([user("Hello")], "chat-1", "s")
    history = [user("Hello"), first.assistant_message(), user("And?")]
    for chat, session in (("chat-2", "s"), ("chat-1", "t")):
        ask(history, chat, session)
        assert client.sent()[-1] == 3
    ask(history, "chat-1", "s")
    assert client.sent()[-1] == 1


def test_another_agent_and_another_project(client: Client, emulator: Emulator) -> None:
    client.ask("Hello")
    other = Client(emulator, client.agent.replace("echo", "long"))
    other.send([*client.history, user("write 3 words")])
    assert client.sent()[-1] == 3
    with Emulator(token=emulator.token) as elsewhere:
        moved = Client(elsewhere, client.agent)
        moved.send([*client.history, user("And?")])
        assert moved.sent() == [3]


# -- with other options ------------------------------------------------------------------------


def test_an_explicit_id_wins_and_is_not_remembered(client: Client) -> None:
    """The history that comes with an id need not be all that its thread holds."""
    first = client.ask("My name is Ada.")
    short = [user("Hello")]
    second = client.send(short, thread_id=first.ids["thread_id"])
    client.send([*short, second.assistant_message(), user("What did I say before?")])
    assert client.sent() == [1, 1, 3]


def test_an_ephemeral_thread_leaves_the_chat_alone(client: Client) -> None:
    client.ask("My name is Ada.")
    aside = client.send([*client.history, user("A title, please.")], ephemeral_thread=True)
    assert aside.text
    assert client.sent() == [1, 3]
    client.ask("What did I say before?")
    assert client.sent()[-1] == 1


def test_system_messages_may_change(client: Client) -> None:
    """They go with each run; a response is told those that it doesn't have."""
    history: list[Any] = []
    for number, system in enumerate(["Be brief.", "Be brief.", "Be kind."]):
        history.append(user(f"number {number}"))
        before = len(client.emulator.requests)
        answer = client.send([{"role": "system", "content": system}, *history])
        history.append(answer.assistant_message())
        request = client.emulator.requests[-1]
        body: Any = request.body
        if client.agent.startswith("asst_"):
            assert system in (body.get("instructions") or "") + (
                body.get("additional_instructions") or ""
            )
            assert len(Service(client.emulator).list("/threads")) == 1
        else:
            assert len(client.emulator.requests) == before + 1
            said = [item["content"] for item in body["input"]]
            assert said == ([system] if number != 1 else []) + [f"number {number}"]


def test_a_response_that_is_not_stored_is_not_remembered(emulator: Emulator) -> None:
    client = Client(emulator, "echo", store=False)
    client.ask("one")
    client.ask("two")
    assert client.sent() == [1, 3]


def test_callers_may_not_choose_the_store(client: Client) -> None:
    request = {**PROXY, "body": {"thread_store": "redis://elsewhere"}}
    with pytest.raises(litellm.BadRequestError, match="operator") as caught:
        client.send([user("Hello")], proxy_server_request=request)
    assert "elsewhere" not in str(caught.value)


def test_a_wrong_store_is_named_without_its_password(client: Client) -> None:
    with pytest.raises(litellm.BadRequestError, match="redis://") as caught:
        client.send([user("Hello")], thread_store="postgres://ada:hunter22@host")
    assert "hunter22" not in str(caught.value)


# -- stores ------------------------------------------------------------------------------------


def test_redis_serves_every_process(client: Client, way: Way) -> None:
    with running_redis() as url:
        client.options["thread_store"] = url
        for number in range(3):
            forget_stores()  # as another process would
            client.ask(f"number {number}", way)
    assert client.sent() == [1, 1, 1]


def test_a_store_that_is_down_costs_continuity_and_no_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    client.options |= {"thread_store": f"redis://:hunter22@127.0.0.1:{port}"}
    with caplog.at_level(logging.WARNING, "litellm_azure_agents"):
        for number in range(3):
            client.ask(f"number {number}")
    assert client.sent() == [1, 3, 5]
    (line,) = [r.getMessage() for r in caplog.records if r.name == "litellm_azure_agents"]
    assert "thread store" in line
    assert "hunter22" not in line


def test_while_the_store_is_down_ids_of_calls_still_lead_to_their_thread(
    emulator: Emulator,
) -> None:
    client = Client(emulator, "asst_weather", thread_store=f"redis://127.0.0.1:{free_port()}")
    first = client.ask("What is the weather in Paris?")
    client.history.append({"role": "tool", "tool_call_id": first.tool_calls[0][0], "content": "1"})
    second = client.send(client.history)
    client.history.append(second.assistant_message())
    third = client.ask("Thanks!")
    assert {r.ids["thread_id"] for r in (second, third)} == {first.ids["thread_id"]}


def test_litellms_own_redis(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_redis() as url:
        port = url.rpartition(":")[2].partition("/")[0]
        cache = litellm.Cache(type="redis", host="127.0.0.1", port=port)  # type: ignore[arg-type]
        monkeypatch.setattr(litellm, "cache", cache)
        client.options["thread_store"] = "litellm"
        for number in range(3):
            forget_stores()
            client.ask(f"number {number}")
        assert client.sent() == [1, 1, 1]


def test_litellm_without_a_redis(client: Client) -> None:
    with pytest.raises(litellm.BadRequestError, match="cache_params"):
        client.send([user("Hello")], thread_store="litellm")
