"""Whole calls of a new agent over a scripted transport."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import litellm
import pytest

from tests.support.new_agent import AGENT, APPLICATION, PROJECT, PUBLISHED, say
from tests.support.response_streams import events_of, final, message, text
from tests.support.ways import Way


class Script:
    """Answers what the tests say, and keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response] = []
        transport = httpx.MockTransport(self._answer)
        monkeypatch.setattr(litellm, "client_session", httpx.Client(transport=transport))
        monkeypatch.setattr(litellm, "aclient_session", httpx.AsyncClient(transport=transport))

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
        stream(*events_of(HELLO)),
    ]
    assert ask(way).text == "Hello"  # nothing was given out: it is made again


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
