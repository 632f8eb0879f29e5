"""Tables: addresses, history -> input items, headers, what is refused. And turns over a script."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents.continuity.call_ids import CallKind, encode
from litellm_azure_agents.continuity.history import HistoryError
from litellm_azure_agents.core.actions import Reply
from litellm_azure_agents.core.call import Call
from litellm_azure_agents.core.endpoint import Endpoint
from litellm_azure_agents.core.errors import Context
from litellm_azure_agents.core.options import OptionError, Options, Params
from litellm_azure_agents.drivers import shared_replies as sharing
from litellm_azure_agents.responses import history, payloads, refused
from litellm_azure_agents.responses.content import Inputs
from litellm_azure_agents.responses.identity import agent_headers
from litellm_azure_agents.responses.target import resolve_target
from tests.responses.test_machine import events_of, final, message, text
from tests.ways import Way

PROJECT = "https://acc.services.ai.azure.com/api/projects/p"
AGENT = f"{PROJECT}/agents/bob/endpoint/protocols/openai"
APPLICATION = f"{PROJECT}/applications/shop/protocols/openai"
PUBLISHED = f"{APPLICATION}/responses?api-version=2025-11-15-preview"


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "agent", "options", "style", "url"),
    [
        (PROJECT, "bob", {}, "project", f"{PROJECT}/openai/v1/responses"),
        (f"{PROJECT}/openai/v1", "bob", {}, "project", f"{PROJECT}/openai/v1/responses"),
        (PROJECT, "bob", {"api_version": "x"}, "project",
         f"{PROJECT}/openai/v1/responses?api-version=x"),
        (PROJECT, "bob", {"style": "agent"}, "agent", f"{AGENT}/responses?api-version=v1"),
        (AGENT, "bob", {}, "agent", f"{AGENT}/responses?api-version=v1"),
        (f"{PROJECT}/agents/bob", "bob", {}, "agent", f"{AGENT}/responses?api-version=v1"),
        (f"{AGENT}/responses", "bob", {}, "agent", f"{AGENT}/responses?api-version=v1"),
        (AGENT, "bob", {"style": "project"}, "project", f"{PROJECT}/openai/v1/responses"),
        (APPLICATION, "any", {}, "application", PUBLISHED),
        (PROJECT, "shop", {"style": "application"}, "application", PUBLISHED),
        ("http://127.0.0.1:8088", "bob", {}, "container", "http://127.0.0.1:8088/responses"),
        ("http://127.0.0.1:8088/responses", "bob", {"style": "container"}, "container",
         "http://127.0.0.1:8088/responses"),
        ("https://gw.test/agents/one", "bob", {"style": "container"}, "container",
         "https://gw.test/agents/one/responses"),
    ],
)  # fmt: skip
def test_addresses(base: str, agent: str, options: Any, style: str, url: str) -> None:
    target = resolve_target(base, agent, **options)
    assert (target.style, target.url()) == (style, url)
    assert bool(target.reference) == (style == "project")
    assert ("Foundry-Features" in target.headers) == (style == "agent")


def test_where_the_definition_is() -> None:
    assert resolve_target(PROJECT, "bob:2").definition_url == (
        f"{PROJECT}/agents/bob/versions/2?api-version=v1"
    )
    assert resolve_target(AGENT, "bob").definition_url == f"{PROJECT}/agents/bob?api-version=v1"
    assert resolve_target(APPLICATION, "bob").definition_url is None
    assert resolve_target("http://c.test", "bob").definition_url is None


@pytest.mark.parametrize(
    ("base", "agent"), [(AGENT, "eve"), (AGENT, "bob:2"), (APPLICATION, "bob:2")]
)
def test_an_agents_endpoint_serves_that_agent(base: str, agent: str) -> None:
    with pytest.raises(ValueError, match=r"eve|version"):
        resolve_target(base, agent)


# -- history -----------------------------------------------------------------------------------


def make_call(messages: Any = (), params: Any = None, drop: bool = False, **options: Any) -> Call:
    return Call(
        agent="bob",
        endpoint=Endpoint(PROJECT),
        messages=messages,
        options=Options(**options),
        params=Params(**(params or {})),
        context=Context(model="agents/bob", provider="azure_ai", agent="bob"),
        clock=time.monotonic,
        started=time.monotonic(),
        timeout=5,
        random=lambda: 0.5,
        max_retries=2,
        drop_params=drop,
    )


def asked(*ids: str) -> dict[str, Any]:
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def told(call_id: str, content: Any = "x") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def say(words: str) -> dict[str, Any]:
    return {"role": "user", "content": words}


R1, R2 = (
    encode(CallKind.RESPONSE_CALL, "resp_1", "call_a"),
    encode(CallKind.RESPONSE_CALL, "resp_1", "call_b"),
)
C1 = encode(CallKind.CONVERSATION_CALL, "conv_1", "call_a")
T1 = encode(CallKind.RUN_CALL, "thread_1", "run_1", "call_a")
P1 = encode(CallKind.RESPONSE_APPROVAL, "resp_1", "mcpr_a")
ANSWER = {"role": "assistant", "content": "so"}


def kinds(plan: history.Plan) -> list[str]:
    return [i.get("role") or i["type"] for i in plan.items]


@pytest.mark.parametrize(
    ("messages", "options", "state", "items"),
    [
        ([say("a"), ANSWER, say("b")], {}, {}, ["user", "assistant", "user"]),
        ([say("a"), asked(R1), told(R1)], {}, {"previous_response_id": "resp_1"},
         ["function_call_output"]),
        ([say("a"), asked(R1), told(R1), ANSWER, say("b")], {},
         {"previous_response_id": "resp_1"}, ["function_call_output", "assistant", "user"]),
        ([say("a"), asked(R1), told(R1), ANSWER, say("b")], {"thread_id": "resp_2"},
         {"previous_response_id": "resp_2"}, ["user"]),
        ([say("a"), asked(R1), told(R1), ANSWER, say("b")], {"thread_id": "resp_1"},
         {"previous_response_id": "resp_1"}, ["function_call_output", "assistant", "user"]),
        ([say("a"), asked(C1), told(C1)], {}, {"conversation": "conv_1"}, ["function_call_output"]),
        ([say("a"), asked(C1), told(C1), ANSWER, say("b")], {}, {"conversation": "conv_1"},
         ["user"]),
        ([say("a"), asked(T1), told(T1), ANSWER, say("b")], {}, {},
         ["user", "function_call", "function_call_output", "assistant", "user"]),
        ([say("a"), asked("call_x"), told("call_x")], {}, {},
         ["user", "function_call", "function_call_output"]),
        ([told(R1)], {}, {"previous_response_id": "resp_1"}, ["function_call_output"]),
        ([told("call_x"), say("b")], {}, {}, ["assistant", "user"]),
        ([told("call_x")], {"previous_response_id": "resp_9"}, {"previous_response_id": "resp_9"},
         ["function_call_output"]),
        ([say("a"), asked(R1, R2), say("b")], {}, {"previous_response_id": "resp_1"},
         ["function_call_output", "function_call_output", "user"]),
        ([say("a"), asked("call_x"), say("b")], {}, {},
         ["user", "function_call", "function_call_output", "user"]),
        ([say("a"), ANSWER, say("b")], {"conversation_id": "conv_2"}, {"conversation": "conv_2"},
         ["user"]),
        ([say("a")], {"thread_id": "conv_2", "conversation_id": "conv_2"},
         {"conversation": "conv_2"}, ["user"]),
    ],
)  # fmt: skip
def test_what_a_history_continues(
    messages: Any, options: Any, state: Mapping[str, str], items: list[str]
) -> None:
    plan = history.plan(make_call(messages, **options), resolve_target(PROJECT, "bob"))
    assert (plan.body, kinds(plan)) == (state, items)
    outputs = [i for i in plan.items if i["type"] == "function_call_output"]
    assert all(not i["call_id"].startswith("az_") for i in outputs)


def test_unstored_and_published_know_no_state() -> None:
    messages = [say("a"), asked(R1), told(R1), ANSWER, say("b")]
    whole = ["user", "function_call", "function_call_output", "assistant", "user"]
    unstored = history.plan(make_call(messages, {"store": False}), resolve_target(PROJECT, "bob"))
    published = history.plan(make_call(messages), resolve_target(APPLICATION, "bob"))
    for plan in (unstored, published):
        assert (plan.body, kinds(plan)) == ({}, whole)
        assert plan.items[1]["call_id"] == plan.items[2]["call_id"] == "call_a"
    with pytest.raises(OptionError, match="no state"):
        history.plan(make_call(messages, thread_id="resp_1"), resolve_target(APPLICATION, "bob"))


def test_an_approval_in_the_history() -> None:
    approval = asked(P1)
    approval["tool_calls"][0]["function"] = {
        "name": "mcp_approval_request",
        "arguments": '{"server_label": "s", "name": "n", "arguments": "{}"}',
    }
    messages = [say("a"), approval, told(P1, "yes")]
    plan = history.plan(make_call(messages), resolve_target(PROJECT, "bob"))
    assert plan.items == [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_a", "approve": True}
    ]
    plan = history.plan(make_call(messages, {"store": False}), resolve_target(PROJECT, "bob"))
    assert plan.items[1] == {
        "type": "mcp_approval_request", "id": "mcpr_a", "server_label": "s", "name": "n",
        "arguments": "{}",
    }  # fmt: skip
    plan = history.plan(make_call([*messages[:2], say("no, wait")]), resolve_target(PROJECT, "bob"))
    assert plan.items[0]["approve"] is False


@pytest.mark.parametrize(
    ("messages", "options", "said"),
    [
        ([say("a"), asked(R1, R2), told(R1)], {}, "missing"),
        ([say("a"), asked(R1)], {}, "missing"),
        ([say("a"), asked(R1), told(R1), told(R1)], {}, "twice"),
        ([say("a"), asked(R1), told(R1)], {"thread_id": "resp_2"}, "belong to resp_1"),
        ([say("a"), asked(R1), say("b")], {"on_pending_tools": "error"}, r"f \(az_r"),
        ([say("a")], {"thread_id": "thread_1"}, "classic"),
        ([say("a")], {"conversation_id": "conv_1", "previous_response_id": "resp_1"}, "exclude"),
        ([say("a")], {"conversation_id": "conv_1", "thread_id": "conv_2"}, "give one"),
        ([{"role": "wizard", "content": "a"}], {}, "roles"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], {}, "input_audio"),
    ],
)
def test_histories_that_contradict_themselves(messages: Any, options: Any, said: str) -> None:
    with pytest.raises((HistoryError, OptionError, ValueError), match=said):
        history.plan(make_call(messages, **options), resolve_target(PROJECT, "bob"))


def test_system_messages() -> None:
    messages = [{"role": "system", "content": "s"}, say("a")]
    target = resolve_target("http://c.test", "bob")
    assert kinds(history.plan(make_call(messages), target)) == ["system", "user"]
    assert kinds(history.plan(make_call(messages, system_messages="ignore"), target)) == ["user"]
    replacing = make_call(messages, system_messages="replace", instructions="i")
    assert kinds(history.plan(replacing, target)) == ["user"]
    assert payloads.build_body(replacing, target, polling=False)["instructions"] == "i\n\ns"
    with pytest.raises(OptionError, match="instructions"):
        payloads.build_body(replacing, resolve_target(PROJECT, "bob"), polling=False)


@pytest.mark.parametrize(
    ("part", "built"),
    [
        ({"type": "text", "text": "t"}, {"type": "input_text", "text": "t"}),
        ({"type": "image_url", "image_url": "https://i.test/a.png"},
         {"type": "input_image", "image_url": "https://i.test/a.png", "detail": "auto"}),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ==", "detail": "low"}},
         {"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "low"}),
        ({"type": "image_file", "image_file": {"file_id": "f"}},
         {"type": "input_image", "file_id": "f", "detail": "auto"}),
        ({"type": "file", "file": {"file_id": "f"}}, {"type": "input_file", "file_id": "f"}),
        ({"type": "file", "file": {"file_data": "data:,a", "filename": "a.txt"}},
         {"type": "input_file", "file_data": "data:text/plain;base64,YQ==", "filename": "a.txt"}),
        ({"type": "file", "file": {"file_data": "YQ==", "format": "text/markdown"}},
         {"type": "input_file", "file_data": "data:text/markdown;base64,YQ==",
          "filename": "file.md"}),
        ({"type": "file", "file": {"file_id": "f", "filename": "a.png"}},
         {"type": "input_image", "file_id": "f", "detail": "auto"}),
        ({"type": "file", "file": {"file_data": "data:image/png;base64,QQ=="}},
         {"type": "input_image", "image_url": "data:image/png;base64,QQ==", "detail": "auto"}),
        ({"type": "input_file", "file_url": "https://f.test/a"},
         {"type": "input_file", "file_url": "https://f.test/a"}),
    ],
)  # fmt: skip
def test_parts(part: Any, built: Any) -> None:
    assert Inputs(make_call([])).content([{"type": "text", "text": "-"}, part])[1] == built


def test_results_with_pictures_stay_parts() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://i.test/a.png"}}
    plan = history.plan(
        make_call([say("a"), asked(R1), told(R1, [picture])]), resolve_target(PROJECT, "bob")
    )
    assert plan.items[0]["output"][0]["type"] == "input_image"


# -- refusals, headers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        ({"message": "Not allowed when agent is specified.", "param": "text"}, ["text"]),
        ({"message": "Invalid payload", "param": None, "details": [
            {"message": "Not allowed when agent is specified.", "param": "temperature"},
            {"message": "Not allowed when agent is specified.", "param": "reasoning.effort"}]},
         ["temperature", "reasoning"]),
        ({"message": "Not allowed", "param": "x"}, []),
    ],
)  # fmt: skip
def test_refused_fields_in_an_answer(error: Any, fields: list[str]) -> None:
    reply = Reply(400, {}, json.dumps({"error": error}).encode())
    assert refused.fields_in(reply) == fields


IDENTITY = {"user_api_key_hash": "h", "user_api_key_team_id": "t"}


@pytest.mark.parametrize(
    ("base", "option", "request_", "headers", "expected"),
    [
        (PROJECT, "off", None, {"x-ms-user-identity": "u"}, {"x-ms-user-identity": "u"}),
        (PROJECT, "off", {}, {"X-Ms-User-Identity": "u", "a": "b"}, {"a": "b"}),
        (PROJECT, "key", {}, {"x-ms-user-identity": "u"}, {"x-ms-user-identity": "h"}),
        ("http://c.test", "team", {}, {}, {"x-agent-user-id": "t"}),
        (PROJECT, "off", {"headers": {"X-Client-A": "1", "cookie": "c"}}, {}, {"X-Client-A": "1"}),
    ],
)
def test_identity_headers(
    base: str, option: Any, request_: Any, headers: Any, expected: dict[str, str]
) -> None:
    got = agent_headers(
        resolve_target(base, "bob"),
        Options(user_identity=option),
        headers,
        metadata=IDENTITY,
        request=request_,
    )
    assert got == expected


def test_an_identity_that_is_not_known_is_no_shared_one() -> None:
    with pytest.raises(ValueError, match="user_api_key_user_id"):
        agent_headers(
            resolve_target(PROJECT, "bob"),
            Options(user_identity="user"),
            {},
            metadata=IDENTITY,
            request={},
        )


# -- whole calls over a scripted transport -----------------------------------------------------


class Script:
    """Answers what the tests say, and keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response] = []
        transport = httpx.MockTransport(self._answer)
        monkeypatch.setattr(litellm, "client_session", httpx.Client(transport=transport))
        monkeypatch.setattr(litellm, "aclient_session", httpx.AsyncClient(transport=transport))
        sharing.replies.clear()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0)

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(monkeypatch)


