"""What is sent again, and what is asked for instead."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import litellm
import pytest
import respx

from litellm_azure_agents.continuity.call_ids import CallKind, encode
from tests.support.classic_agent import BASE, HELLO, NEW, RUNS, ask, refusal, streamed, waits_for
from tests.support.stream_service import ThreadService
from tests.support.thread_streams import RUN, THREAD, run
from tests.support.ways import Way


def test_429_and_503_are_retried_with_retry_after_obeyed(service: respx.Router, way: Way) -> None:
    route = service.post(NEW).mock(
        side_effect=[
            httpx.Response(**refusal(429) | {"headers": {"retry-after-ms": "120"}}),
            httpx.Response(**refusal(503) | {"headers": {"retry-after-ms": "80"}}),
            streamed(),
        ]
    )
    started = time.monotonic()
    assert ask(way).text == "Hello, world."
    assert time.monotonic() - started >= 0.2
    assert route.call_count == 3


def test_a_wait_beyond_the_timeout_is_not_waited(service: respx.Router, way: Way) -> None:
    answer = httpx.Response(**refusal(429) | {"headers": {"retry-after": "30"}})
    route = service.post(NEW).mock(return_value=answer)
    with pytest.raises(litellm.RateLimitError) as caught:
        ask(way, timeout=5)
    assert route.call_count == 1
    assert caught.value.response.headers["retry-after"] == "30"


def test_max_retries_is_the_callers(service: respx.Router) -> None:
    route = service.post(NEW).mock(
        return_value=httpx.Response(**refusal(429) | {"headers": {"retry-after-ms": "1"}})
    )
    for retries, attempts in ((0, 1), (3, 4)):
        route.calls.clear()
        with pytest.raises(litellm.RateLimitError):
            ask(max_retries=retries)
        assert route.call_count == attempts


def test_what_may_have_happened_is_not_sent_twice(service: respx.Router, way: Way) -> None:
    """What became of the request can't be found out: the list of threads is refused."""
    route = service.post(NEW).mock(side_effect=httpx.ReadError("gone"))
    service.get(f"{BASE}/threads").mock(return_value=httpx.Response(**refusal(403)))
    with pytest.raises(litellm.APIConnectionError, match="not sent twice"):
        ask(way)
    assert route.call_count == 1
    route.mock(return_value=httpx.Response(**refusal(500)))
    with pytest.raises(litellm.InternalServerError):
        ask(way)
    assert route.call_count == 2


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("lost", ["thread", "message"])
def test_a_long_history_arrives_once(
    service: respx.Router, way: Way, lost: str, arrives: bool
) -> None:
    """The reply to one of its requests is lost; the request is sent again if it did not arrive."""
    threads: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    losses = [lost]

    def take(kind: str, request: httpx.Request, into: list[dict[str, Any]], id: str) -> Any:
        made = {**json.loads(request.content), "id": id}
        if losses == [kind]:
            losses.clear()
            if arrives:
                into.append(made)
            raise httpx.ReadError("gone")
        into.append(made)
        return httpx.Response(200, json=made)

    def listed(items: list[dict[str, Any]]) -> httpx.Response:
        return httpx.Response(200, json={"data": items[::-1], "has_more": False})

    service.get(f"{BASE}/threads").mock(side_effect=lambda _: listed(threads))
    service.post(f"{BASE}/threads").mock(
        side_effect=lambda request: take("thread", request, threads, THREAD)
    )
    url = f"{BASE}/threads/{THREAD}/messages"
    service.get(url).mock(side_effect=lambda _: listed(messages))
    service.post(url).mock(side_effect=lambda request: take("message", request, messages, "msg_1"))
    service.post(RUNS).mock(return_value=streamed())
    turns = [{"role": "user", "content": f"turn {number}"} for number in range(70)]
    assert ask(way, messages=turns).text == "Hello, world."
    assert len(threads) == 1
    assert [message["content"] for message in messages] == [f"turn {n}" for n in range(32, 38)]


def test_what_was_never_sent_is(service: respx.Router, way: Way) -> None:
    route = service.post(NEW).mock(side_effect=[httpx.ConnectError("refused"), streamed()])
    assert ask(way).text == "Hello, world."
    assert route.call_count == 2


