"""With ``thread_isolation`` no caller gets at what another has made, whichever way the id comes in.

The callers are told apart by the metadata that a proxy adds; `end_to_end/test_proxy_isolation.py`
does the same through a real one. A refused request must not have changed anything, so every test
looks at what reached the service.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest

from litellm_azure_agents.core.owner import known_owners
from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.stores.resolve import forget_stores
from tests.faults.turns import Service
from tests.support.unchanged import Unchanged
from tests.support.ways import Result, Way, from_response

HELLO = [{"role": "user", "content": "My secret is 4711."}]
QUESTION = [{"role": "user", "content": "What did I say before?"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
MISSING = {
    "thread": "thread_000000000000000000000000",
    "response": "resp_000000000000000000000000",
    "conversation": "conv_000000000000000000000000",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AZURE_AGENTS_SECRET", "known to the proxy alone")
    forget_stores()
    known_owners.clear()
    yield
    forget_stores()
    known_owners.clear()


class Caller:
    """A caller of a proxy, with what the proxy knows of him."""

    def __init__(self, emulator: Emulator, name: str, *, team: str = "blue", mode: str = "key"):
        self.emulator = emulator
        self.mode = mode
        self.metadata = {
            "user_api_key_hash": f"hash-of-{name}",
            "user_api_key_user_id": name,
            "user_api_key_team_id": team,
        }

    def _where(self, body: dict[str, Any]) -> dict[str, Any]:
        request = {"url": "http://proxy/x", "method": "POST", "headers": {}, "body": body}
        return {
            "api_base": self.emulator.endpoint,
            "api_key": self.emulator.token,
            "thread_isolation": self.mode,
            "proxy_server_request": request,
        }

    def ask(self, agent: str, messages: Any, way: str = "sync", **body: Any) -> Result:
        """A chat completion; ``body`` is what the caller's request has."""
        given = {"model": f"azure_ai/agents/{agent}", "messages": messages}
        return Way(way).ask(**{"metadata": {**self.metadata}, **self._where(body), **given, **body})

    def respond(self, agent: str, input: Any, **body: Any) -> Any:
        """A native response."""
        return litellm.responses(
            model=f"azure_ai/agents/{agent}",
            input=input,
            litellm_metadata={**self.metadata},
            **self._where(body),
            **body,
        )

    def stored(self, function: Callable[..., Any], response_id: str) -> Any:
        """An operation on a stored response."""
        return function(
            response_id=response_id,
            custom_llm_provider="azure_ai",
            model="azure_ai/agents/echo",
            litellm_metadata={**self.metadata},
            **self._where({}),
        )


@pytest.fixture
def ada(emulator: Emulator) -> Caller:
    return Caller(emulator, "ada")


@pytest.fixture
def bob(emulator: Emulator) -> Caller:
    return Caller(emulator, "bob")


def same_404(ask: Callable[[str], Any], others: str, missing: str) -> None:
    """Another's id and one that doesn't exist get the same error."""
    texts = []
    for id in (others, missing):
        with pytest.raises(litellm.NotFoundError) as caught:
            ask(id)
        assert caught.value.status_code == 404
        texts.append(str(caught.value).replace(id, "ID"))
    assert texts[0] == texts[1]


# -- classic agents ----------------------------------------------------------------------------


def test_what_a_caller_makes_names_its_owner(ada: Caller, bob: Caller) -> None:
    service = Service(ada.emulator)
    forged = {"litellm_owner": "bob"}
    tags = []
    for caller in (ada, ada, bob):
        made = caller.ask("asst_echo", HELLO, thread_metadata=forged, run_metadata=forged)
        thread = service.get(f"/threads/{made.ids['thread_id']}")
        run = service.get(f"/threads/{made.ids['thread_id']}/runs/{made.ids['run_id']}")
        assert thread["metadata"]["litellm_owner"] == run["metadata"]["litellm_owner"]
        tags.append(thread["metadata"]["litellm_owner"])
        made = caller.ask("echo", HELLO, response_metadata=forged)
        response = service.get(f"/openai/v1/responses/{made.ids['response_id']}")
        assert response["metadata"]["litellm_owner"] == tags[-1]
    assert tags[0] == tags[1] != tags[2]