def stream(*events: dict[str, Any]) -> httpx.Response:
    frames = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=frames)


def ask(way: Way, base: str = PROJECT, **more: Any) -> Any:
    arguments = {"model": "azure_ai/agents/bob", "api_key": "k", "messages": [say("hi")]}
    return way.ask(**{**arguments, "api_base": base, **more})


HELLO = [message("msg_1", text("Hello"))]


def test_a_published_application(way: Way, script: Script) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    script.answers = [stream(*events_of(HELLO))]
    assert ask(way, APPLICATION, tools=tools).text == "Hello"
    (request,) = script.requests
    assert str(request.url) == PUBLISHED
    assert request.headers["authorization"] == "Bearer k"
    assert script.body().keys() == {"input", "stream"}


def test_a_hosted_agents_tools_are_its_codes_business(way: Way, script: Script) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    agent = {"name": "bob", "versions": {"latest": {"definition": {"kind": "hosted"}}}}
    script.answers = [httpx.Response(200, json=agent), stream(*events_of(HELLO))]
    assert ask(way, AGENT, tools=tools).text == "Hello"
    assert script.body()["tools"] == [{"type": "function", "name": "f", "parameters": {}}]


@pytest.mark.parametrize(
    ("base", "style"), [(PROJECT, "project"), (AGENT, "agent"), ("http://c.test", "container")]
)
def test_where_an_agent_was_looked_for_in_vain(
    way: Way, script: Script, base: str, style: str
) -> None:
    error = {"error": {"code": "not_found", "message": "Agent with id 'bob' not found."}}
    script.answers = [httpx.Response(404, json=error)]
    with pytest.raises(litellm.NotFoundError, match=f"Agent with id 'bob'.*{style}.*{base}"):
        ask(way, base)


