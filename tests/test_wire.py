"""Single exchanges: what is sent, tried again, asked for, and how refusals reach the caller."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import litellm
import pytest
import respx

from litellm_azure_agents.continuity.call_ids import CallKind, encode
from tests.record import RUN, THREAD, run
from tests.replay import Replay
from tests.ways import WAYS, Way

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
NEW = f"{BASE}/threads/runs"
RUNS = f"{BASE}/threads/{THREAD}/runs"
SECRET = "sk-very-secret-0123456789"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def service() -> Any:
    with respx.mock(assert_all_called=False) as router:
        yield router


def ask(way: Way | str = "sync", **arguments: Any) -> Any:
    way = Way(way) if isinstance(way, str) else way
    given = {"model": "azure_ai/agents/asst_rec", "messages": HELLO, "api_base": BASE,
             "api_key": SECRET, **arguments}  # fmt: skip
    return way.ask(**given)


def streamed(name: str = "plain", *, cut: int | None = None) -> httpx.Response:
    replay = Replay(name)
    body = replay.body if cut is None else replay.body[:cut]
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)


def refusal(status: int, message: str = "No.", **error: Any) -> dict[str, Any]:
    body = {"error": {"message": message, "type": None, "param": None, "code": None, **error}}
    return {"status_code": status, "json": body, "headers": {"x-request-id": "req-42"}}


# -- what is sent --------------------------------------------------------------------------------


def test_parameters_reach_the_run(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    ask(
        messages=[{"role": "user", "content": "Hi"}],
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=300,
        response_format={"type": "json_object"},
        parallel_tool_calls=False,
        tool_choice="none",
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        max_prompt_tokens=1000,
        instructions="Only this.",
        tool_resources={"file_search": {"vector_store_ids": ["vs_1"]}},
        run_metadata={"a": "b"},
        thread_metadata={"c": "d"},
        api_version="2025-05-01",
    )
    request = route.calls.last.request
    body = json.loads(request.content)
    assert body.pop("metadata").items() >= {"a": "b"}.items()
    assert body == {
        "assistant_id": "asst_rec",
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 300,
        "max_prompt_tokens": 1000,
        "response_format": {"type": "json_object"},
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "truncation_strategy": {"type": "last_messages", "last_messages": 3},
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
        "instructions": "Only this.",
        "thread": {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"c": "d"}},
    }
    assert request.url.params["api-version"] == "2025-05-01"
    assert request.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("version", ["v1", "2025-05-01", "2025-05-15-preview"])
@pytest.mark.parametrize("way_name", WAYS)
def test_api_versions(service: respx.Router, way_name: str, version: str) -> None:
    route = service.post(NEW, params={"api-version": version}).mock(return_value=streamed())
    assert ask(way_name, api_version=version).text == "Hello, world."
    assert route.call_count == 1


def test_the_environment_gives_endpoint_and_key(
    service: respx.Router, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    monkeypatch.setenv("AZURE_AI_PROJECT_ENDPOINT", BASE + "/")
    monkeypatch.setenv("AZURE_AI_API_KEY", "from-environment")
    route = service.post(NEW).mock(return_value=streamed())
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        assert ask(way, model=model, api_base=None, api_key=None).text == "Hello, world."
    tokens = {call.request.headers["authorization"] for call in route.calls}
    assert tokens == {"Bearer from-environment"}


AGENT = {"id": "asst_rec", "instructions": "Own.", "model": "gpt-4o-mini",
         "tools": [{"type": "code_interpreter"},
                   {"type": "function", "function": {"name": "f", "parameters": {}}}]}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "instructions"),
    [
        ({}, "Own.\n\nBe brief.\n\nBe kind."),
        ({"additional_instructions": "And more."}, "Own.\n\nAnd more.\n\nBe brief.\n\nBe kind."),
        ({"instructions": "Mine."}, "Mine.\n\nBe brief.\n\nBe kind."),
        ({"system_messages": "replace"}, "Be brief.\n\nBe kind."),
        ({"system_messages": "ignore"}, None),
    ],
)
def test_system_messages_on_a_new_thread(
    service: respx.Router, options: dict[str, Any], instructions: str | None
) -> None:
    service.get(f"{BASE}/assistants/asst_rec").mock(return_value=httpx.Response(200, json=AGENT))
    route = service.post(NEW).mock(return_value=streamed())
    messages = [
        {"role": "system", "content": "Be brief."},
        *HELLO,
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
    ]
    ask(messages=messages, agent_cache_ttl=0, **options)
    body = json.loads(route.calls.last.request.content)
    assert body.get("instructions") == instructions
    assert body["thread"] == {"messages": [{"role": "user", "content": "Hello"}]}


def test_system_messages_on_a_known_thread_are_one_request(service: respx.Router) -> None:
    route = service.post(RUNS).mock(return_value=streamed())
    ask(messages=[{"role": "system", "content": "Be brief."}, *HELLO], thread_id=THREAD)
    body = json.loads(route.calls.last.request.content)
    assert body["additional_instructions"] == "Be brief."
    assert "instructions" not in body
    assert len(service.calls) == 1


def test_tools_are_merged_with_the_agents_own(service: respx.Router) -> None:
    service.get(f"{BASE}/assistants/asst_rec").mock(return_value=httpx.Response(200, json=AGENT))
    route = service.post(NEW).mock(return_value=streamed())
    mine = {"type": "function", "function": {"name": "f", "description": "mine", "parameters": {}}}
    for mode, expected in (
        ("merge", [{"type": "code_interpreter"}, mine]),
        ("replace", [mine]),
        ("agent_only", None),
    ):
        ask(tools=[mine], agent_tools=mode, agent_cache_ttl=0)
        assert json.loads(route.calls.last.request.content).get("tools") == expected
    many = [{"type": "function", "function": {"name": f"f{n}"}} for n in range(128)]
    with pytest.raises(litellm.BadRequestError, match="130 tools"):
        ask(tools=many, agent_cache_ttl=0)


def test_the_agents_definition_is_read_once_a_minute(service: respx.Router) -> None:
    agent = service.get(f"{BASE}/assistants/asst_cached")
    agent.mock(return_value=httpx.Response(200, json=AGENT))
    service.post(NEW).mock(return_value=streamed())
    for way in WAYS:
        messages = [{"role": "system", "content": "Brief."}, *HELLO]
        ask(way, model="azure_ai/agents/asst_cached", messages=messages)
    assert agent.call_count == 1


def test_history_becomes_the_thread_in_order_and_within_limits(service: respx.Router) -> None:
    turns = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": f"turn {n}"} for n in range(121)
    ]
    create = service.post(f"{BASE}/threads").mock(
        return_value=httpx.Response(200, json={"id": THREAD})
    )
    add = service.post(f"{BASE}/threads/{THREAD}/messages").mock(
        return_value=httpx.Response(200, json={"id": "msg_x"})
    )
    start = service.post(RUNS).mock(return_value=streamed())
    ask(messages=turns)
    first = json.loads(create.calls.last.request.content)["messages"]
    middle = [json.loads(call.request.content) for call in add.calls]
    last = json.loads(start.calls.last.request.content)["additional_messages"]
    assert [*first, *middle, *last] == turns
    assert len(first) <= 32
    assert len(last) <= 32


def test_a_known_thread_gets_only_what_is_new(service: respx.Router) -> None:
    route = service.post(RUNS).mock(return_value=streamed())
    history = [*HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "New"}]
    ask(messages=history, thread_id=THREAD)
    body = json.loads(route.calls.last.request.content)
    assert body["additional_messages"] == [{"role": "user", "content": "New"}]


def test_old_tool_rounds_of_other_models_stay_readable(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    call = {"id": "toolu_1", "type": "function", "function": {"name": "add", "arguments": "[1]"}}
    ask(
        messages=[
            *HELLO,
            {"role": "assistant", "content": "Adding.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "3"},
            {"role": "assistant", "content": "It is 3."},
            {"role": "user", "content": "Sure?"},
        ]
    )
    thread = json.loads(route.calls.last.request.content)["thread"]["messages"]
    assert thread[1] == {
        "role": "assistant",
        "content": "Adding.\n[called add([1])]\n[add returned: 3]",
    }
    assert [m["role"] for m in thread] == ["user", "assistant", "assistant", "user"]


def test_old_turns_of_other_models_are_taken_as_they_come(service: respx.Router) -> None:
    """Thoughts, refusals and empty turns must not block a whole history."""
    route = service.post(NEW).mock(return_value=streamed())
    thought = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi."}]
    ask(
        messages=[
            {"role": "user", "content": ""},
            {"role": "assistant", "content": thought},
            *HELLO,
            {"role": "assistant", "content": None, "refusal": "I won't."},
            *HELLO,
        ],
        timeout=float("inf"),
    )
    thread = json.loads(route.calls.last.request.content)["thread"]["messages"]
    assert [m["content"] for m in thread] == ["Hi.", "Hello", "I won't.", "Hello"]


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["../x", "a/b", "x?y", "a b", "a\nb", ""])
def test_bad_ids_are_refused_before_any_request(service: respx.Router, bad: str, way: Way) -> None:
    with pytest.raises(litellm.BadRequestError):
        ask(way, model=f"azure_ai/agents/{bad}")
    if bad:
        with pytest.raises(litellm.BadRequestError, match="thread_id"):
            ask(way, thread_id=bad)
    assert not service.calls


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"run_mode": "fast"}, "'run_mode'.*'stream' or 'poll'"),
        ({"citations": "no"}, "'keep', 'strip' or 'footnotes'"),
        ({"thread_ID": "x"}, "Did you mean 'thread_id'"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"run_metadata": {str(n): "x" for n in range(17)}}, "run_metadata"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        ({"api_base": "nonsense"}, "endpoint"),
        ({"n": 2}, "'n'"),
        ({"seed": 1}, "'seed'"),
        ({"stop": ["x"]}, "'stop'"),
        ({"conversation_id": "conv_1"}, "'conversation_id' is for new agents: use thread_id"),
        ({"background": True}, "'background' is for new agents"),
    ],
)
def test_bad_arguments_are_named(
    service: respx.Router, arguments: dict[str, Any], says: str
) -> None:
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        with pytest.raises(litellm.BadRequestError, match=says):
            ask(**{"model": model, **arguments})
    assert not service.calls


def test_parameters_that_agents_lack_have_litellms_class(service: respx.Router) -> None:
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        with pytest.raises(litellm.UnsupportedParamsError, match="no stop sequences") as caught:
            ask(model=model, stop=["x"])
        assert "allowed_openai_params" not in str(caught.value), "which wouldn't help"


def test_what_only_new_agents_take_is_no_secret(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    with pytest.raises(litellm.BadRequestError, match="'reasoning_effort' is for new agents"):
        ask(reasoning_effort="low")
    assert not route.calls
    ask(reasoning_effort="low", truncation="auto", drop_params=True)
    assert not json.loads(route.calls.last.request.content).keys() & {
        "reasoning_effort",
        "truncation",
    }


def test_values_that_ask_for_nothing_are_nothing(service: respx.Router) -> None:
    """Chat clients send the whole of their settings, and most of them say nothing."""
    route = service.post(NEW).mock(return_value=streamed())
    settings = {
        "n": 1, "stop": [], "logprobs": False, "top_logprobs": 0, "logit_bias": {},
        "presence_penalty": 0, "frequency_penalty": 0.0, "modalities": ["text"],
    }  # fmt: skip
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        ask(model=model, **settings)
        assert not json.loads(route.calls.last.request.content).keys() & settings.keys()


def test_drop_params_drops_what_agents_lack(service: respx.Router) -> None:
    route = service.post(NEW).mock(return_value=streamed())
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        ask(model=model, seed=1, stop=["x"], n=2, logprobs=True, chat_id="ui-7", drop_params=True)
        body = json.loads(route.calls.last.request.content)
        assert not body.keys() & {"seed", "stop", "n", "logprobs", "chat_id"}


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (302, {}, litellm.exceptions.BadGatewayError),
        (400, {}, litellm.BadRequestError),
        (400, {"code": "context_length_exceeded"}, litellm.ContextWindowExceededError),
        (400, {"code": "content_filter"}, litellm.ContentPolicyViolationError),
        (401, {}, litellm.AuthenticationError),
        (403, {}, litellm.exceptions.PermissionDeniedError),
        (404, {}, litellm.NotFoundError),
        (408, {}, litellm.Timeout),
        (409, {}, litellm.APIError),
        (422, {}, litellm.UnprocessableEntityError),
        (429, {}, litellm.RateLimitError),
        (500, {}, litellm.InternalServerError),
        (502, {}, litellm.exceptions.BadGatewayError),
        (503, {}, litellm.ServiceUnavailableError),
    ],
)
def test_refusals_have_their_class(
    service: respx.Router, status: int, error: dict[str, Any], expected: type[Exception], way: Way
) -> None:
    service.post(NEW).mock(return_value=httpx.Response(**refusal(status, f"No: {SECRET}", **error)))
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        with pytest.raises(expected) as caught:
            ask(way, model=model, max_retries=0)
        assert type(caught.value) is expected
        text = str(caught.value)
        assert "asst_rec" in text
        assert "req-42" in text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    "content",
    [b"<html><body><h1>502 Bad Gateway</h1></body></html>", b"", b"[]", b'{"statusCode": 429}',
     b'{"error": "plain words"}', b"\xff\xfe", b'{"error": {"code": "X", "message": null}}'],
)  # fmt: skip
def test_any_body_makes_a_clear_error(service: respx.Router, content: bytes) -> None:
    service.post(NEW).mock(return_value=httpx.Response(502, content=content))
    with pytest.raises(litellm.exceptions.BadGatewayError, match="status 502"):
        ask()


@pytest.mark.parametrize("content", [b"<html>Please sign in</html>", b"", b"[]", b'"x"', b"{}"])
def test_an_answer_that_is_no_run_says_so(service: respx.Router, content: bytes, way: Way) -> None:
    """A portal's address in api_base, a gateway's page: status 200, but no Foundry project."""
    answer = httpx.Response(200, headers={"content-type": "text/html"}, content=content)
    service.post(NEW).mock(return_value=answer)
    with pytest.raises(litellm.InternalServerError, match=r"api_base.*asst_rec"):
        ask(way)


def test_no_token_in_an_error(service: respx.Router) -> None:
    for echo in (f"Bearer {SECRET}", f"api_key={SECRET}", "eyJhbGciOi.eyJzdWIiOiIx.c2ln"):
        service.post(NEW).mock(return_value=httpx.Response(**refusal(400, f"Rejected {echo}.")))
        with pytest.raises(litellm.BadRequestError) as caught:
            ask()
        assert SECRET not in str(caught.value)
        assert "eyJhbGciOi" not in str(caught.value)


# -- trying again --------------------------------------------------------------------------------


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
    route = service.post(NEW).mock(side_effect=httpx.ReadError("gone"))
    with pytest.raises(litellm.APIConnectionError, match="not sent twice"):
        ask(way)
    assert route.call_count == 1
    route.mock(return_value=httpx.Response(**refusal(500)))
    with pytest.raises(litellm.InternalServerError):
        ask(way)
    assert route.call_count == 2


@pytest.mark.parametrize("lost", ["threads", f"threads/{THREAD}/messages"])
def test_a_long_history_that_is_lost_on_its_way(service: respx.Router, way: Way, lost: str) -> None:
    created = httpx.Response(200, json={"id": THREAD})
    service.post(f"{BASE}/threads").mock(return_value=created)
    route = service.post(f"{BASE}/{lost}").mock(side_effect=httpx.ReadError("gone"))
    with pytest.raises(litellm.APIConnectionError, match="not sent twice"):
        ask(way, messages=HELLO * 70)
    assert route.call_count == 1


def test_what_was_never_sent_is(service: respx.Router, way: Way) -> None:
    route = service.post(NEW).mock(side_effect=[httpx.ConnectError("refused"), streamed()])
    assert ask(way).text == "Hello, world."
    assert route.call_count == 2


def test_a_lost_answer_is_asked_for(service: respx.Router, way: Way) -> None:
    """The run was made although its answer was lost: it is found by the call's id."""
    replay = Replay("plain")
    sent: list[dict[str, Any]] = []

    def lose(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        raise httpx.ReadError("gone")

    def runs(request: httpx.Request) -> httpx.Response:
        mine = {**replay.run(), "metadata": sent[0]["metadata"]}
        other = {**replay.run(), "id": "run_other", "metadata": {}}
        return httpx.Response(200, json={"data": [other, mine], "has_more": False})

    create = service.post(RUNS).mock(side_effect=lose)
    service.get(RUNS).mock(side_effect=runs)
    service.get(f"{RUNS}/{RUN}").mock(return_value=httpx.Response(200, json=replay.run()))
    service.get(f"{BASE}/threads/{THREAD}/messages").mock(
        return_value=httpx.Response(200, json={"data": replay.messages(), "has_more": False})
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
    replay = Replay("plain")
    url = f"{RUNS}/{RUN}/submit_tool_outputs"
    answers = [httpx.ReadError("gone"), streamed()]
    submit = service.post(url).mock(side_effect=answers)
    waiting = run("requires_action", required_action=waits_for("f"))
    state = replay.run() if arrived else waiting
    service.get(f"{RUNS}/{RUN}").mock(return_value=httpx.Response(200, json=state))
    service.get(f"{BASE}/threads/{THREAD}/messages").mock(
        return_value=httpx.Response(200, json={"data": replay.messages(), "has_more": False})
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


# -- a busy thread -------------------------------------------------------------------------------

BUSY = refusal(400, f"Thread {THREAD} already has an active run run_held.")
NAMELESS = refusal(400, f"Can't add messages to {THREAD} while a run is active.")


def waits_for(name: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}


@pytest.mark.parametrize("answer", [BUSY, NAMELESS])
@pytest.mark.parametrize(
    ("states", "options", "cancels"),
    [
        (["in_progress", "completed"], {}, 0),
        (["in_progress", "cancelled"], {"on_active_run": "cancel"}, 1),
        (["requires_action", "cancelled"], {}, 1),
        (["cancelling", "cancelled"], {}, 0),
    ],
)
def test_a_thread_that_is_held(
    service: respx.Router, answer: Any, states: list[str], options: Any, cancels: int
) -> None:
    held = {"id": "run_held", "thread_id": THREAD, "required_action": None}
    waits = waits_for("f")
    look = [
        httpx.Response(
            200, json={**held, "status": s, "required_action": waits if "act" in s else None}
        )
        for s in states
    ]
    service.get(f"{RUNS}/run_held").mock(side_effect=look)
    service.get(RUNS).mock(
        return_value=httpx.Response(200, json={"data": [{**held, "status": states[0]}]})
    )
    cancel = service.post(f"{RUNS}/run_held/cancel").mock(
        return_value=httpx.Response(200, json={**held, "status": "cancelling"})
    )
    create = service.post(RUNS).mock(side_effect=[httpx.Response(**answer), streamed()])
    assert ask(thread_id=THREAD, **options).text == "Hello, world."
    assert create.call_count == 2
    assert cancel.call_count == cancels


def test_policies_that_say_error(service: respx.Router) -> None:
    service.post(RUNS).mock(return_value=httpx.Response(**BUSY))
    route = service.get(f"{RUNS}/run_held")
    route.mock(return_value=httpx.Response(200, json={**run("in_progress"), "id": "run_held"}))
    with pytest.raises(litellm.BadRequestError, match=r"run_held.*still in_progress"):
        ask(thread_id=THREAD, on_active_run="error")
    held = {**run("requires_action", required_action=waits_for("buy")), "id": "run_held"}
    route.mock(return_value=httpx.Response(200, json=held))
    with pytest.raises(litellm.BadRequestError, match=r"buy \(call_1\)"):
        ask(thread_id=THREAD, on_pending_tools="error")


# -- streams that end badly ----------------------------------------------------------------------


def test_a_stream_that_names_no_run_is_an_error(service: respx.Router, way: Way) -> None:
    service.post(NEW).mock(return_value=streamed(cut=0))
    with pytest.raises(litellm.InternalServerError, match="before it named its run"):
        ask(way)


@pytest.mark.parametrize(
    "payload",
    ['{"error": {"code": "rate_limit_exceeded", "message": "Try again in 3 seconds."}}',
     '{"code": "rate_limit_exceeded", "message": "slow down"}'],
)  # fmt: skip
def test_an_error_event_has_the_class_it_would_have_had(
    service: respx.Router, payload: str, way: Way
) -> None:
    opening = Replay("plain").body.split(b"event: thread.run.step.created")[0]
    body = opening + f"event: error\ndata: {payload}\n\n".encode()
    service.post(NEW).mock(
        return_value=httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=body
        )
    )
    cancel = service.post(f"{RUNS}/{RUN}/cancel").mock(return_value=httpx.Response(200, json={}))
    with pytest.raises(litellm.RateLimitError):
        ask(way)
    assert cancel.call_count == 1, "whatever the run still does, nobody waits for it"