@pytest.mark.parametrize("ephemeral", [False, True])
def test_another_s_thread(ada: Caller, bob: Caller, ephemeral: bool) -> None:
    thread = ada.ask("asst_echo", HELLO).ids["thread_id"]

    def ask(id: str) -> None:
        bob.ask("asst_echo", QUESTION, thread_id=id, ephemeral_thread=ephemeral)

    with Unchanged(ada.emulator):
        same_404(ask, thread, MISSING["thread"])
    assert "4711" in ada.ask("asst_echo", QUESTION, thread_id=thread).text


def test_a_thread_of_nobody(ada: Caller) -> None:
    thread = Service(ada.emulator).post("/threads")["id"]
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError):
        ada.ask("asst_echo", QUESTION, thread_id=thread)


def test_the_usual_turn_costs_no_look_up(ada: Caller, way: Way) -> None:
    """Neither in the process that made the thread nor, in a tool round, in another one."""
    thread = ada.ask("asst_echo", HELLO, way.name).ids["thread_id"]
    ada.ask("asst_echo", QUESTION, way.name, thread_id=thread)
    known_owners.clear()
    first = ada.ask("asst_weather", WEATHER, way.name)
    known_owners.clear()
    ada.ask("asst_weather", [*WEATHER, *results(first)], way.name)
    assert {r.method for r in ada.emulator.requests} == {"POST"}


def test_a_bare_thread_id_costs_one_look_up(ada: Caller) -> None:
    thread = ada.ask("asst_echo", HELLO).ids["thread_id"]
    known_owners.clear()  # as in another process
    for _ in range(3):
        ada.ask("asst_echo", QUESTION, thread_id=thread)
    assert [r.method for r in ada.emulator.requests].count("GET") == 1


def results(first: Result, content: str = "sunny") -> list[dict[str, Any]]:
    calls = first.tool_calls
    return [
        first.assistant_message(),
        *({"role": "tool", "tool_call_id": id, "content": content} for id, _, _ in calls),
    ]


@pytest.mark.parametrize("agent", ["asst_weather", "weather"])
def test_results_for_another_s_call(ada: Caller, bob: Caller, way: Way, agent: str) -> None:
    first = ada.ask(agent, WEATHER, way.name)
    history = [*WEATHER, *results(first)]
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError):
        bob.ask(agent, history, way.name)
    assert "sunny" in ada.ask(agent, history, way.name).text


@pytest.mark.parametrize("agent", ["asst_approval", "approval"])
def test_another_s_approval(ada: Caller, bob: Caller, agent: str) -> None:
    asked = [{"role": "user", "content": "Search the docs for agents."}]
    first = ada.ask(agent, asked)
    assert [name for _, name, _ in first.tool_calls] == ["mcp_approval_request"]
    history = [*asked, *results(first, '{"approve": true}')]
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError):
        bob.ask(agent, history)
    assert ada.ask(agent, history).finish_reason == "stop"


@pytest.mark.parametrize("agent", ["asst_weather", "weather"])
def test_another_s_call_in_old_history_leads_nowhere(ada: Caller, bob: Caller, agent: str) -> None:
    first = ada.ask(agent, WEATHER)
    history = [*WEATHER, *results(first)]
    second = ada.ask(agent, history)
    history += [second.assistant_message(), {"role": "user", "content": "Thanks!"}]
    answer = bob.ask(agent, history)
    assert answer.ids["thread_id"] not in (first.ids["thread_id"], second.ids["thread_id"])