def test_failed_inside_a_200_without_a_stream(way: Way, script: Script) -> None:
    failed = final([], status="failed", error={"code": "rate_limit_exceeded", "message": "m"})
    script.answers = [httpx.Response(200, json=failed)]
    with pytest.raises(litellm.RateLimitError):
        ask(way)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_prompt", litellm.BadRequestError),
        ("image_too_large", litellm.BadRequestError),
        ("content_filter", litellm.ContentPolicyViolationError),
        ("never_heard_of", litellm.InternalServerError),
    ],
)
def test_failures_by_code(script: Script, code: str, kind: Any) -> None:
    failed = final([], status="failed", error={"code": code, "message": "m"})
    script.answers = [stream({"type": "response.failed", "response": failed})]
    with pytest.raises(kind):
        ask(Way("async"))


def test_a_whole_answer_instead_of_a_stream(way: Way, script: Script) -> None:
    script.answers = [httpx.Response(200, json=final(HELLO))]
    result = ask(way)
    assert (result.text, result.usage) == ("Hello", (3, 4, 7))


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o-mini-2024-07-18", "azure/gpt-4o-mini-2024-07-18"),
        ("DeepSeek-V3-0324", "azure_ai/deepseek-v3-0324"),
        ("Llama-3.3-70B-Instruct", "azure_ai/Llama-3.3-70B-Instruct"),
        ("mine", None),
    ],
)
def test_the_price_is_that_of_the_model_that_ran(
    way: Way,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    price: str | None,
) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", False)
    events = events_of(HELLO)
    events[-1]["response"]["model"] = model
    script.answers = [stream(*events)]
    cost = ask(way).cost
    if price is None:
        assert cost is None
    else:
        prices = litellm.model_cost[price]
        expected = 3 * prices["input_cost_per_token"] + 4 * prices["output_cost_per_token"]
        assert cost == pytest.approx(expected)
    assert capsys.readouterr().out == ""


