"""Two users of a real LiteLLM proxy of two processes, with a Redis: whose threads are whose.

What the proxy says of a caller, and what a caller may not say of himself, differs between LiteLLM's
versions, so these tests run on the oldest and the newest, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.turns import Service
from tests.support import proxy_users
from tests.support.litellm_proxy import KEY, running_proxy
from tests.support.redis_server import running_redis
from tests.support.unchanged import Unchanged

pytestmark = pytest.mark.xdist_group("isolating proxy")  # one proxy serves all
AGENTS = ("asst_echo", "echo", "asst_weather", "weather")
FORGED = {
    "user_api_key_hash": "bob",
    "user_api_key_user_id": "ada",
    "user_api_key_team_id": "blue",
    "user_api_key": "sk-ada",
    "user_api_key_auth": {"user_id": "ada", "api_key": "sk-ada"},
}
"""What a caller could send to be taken for ada."""
HELLO = "My secret is 4711."
QUESTION = "What did I say before?"


@pytest.fixture(scope="module")
def project() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def proxy(project: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("isolating-proxy")
    shutil.copy(str(proxy_users.__file__), folder / "proxy_users.py")
    handler = {
        "provider": "azure_agents", "custom_handler": "litellm_azure_agents.proxy.handler"
    }  # fmt: skip
    with running_redis() as redis:
        where = {
            "api_base": project.endpoint,
            "api_key": project.token,
            "thread_isolation": "user",
            "thread_store": redis,
            "chat_id_from": ["X-OpenWebUI-Chat-Id"],
        }
        config = {
            "model_list": [
                {
                    "model_name": name,
                    "litellm_params": {"model": f"azure_ai/agents/{name}", **where},
                }
                for name in AGENTS
            ],
            "litellm_settings": {"custom_provider_map": [handler]},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"custom_auth": "proxy_users.authenticate"},
        }
        with running_proxy(folder, config, workers=2) as url:
            yield url


def client_of(proxy: str, key: str) -> openai.OpenAI:
    """A client whose every request may reach another worker: no connection is kept."""
    http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=120)
    return openai.OpenAI(base_url=f"{proxy}/v1", api_key=key, max_retries=0, http_client=http)


@pytest.fixture
def ada(proxy: str) -> openai.OpenAI:
    return client_of(proxy, "sk-ada")


@pytest.fixture
def bob(proxy: str) -> openai.OpenAI:
    return client_of(proxy, "sk-bob")


def ask(
    client: openai.OpenAI, model: str, messages: Any, *, streamed: bool = False, **body: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The assistant's message as a client keeps it, and the ids that came with it."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    headers = body.pop("headers", None)
    given: Any = {"model": model, "messages": messages, "extra_body": body or None,
                  "extra_headers": headers}  # fmt: skip
    if not streamed:
        message = client.chat.completions.create(**given).choices[0].message
        kept = message.model_dump(exclude_none=True)
        return kept, kept.pop("provider_specific_fields", {})
    ids: dict[str, Any] = {}
    text = ""
    for chunk in client.chat.completions.create(stream=True, **given):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            ids.update(getattr(choice.delta, "provider_specific_fields", None) or {})
    return {"role": "assistant", "content": text}, ids


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


# -- continuity --------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["asst_echo", "echo"])
def test_a_chat_moves_between_workers(
    ada: openai.OpenAI, project: Emulator, model: str, streamed: bool
) -> None:
    before = len(project.requests)
    history: list[Any] = []
    threads = set()
    headers = {"X-OpenWebUI-Chat-Id": f"{model}-{streamed}"}
    for number in range(6):
        history.append(user(f"number {number}"))
        message, ids = ask(ada, model, history, streamed=streamed, headers=headers)
        history.append({**message, "content": f" {message['content']} "})
        threads.add(ids["thread_id"])
    sent = project.requests[before:]
    assert [r.method for r in sent] == ["POST"] * 6
    bodies: list[Any] = [r.body for r in sent]
    if model == "echo":
        assert [len(body["input"]) for body in bodies] == [1] * 6
    else:
        assert len(threads) == 1
        assert [len(body["additional_messages"]) for body in bodies[1:]] == [1] * 5


@pytest.mark.parametrize("model", ["asst_weather", "weather"])
def test_a_tool_round_moves_between_workers(
    ada: openai.OpenAI, bob: openai.OpenAI, project: Emulator, model: str
) -> None:
    history: list[Any] = [user("What is the weather in Paris?")]
    message, _ = ask(ada, model, history)
    (call,) = message["tool_calls"]
    history += [message, {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]
    with Unchanged(project), pytest.raises(openai.NotFoundError):
        ask(bob, model, history)
    before = len(project.requests)
    message, _ = ask(ada, model, history)
    assert "sunny" in message["content"]
    history += [message, user("Thanks!")]
    ask(ada, model, history)
    assert [r.method for r in project.requests[before:]] == ["POST", "POST"]


# -- doors -------------------------------------------------------------------------------------


def test_another_s_thread(ada: openai.OpenAI, bob: openai.OpenAI, project: Emulator) -> None:
    _, ids = ask(ada, "asst_echo", HELLO)
    thread = ids["thread_id"]
    texts = []
    with Unchanged(project):
        for id in (thread, "thread_000000000000000000000000"):
            for more in ({}, {"ephemeral_thread": True}):
                with pytest.raises(openai.NotFoundError) as caught:
                    ask(bob, "asst_echo", QUESTION, thread_id=id, **more)
                texts.append(caught.value.message.replace(id, "ID"))
    assert len(set(texts)) == 1
    message, _ = ask(ada, "asst_echo", QUESTION, thread_id=thread)
    assert "4711" in message["content"]


def test_another_s_response(ada: openai.OpenAI, bob: openai.OpenAI, project: Emulator) -> None:
    _, ids = ask(ada, "echo", HELLO)
    response = ids["response_id"]
    with Unchanged(project):
        for name in ("thread_id", "previous_response_id"):
            with pytest.raises(openai.NotFoundError):
                ask(bob, "echo", QUESTION, **{name: response})
        # By this field LiteLLM itself refuses ids that it hasn't wrapped, or has for another.
        with pytest.raises(openai.APIStatusError, match=r"40[34]"):
            bob.responses.create(model="echo", input=QUESTION, previous_response_id=response)
        item = Service(project).get(f"/openai/v1/responses/{response}")["output"][0]["id"]
        reference: Any = [{"type": "item_reference", "id": item}]
        with pytest.raises(openai.NotFoundError):
            bob.responses.create(model="echo", input=reference)
    message, _ = ask(ada, "echo", QUESTION, previous_response_id=response)
    assert "4711" in message["content"]
    first = ada.responses.create(model="echo", input=HELLO)
    with Unchanged(project), pytest.raises(openai.APIStatusError, match=r"40[34]"):
        bob.responses.create(model="echo", input=QUESTION, previous_response_id=first.id)
    second = ada.responses.create(model="echo", input=QUESTION, previous_response_id=first.id)
    assert "4711" in second.output_text


def test_stored_responses(ada: openai.OpenAI, bob: openai.OpenAI, project: Emulator) -> None:
    made = ada.responses.create(model="echo", input=HELLO, background=True)
    operations = (
        lambda c: c.responses.retrieve(made.id),
        lambda c: c.responses.input_items.list(made.id),
        lambda c: c.responses.cancel(made.id),
        lambda c: c.responses.delete(made.id),
    )
    with Unchanged(project):
        for operation in operations:
            with pytest.raises(openai.APIStatusError) as caught:
                operation(bob)
            # LiteLLM's own check of the ids that it wraps comes first, as a 403.
            assert caught.value.status_code in (403, 404)
    assert ada.responses.retrieve(made.id).id
    assert ada.responses.input_items.list(made.id).data
    done = ada.responses.create(model="echo", input=HELLO)
    with pytest.raises(openai.BadRequestError, match="synchronous"):  # the service's own refusal
        ada.responses.cancel(done.id)
    ada.responses.delete(made.id)


# -- who a caller is ---------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("field", ["metadata", "litellm_metadata"])
def test_a_forged_identity_in_chat(
    ada: openai.OpenAI, bob: openai.OpenAI, project: Emulator, field: str, streamed: bool
) -> None:
    _, ids = ask(ada, "asst_echo", HELLO)
    headers = {f"x-litellm-{n.replace('_', '-')}": str(v) for n, v in FORGED.items()}
    with Unchanged(project), pytest.raises(openai.APIStatusError) as caught:
        ask(bob, "asst_echo", QUESTION, streamed=streamed, thread_id=ids["thread_id"],
            headers=headers, user="ada", **{field: FORGED})  # fmt: skip
    assert caught.value.status_code in (400, 403, 404)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize("field", ["metadata", "litellm_metadata"])
def test_a_forged_identity_on_other_routes(
    ada: openai.OpenAI, proxy: str, project: Emulator, field: str
) -> None:
    """What is made there is the caller's own, whatever he says."""
    service, owners = Service(project), {}
    for who, more in (("sk-ada", {}), ("sk-bob", {}), ("sk-bob", {field: FORGED})):
        http = httpx.Client(base_url=proxy, headers={"Authorization": f"Bearer {who}"}, timeout=120)
        bodies: list[tuple[str, dict[str, Any]]] = [
            ("/v1/messages", {"model": "asst_echo", "max_tokens": 500, "messages": [user("Hi")]}),
            ("/v1/responses", {"model": "asst_echo", "input": "Hi"}),
            ("/v1/responses", {"model": "echo", "input": "Hi"}),
        ]
        for number, (path, body) in enumerate(bodies):
            known = {run["id"] for run in service.runs()}
            reply = http.post(path, json={**body, **more})
            if reply.status_code == 400:
                continue  # refused by LiteLLM itself, in some versions
            assert reply.status_code == 200, reply.text
            (made,) = [run for run in service.runs() if run["id"] not in known]
            at = f"/threads/{made['parent']}/runs/" if made["kind"] == "run" else (
                "/openai/v1/responses/"
            )  # fmt: skip
            owner = service.get(at + made["id"])["metadata"]["litellm_owner"]
            owners.setdefault((number, who), set()).add(owner)
    for number in range(3):
        ada_s, bob_s = owners[number, "sk-ada"], owners[number, "sk-bob"]
        assert len(ada_s) == len(bob_s) == 1
        assert ada_s != bob_s