def test_results_by_the_services_own_ids(ada: Caller, bob: Caller) -> None:
    first = ada.ask("asst_weather", WEATHER)
    run = Service(ada.emulator).get(f"/threads/{first.ids['thread_id']}/runs/{first.ids['run_id']}")
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    history = [
        *WEATHER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"},
    ]
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError):
        bob.ask("asst_weather", history, thread_id=first.ids["thread_id"])


# -- new agents --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["previous_response_id", "thread_id"])
def test_another_s_response(ada: Caller, bob: Caller, name: str) -> None:
    response = ada.ask("echo", HELLO).ids["response_id"]
    with Unchanged(ada.emulator):
        same_404(lambda id: bob.ask("echo", QUESTION, **{name: id}), response, MISSING["response"])
    assert "4711" in ada.ask("echo", QUESTION, **{name: response}).text


@pytest.mark.parametrize("name", ["conversation_id", "thread_id"])
def test_another_s_conversation(ada: Caller, bob: Caller, name: str) -> None:
    conversation = conversation_of(ada)
    ask = lambda id: bob.ask("echo", QUESTION, **{name: id})  # noqa: E731
    with Unchanged(ada.emulator):
        same_404(ask, conversation, MISSING["conversation"])
    assert ada.ask("echo", QUESTION, **{name: conversation}).text


def conversation_of(caller: Caller) -> str:
    """A conversation that names the caller as its owner, as an operator's program may make one."""
    made = Service(caller.emulator)
    response = caller.ask("echo", HELLO).ids["response_id"]
    metadata = made.get(f"/openai/v1/responses/{response}")["metadata"]
    owner = {"litellm_owner": metadata["litellm_owner"]}
    return str(made.post("/openai/v1/conversations", {"metadata": owner})["id"])


def test_native_state(ada: Caller, bob: Caller) -> None:
    response = ada.respond("echo", "My secret is 4711.")
    raw = Service(ada.emulator).runs()[0]["id"]
    conversation = conversation_of(ada)
    with Unchanged(ada.emulator):
        same_404(
            lambda i: bob.respond("echo", "?", previous_response_id=i), raw, MISSING["response"]
        )
        same_404(
            lambda i: bob.respond("echo", "?", conversation=i),
            conversation,
            MISSING["conversation"],
        )
        with pytest.raises(litellm.NotFoundError):
            bob.respond("echo", "?", conversation={"id": conversation})
        with pytest.raises(litellm.NotFoundError):
            bob.respond("echo", "?", previous_response_id=response.id)
    assert ada.respond("echo", "?", previous_response_id=response.id).output
    assert ada.respond("echo", "?", conversation=conversation).output


OPERATIONS = {
    "get": litellm.get_responses,
    "input items": litellm.list_input_items,
    "cancel": litellm.cancel_responses,
    "delete": litellm.delete_responses,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_s_stored_response(ada: Caller, bob: Caller, operation: str) -> None:
    response = ada.respond("echo", "My secret is 4711.", background=True)
    known_owners.clear()
    raw = Service(ada.emulator).runs()[0]["id"]
    function = OPERATIONS[operation]
    with Unchanged(ada.emulator):
        same_404(lambda id: bob.stored(function, id), raw, MISSING["response"])
        with pytest.raises(litellm.NotFoundError):
            bob.stored(function, response.id)
    if operation != "cancel":  # it has ended by now
        assert ada.stored(function, response.id)


# -- what a request names beside its state -----------------------------------------------------


def test_another_s_items(ada: Caller, bob: Caller) -> None:
    response = ada.respond("echo", "My secret is 4711.")
    item = response.output[0].id
    reference = [{"type": "item_reference", "id": item}, {"role": "user", "content": "?"}]
    with Unchanged(ada.emulator):
        same_404(
            lambda id: bob.respond("echo", [{**reference[0], "id": id}]), item, "msg_000000000000"
        )
    assert ada.respond("echo", reference).output


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_files_of_unknown_origin(ada: Caller, agent: str) -> None:
    uploaded = upload(ada.emulator)

    def ask(id: str) -> None:
        content = [{"type": "text", "text": "?"}, {"type": "file", "file": {"file_id": id}}]
        ada.ask(agent, [{"role": "user", "content": content}])

    with Unchanged(ada.emulator):
        same_404(ask, uploaded, "assistant-000000000000000000000000")


def upload(emulator: Emulator) -> str:
    client = Service(emulator)._client
    url = f"{emulator.endpoint}/files?api-version=v1"
    files = {"file": ("a.txt", b"secret")}
    return str(client.post(url, data={"purpose": "assistants"}, files=files).json()["id"])


def test_files_that_an_agent_made_for_the_caller(ada: Caller, bob: Caller) -> None:
    made = ada.ask("asst_code", [{"role": "user", "content": "Make a file report.csv."}])
    (file,) = made.fields["files"]
    content = [
        {"type": "text", "text": "And what is in this?"},
        {"type": "file", "file": {"file_id": file["file_id"], "filename": "report.csv"}},
    ]
    question = [{"role": "user", "content": content}]
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError):
        bob.ask("asst_code", question)
    assert ada.ask("asst_code", question).finish_reason == "stop"