def test_a_lost_response_that_nobody_kept(way: Way, script: Script) -> None:
    script.answers = [
        stream(*events_of(HELLO)[:2]),
        httpx.Response(404, json={"error": {"code": "not_found", "message": "gone"}}),
    ]
    with pytest.raises(litellm.APIConnectionError, match="ended before its end"):
        ask(way)


def test_locked_until_the_timeout(script: Script) -> None:
    locked = {"error": {"code": "conversation_locked", "message": "busy"}}
    script.answers = [httpx.Response(400, json=locked) for _ in range(50)]
    began = time.monotonic()
    with pytest.raises(litellm.BadRequestError, match="conversation_locked"):
        ask(Way("sync"), thread_id="conv_1", timeout=0.4)
    assert time.monotonic() - began < 1
    assert len(script.requests) > 1


def test_an_ephemeral_thread_is_removed_after_the_answer(way: Way, script: Script) -> None:
    script.answers = [stream(*events_of(HELLO)), httpx.Response(200, json={})]
    ask(way, ephemeral_thread=True)
    assert script.requests[-1].method == "DELETE"
    assert script.requests[-1].url.path.endswith("/conversations/conv_1")


def test_approvals_in_one_stream(way: Way, script: Script) -> None:
    request = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "n",
               "arguments": "{}"}  # fmt: skip
    script.answers = [stream(*events_of([request])), stream(*events_of(HELLO))]
    result = ask(way, approvals="approve")
    assert (result.text, result.usage, result.finish_reason) == ("Hello", (6, 8, 14), "stop")
    assert script.body()["conversation"] == "conv_1"
    assert script.body()["input"] == [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    ]


def test_approvals_where_nothing_is_kept(way: Way, script: Script) -> None:
    request = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "n",
               "arguments": "{}"}  # fmt: skip
    alone = [{**e, "response": {**e["response"], "conversation": None}} if "response" in e else e
             for e in events_of([request])]  # fmt: skip
    script.answers = [stream(*alone), stream(*events_of(HELLO))]
    assert ask(way, APPLICATION, approvals="deny").text == "Hello"
    assert script.body().keys() == {"input", "stream"}
    assert script.body()["input"] == [
        *script.body(0)["input"],
        request,
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False},
    ]


def test_a_lost_response_that_was_not_to_be_kept(way: Way, script: Script) -> None:
    script.answers = [stream(*events_of(HELLO)[:2])]
    with pytest.raises(litellm.APIConnectionError, match="not stored"):
        ask(way, store=False, extra_body={"store": False})  # before 1.99 LiteLLM loses the first
    assert len(script.requests) == 1