def test_one_owner_on_all_routes(ada: openai.OpenAI, project: Emulator) -> None:
    """A thread is the same user's, whether he comes by chat completions or by the bridge."""
    service = Service(project)
    ada.responses.create(model="asst_echo", input="Hi there")
    run = next(run for run in service.runs() if run["kind"] == "run")
    message, _ = ask(ada, "asst_echo", "And?", thread_id=run["parent"])
    assert message["content"] == "You said: And?"


@pytest.mark.parametrize("key", [KEY, "sk-nobody"])
def test_without_an_identity(proxy: str, project: Emulator, key: str) -> None:
    client = client_of(proxy, key)
    before = len(project.requests)
    for model in ("asst_echo", "echo"):
        with pytest.raises(openai.BadRequestError, match="thread_isolation"):
            ask(client, model, HELLO)
    with pytest.raises(openai.BadRequestError, match="thread_isolation"):
        client.responses.create(model="echo", input=HELLO)
    assert len(project.requests) == before


def test_isolation_is_the_operators(bob: openai.OpenAI) -> None:
    for option in ({"thread_isolation": "off"}, {"thread_store": "memory"}, {"chat_id_from": []}):
        with pytest.raises(openai.BadRequestError, match="operator"):
            ask(bob, "asst_echo", HELLO, **option)


def test_the_health_check_needs_no_identity(proxy: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    health = httpx.get(f"{proxy}/health", headers=headers, timeout=120).json()
    assert health["unhealthy_count"] == 0
    assert health["healthy_count"] == len(AGENTS)