def test_files_that_come_with_a_message_are_the_caller_s(ada: Caller) -> None:
    data = "data:text/plain;base64," + base64.b64encode(b"hello").decode()
    content = [{"type": "file", "file": {"file_data": data, "filename": "a.txt"}}]
    assert ada.ask("asst_search", [{"role": "user", "content": content}]).finish_reason == "stop"


def test_vector_stores_are_the_operator_s(ada: Caller) -> None:
    """That an answer cites a file of the agent's own doesn't make the file its reader's."""
    file = upload(ada.emulator)
    store = Service(ada.emulator).post("/vector_stores", {"file_ids": [file]})["id"]
    for resources in (
        {"file_search": {"vector_store_ids": [store]}},
        {"code_interpreter": {"file_ids": [file]}},
    ):
        with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError):
            ada.ask("asst_search", HELLO, tool_resources=resources)
        given = {"model": "azure_ai/agents/asst_search", "messages": HELLO}
        answer = litellm.completion(  # of the deployment: not in the body of the request
            **given, metadata={**ada.metadata}, tool_resources=resources, **ada._where({})
        )
        assert from_response(answer).finish_reason == "stop"


def test_containers_in_a_native_request(ada: Caller, bob: Caller) -> None:
    call = {
        "type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1",
        "code": "1", "outputs": [], "status": "completed",
    }  # fmt: skip
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError, match="container"):
        bob.respond("code", [call, {"role": "user", "content": "?"}])
    tools = [{"type": "code_interpreter", "container": "cntr_1"}]
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError, match="container"):
        bob.respond("code", "?", tools=tools)


def test_another_s_session(ada: Caller) -> None:
    with Unchanged(ada.emulator), pytest.raises(litellm.NotFoundError, match="session"):
        ada.ask("echo", HELLO, agent_session_id="session-of-bob")


# -- whose identity ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["key", "user", "team"])
def test_members_of_a_team_share_with_team_alone(emulator: Emulator, mode: str) -> None:
    ada = Caller(emulator, "ada", team="blue", mode=mode)
    bob = Caller(emulator, "bob", team="blue", mode=mode)
    eve = Caller(emulator, "eve", team="red", mode=mode)
    thread = ada.ask("asst_echo", HELLO).ids["thread_id"]
    if mode == "team":
        assert "4711" in bob.ask("asst_echo", QUESTION, thread_id=thread).text
    else:
        with pytest.raises(litellm.NotFoundError):
            bob.ask("asst_echo", QUESTION, thread_id=thread)
    with pytest.raises(litellm.NotFoundError):
        eve.ask("asst_echo", QUESTION, thread_id=thread)