def test_a_lost_answer_is_asked_for(service: respx.Router, way: Way) -> None:
    """The run was made although its answer was lost: it is found by the call's id."""
    played = ThreadService("plain")
    sent: list[dict[str, Any]] = []

    def lose(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        raise httpx.ReadError("gone")

    def runs(request: httpx.Request) -> httpx.Response:
        mine = {**played.run(), "metadata": sent[0]["metadata"]}
        other = {**played.run(), "id": "run_other", "metadata": {}}
        return httpx.Response(200, json={"data": [other, mine], "has_more": False})

    create = service.post(RUNS).mock(side_effect=lose)
    service.get(RUNS).mock(side_effect=runs)
    service.get(f"{RUNS}/{RUN}").mock(return_value=httpx.Response(200, json=played.run()))
    service.get(f"{BASE}/threads/{THREAD}/messages").mock(
        return_value=httpx.Response(200, json={"data": played.messages(), "has_more": False})
    )
    result = ask(way, thread_id=THREAD)
    assert result.text == "Hello, world."
    assert result.ids["run_id"] == RUN
    assert create.call_count == 1


@pytest.mark.parametrize("arrived", [True, False])
def test_lost_tool_results_are_never_given_twice(
    service: respx.Router, way: Way, arrived: bool
) -> None:
    """Whether they arrived is asked; only what a run still waits for is sent again."""
    played = ThreadService("plain")
    url = f"{RUNS}/{RUN}/submit_tool_outputs"
    answers = [httpx.ReadError("gone"), streamed()]
    submit = service.post(url).mock(side_effect=answers)
    waiting = run("requires_action", required_action=waits_for("f"))
    state = played.run() if arrived else waiting
    service.get(f"{RUNS}/{RUN}").mock(return_value=httpx.Response(200, json=state))
    service.get(f"{BASE}/threads/{THREAD}/messages").mock(
        return_value=httpx.Response(200, json={"data": played.messages(), "has_more": False})
    )
    service.get(f"{RUNS}/{RUN}/steps").mock(
        return_value=httpx.Response(200, json={"data": [], "has_more": False})
    )
    history = [
        *HELLO,
        {
            "role": "tool",
            "tool_call_id": encode(CallKind.RUN_CALL, THREAD, RUN, "call_1"),
            "content": "3",
        },
    ]
    assert ask(way, messages=history).text == "Hello, world."
    assert submit.call_count == (1 if arrived else 2)


def test_a_submit_that_never_gets_through_leaves_the_run(service: respx.Router) -> None:
    submit = service.post(f"{RUNS}/{RUN}/submit_tool_outputs").mock(
        side_effect=httpx.ReadError("gone")
    )
    waiting = run("requires_action", required_action=waits_for("f"))
    service.get(f"{RUNS}/{RUN}").mock(return_value=httpx.Response(200, json=waiting))
    id = encode(CallKind.RUN_CALL, THREAD, RUN, "call_1")
    with pytest.raises(litellm.APIConnectionError):
        ask(messages=[{"role": "tool", "tool_call_id": id, "content": "3"}], max_retries=1)
    assert submit.call_count == 2
    assert not any(call.request.url.path.endswith("/cancel") for call in service.calls)


def test_a_refused_token_is_asked_for_anew_once(service: respx.Router, way: Way) -> None:
    tokens = iter(["stale", "fresh"])
    route = service.post(NEW).mock(
        side_effect=lambda request: (
            streamed()
            if request.headers["authorization"] == "Bearer fresh"
            else httpx.Response(**refusal(401))
        )
    )
    result = ask(
        way, api_key=None, azure_ad_token_provider=lambda: next(tokens, "fresh"), api_version="v1"
    )
    assert result.text == "Hello, world."
    assert route.call_count == 2


def test_a_failing_credential_says_its_source(way: Way) -> None:
    class Broken:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            raise RuntimeError("the vault is closed")

    with pytest.raises(litellm.AuthenticationError, match=r"Broken.*the vault is closed"):
        ask(way, api_key=None, credential=Broken())