@pytest.mark.parametrize("mode", ["key", "user", "team"])
@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"user_api_key_hash": "", "user_api_key_user_id": None, "user_api_key_team_id": None},
        {
            "user_api_key_hash": "litellm_proxy_master_key",
            "user_api_key_user_id": "default_user_id",
            "user_api_key_team_id": None,
        },
    ],
)
def test_without_an_identity_it_is_an_error(emulator: Emulator, mode: str, metadata: Any) -> None:
    caller = Caller(emulator, "x", mode=mode)
    caller.metadata = metadata or {}
    for ask in (
        lambda: caller.ask("asst_echo", HELLO),
        lambda: caller.ask("echo", HELLO),
        lambda: caller.respond("echo", "hello"),
        lambda: caller.stored(litellm.get_responses, MISSING["response"]),
    ):
        with pytest.raises(litellm.BadRequestError, match="thread_isolation"):
            ask()
    assert not emulator.requests


def test_a_script_has_no_identity(emulator: Emulator) -> None:
    with pytest.raises(litellm.BadRequestError, match="thread_isolation"):
        litellm.completion(
            model="azure_ai/agents/asst_echo", messages=HELLO, thread_isolation="key",
            api_base=emulator.endpoint, api_key=emulator.token,
        )  # fmt: skip


def test_a_body_changes_nothing(ada: Caller, bob: Caller) -> None:
    thread = ada.ask("asst_echo", HELLO).ids["thread_id"]
    with pytest.raises(litellm.BadRequestError, match="operator"):
        bob.ask("asst_echo", QUESTION, thread_id=thread, thread_isolation="off")
    with pytest.raises(litellm.NotFoundError):
        bob.ask("asst_echo", QUESTION, thread_id=thread, litellm_metadata=ada.metadata)


def test_without_a_secret_it_is_an_error(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_AGENTS_SECRET")
    monkeypatch.setattr("litellm.proxy.proxy_server.master_key", None, raising=False)
    with pytest.raises(litellm.BadRequestError, match="AZURE_AGENTS_SECRET"):
        ada.ask("asst_echo", HELLO)
    monkeypatch.setenv("LITELLM_SALT_KEY", "sk-salt")
    thread = ada.ask("asst_echo", HELLO).ids["thread_id"]
    known_owners.clear()
    assert ada.ask("asst_echo", QUESTION, thread_id=thread).text


def test_the_operators_health_check_needs_no_identity(emulator: Emulator) -> None:
    answer: Any = litellm.completion(
        model="azure_ai/agents/asst_echo", messages=HELLO, thread_isolation="key",
        metadata={"tags": ["litellm-internal-health-check"]},
        api_base=emulator.endpoint, api_key=emulator.token,
    )  # fmt: skip
    assert answer.choices[0].message.content == "ok"


def test_there_must_be_room_for_the_owner(ada: Caller) -> None:
    full = {str(n): "x" for n in range(16)}
    for agent in ("asst_echo", "echo"):
        with pytest.raises(litellm.BadRequestError, match="16 pairs"):
            ada.ask(agent, HELLO, run_metadata=full)
    with pytest.raises(litellm.BadRequestError, match="16 pairs"):
        ada.respond("echo", "hello", metadata=full)


# -- with a thread store -----------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_a_remembered_chat_costs_no_look_up(ada: Caller, bob: Caller, agent: str) -> None:
    """And two callers with the same words have a chat each."""

    def ask(caller: Caller, messages: Any) -> Result:
        where = {**caller._where({}), "thread_store": "memory"}
        given = {"model": f"azure_ai/agents/{agent}", "messages": messages}
        return Way("sync").ask(**given, metadata={**caller.metadata}, **where)

    threads = {}
    for caller in (ada, bob):
        history: list[Any] = [*HELLO, ask(caller, HELLO).assistant_message(), *QUESTION]
        answer = ask(caller, history)
        assert "4711" in answer.text
        threads[answer.ids["thread_id"]] = caller
    assert len(threads) == 2
    assert {r.method for r in ada.emulator.requests} == {"POST"}
