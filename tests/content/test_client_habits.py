"""What clients send beside what they mean, in both protocols."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import litellm
import pytest
import respx

from litellm_azure_agents.emulator import Emulator
from tests.support.either_protocol import PROTOCOLS, EitherService, serving, stream
from tests.support.new_agent import AGENT, PROJECT
from tests.support.playing import BASE
from tests.support.response_streams import events_of, message, text
from tests.support.thread_streams import call_delta, opening, run, tools_step
from tests.support.transport import over_httpx
from tests.support.ways import Way


@pytest.fixture(params=PROTOCOLS)
def service(request: pytest.FixtureRequest) -> Iterator[EitherService]:
    yield from serving(request.param)


# -- arguments ---------------------------------------------------------------------------------


def calling(protocol: str, arguments: str, *, deltas: bool) -> httpx.Response:
    """A call of ``now``; its arguments come as a delta too, or only as finished form."""
    if protocol == "responses":
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "now",
                "arguments": arguments, "status": "completed"}  # fmt: skip
        events = [e for e in events_of([item]) if deltas or not e["type"].endswith(".delta")]
        return stream((e["type"], e) for e in events)
    call = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": arguments}}
    waits = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
    told = [call_delta("step_1", 0, "", id="call_1", name="now"),
            call_delta("step_1", 0, arguments)] if deltas else []  # fmt: skip
    return stream(
        [*opening(), ("thread.run.step.created", tools_step("step_1", "in_progress")), *told,
         ("thread.run.requires_action", run("requires_action", required_action=waits)),
         ("done", "[DONE]")]
    )  # fmt: skip


@pytest.mark.parametrize("deltas", [True, False])
@pytest.mark.parametrize(("given", "told"), [("", "{}"), (" ", None), ('{"a": 1}', '{"a": 1}')])
def test_arguments_are_always_json(
    service: EitherService, way: Way, given: str, told: str | None, deltas: bool
) -> None:
    service.answers(calling(service.protocol, given, deltas=deltas))
    result = service.ask(way)
    assert result.finish_reason == "tool_calls"
    [(_, name, arguments)] = result.tool_calls
    assert name == "now"
    if told is not None:
        assert arguments == told
    assert isinstance(json.loads(arguments), dict)


# -- tools -------------------------------------------------------------------------------------

OWN = {"cache_control": {"type": "ephemeral"}, "index": 0, "id": None}
FUNCTION = {"name": "now", "description": None, "strict": None, **OWN}


@pytest.mark.parametrize(
    "tool",
    [{"type": "function", "function": FUNCTION, **OWN}, {"function": FUNCTION},
     {"type": "function", **FUNCTION}],
)  # fmt: skip
def test_the_clients_own_fields_of_tools_are_dropped(
    service: EitherService, way: Way, tool: dict[str, Any]
) -> None:
    service.base = BASE if service.protocol == "threads" else "http://container.test"
    if service.protocol == "responses":
        service.route = service.router.post("http://container.test/responses")
    service.answers(service.good())
    service.ask(way, tools=[tool, {"type": "code_interpreter", **OWN}], agent_tools="replace")
    none = {"type": "object", "properties": {}}
    function: dict[str, Any] = {"type": "function", "name": "now"}
    if service.protocol == "threads":
        function = {"type": "function", "function": {"name": "now", "parameters": none}}
    assert service.sent()["tools"] == [function, {"type": "code_interpreter"}]


@pytest.mark.parametrize("names", [("now",), ("now", "then")])
def test_a_required_call_of_one_function_is_a_call_of_that_one(
    service: EitherService, way: Way, names: tuple[str, ...]
) -> None:
    service.base = BASE if service.protocol == "threads" else "http://container.test"
    if service.protocol == "responses":
        service.route = service.router.post("http://container.test/responses")
    service.answers(service.good())
    functions = [{"type": "function", "function": {"name": name}} for name in names]
    service.ask(way, tools=functions, tool_choice="required", agent_tools="replace")
    alone = service.protocol == "threads" and len(names) == 1
    named = {"type": "function", "function": {"name": "now"}}
    assert service.sent()["tool_choice"] == (named if alone else "required")


def test_drop_params_drops_functions_that_a_new_agent_lacks(
    emulator: Emulator, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """Chat UIs declare dozens of tools of their own with every turn."""
    tools = [{"type": "function", "function": {"name": f"{way.name} {n}"}} for n in range(36)]
    arguments: dict[str, Any] = {
        "model": "azure_ai/agents/code", "api_base": emulator.endpoint, "api_key": emulator.token,
        "messages": [{"role": "user", "content": "hello"}], "tools": tools,
    }  # fmt: skip
    with pytest.raises(litellm.BadRequestError, match="drop_params=True"):
        way.ask(**arguments)
    for _ in range(2):
        assert way.ask(**arguments, drop_params=True).text == "You said: hello"
    assert [f"{way.name} 35" in r.getMessage() for r in caplog.records].count(True) == 1


@pytest.mark.parametrize(("body", "sent"), [({}, 256), ({"max_tokens": 40}, 40)])
def test_a_limit_that_the_caller_did_not_set_is_at_least_the_minimum(
    way: Way, body: dict[str, int], sent: int
) -> None:
    """LiteLLM's limiter sets one when the caller sets none."""
    for service in serving("threads"):
        service.answers(service.good())
        service.ask(way, max_tokens=40, proxy_server_request={"body": body, "headers": {}})
        assert service.sent()["max_completion_tokens"] == sent


@pytest.mark.parametrize("nested", [True, False])
def test_a_native_call_drops_the_clients_own_fields(way: Way, nested: bool) -> None:
    function = {k: v for k, v in FUNCTION.items() if k not in OWN} | {"parameters": {}} | OWN
    tool = {"type": "function", **({"function": function, **OWN} if nested else function)}
    words = {"type": "input_text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    said = {"type": "message", "role": "user", "id": None, "cache_control": {},
            "content": [words, {"type": "input_text", "text": ""}]}  # fmt: skip
    given: dict[str, Any] = {
        "model": "azure_ai/agents/bob", "api_base": "http://container.test", "api_key": "k",
        "input": [said], "tools": [tool, {"type": "code_interpreter", **OWN}],
        "stream": way.streamed,
    }  # fmt: skip
    with respx.mock() as router, over_httpx():
        events = events_of([message("msg_1", text("Hello"))])
        events[-1]["response"]["created_at"] = 1
        whole = httpx.Response(200, json=events[-1]["response"])
        reply = stream((e["type"], e) for e in events) if way.streamed else whole
        route = router.post("http://container.test/responses").mock(return_value=reply)
        asyncio.run(_arespond(given)) if way.is_async else _respond(given)
        sent = json.loads(route.calls.last.request.content)
    assert sent["tools"] == [{"type": "function", "name": "now", "parameters": {}},
                             {"type": "code_interpreter"}]  # fmt: skip
    content = [{"type": "input_text", "text": "Hi"}]
    assert sent["input"] == [{"type": "message", "role": "user", "content": content}]


def _respond(given: dict[str, Any]) -> None:
    answer: Any = litellm.responses(**given)
    assert not given["stream"] or list(answer)


async def _arespond(given: dict[str, Any]) -> None:
    answer: Any = await litellm.aresponses(**given)
    assert not given["stream"] or [event async for event in answer]


# -- messages ----------------------------------------------------------------------------------

PICTURE = {"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}
EMPTY = {"type": "text", "text": ""}
PDF = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4 contract").decode()


@pytest.mark.parametrize("agent", ["asst_code", "code"])
def test_a_document_in_place_of_a_picture_is_a_file(
    emulator: Emulator, way: Way, agent: str
) -> None:
    """So give clients their PDFs, and LiteLLM the documents of Anthropic's clients."""
    result = way.ask(
        model=f"azure_ai/agents/{agent}", api_base=emulator.endpoint, api_key=emulator.token,
        messages=[{"role": "user", "content": [
            {"type": "text", "text": "Read this."},
            {"type": "image_url", "image_url": {"url": PDF}},
        ]}],
    )  # fmt: skip
    assert result.finish_reason == "stop"
    uploads = [r for r in emulator.requests if r.method == "POST" and r.path.endswith("/files")]
    bodies = [json.dumps(r.body) for r in emulator.requests if r.method == "POST"]
    assert len(uploads) == (agent == "asst_code")
    assert bool(uploads) or any('"input_file"' in body for body in bodies)


def parts(service: EitherService) -> Any:
    """What was sent of the last user message."""
    body = service.sent()
    messages = body["thread"]["messages"] if service.protocol == "threads" else body["input"]
    return messages[-1]["content"]


def test_empty_texts_are_left_out(service: EitherService, way: Way) -> None:
    for content in ([EMPTY, PICTURE], [PICTURE, "", EMPTY]):
        service.answers(service.good())
        service.ask(way, messages=[{"role": "user", "content": content}])
        assert [part["type"] for part in parts(service)] in (["image_url"], ["input_image"])
    service.answers(service.good())
    words = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    service.ask(way, messages=[{"role": "user", "content": [EMPTY, words]}])
    assert parts(service) == "Hi"


@pytest.mark.parametrize("content", [[EMPTY], [""], [EMPTY, ""], [{"type": "text"}]])
def test_a_message_with_nothing_left_is_refused(
    service: EitherService, way: Way, content: Any
) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "user", "content": content}]
    with pytest.raises(litellm.BadRequestError, match=r"messages\[1\]: the last message says noth"):
        service.ask(way, messages=messages)
    behind = [*messages, {"role": "system", "content": "Be brief."}]
    with pytest.raises(litellm.BadRequestError, match=r"messages\[1\]: the last message says noth"):
        service.ask(way, messages=behind)
    assert not service.route.called
    service.answers(service.good())
    service.ask(way, messages=[*messages, {"role": "user", "content": "Still there?"}])
    assert parts(service) == "Still there?"


def test_pictures_in_the_result_of_a_tool(service: EitherService, way: Way) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "draw", "arguments": ""}}
    messages = [
        {"role": "user", "content": "Draw."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": [
            {"type": "text", "text": "A cat."}, PICTURE, PICTURE]},
        {"role": "user", "content": "Nice?"},
    ]  # fmt: skip
    service.answers(service.good())
    service.ask(way, messages=messages)
    body = service.sent()
    if service.protocol == "threads":
        told = body["thread"]["messages"][1]["content"]
        assert "A cat." in told
        assert "left out" in told
        assert "2 x image_url" in told
        assert "a.test" not in told
    else:
        asked, output = body["input"][1:3]
        assert asked["arguments"] == "{}"
        assert [part["type"] for part in output["output"]] == ["input_text", *["input_image"] * 2]


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "base", "more", "url"),
    [
        ("asst_rec", BASE + "/?api-version=2025-05-01", {},
         BASE + "/threads/runs?api-version=2025-05-01"),
        ("asst_rec", BASE + "?api-version=2025-05-01", {"api_version": "v1"},
         BASE + "/threads/runs?api-version=v1"),
        ("asst_rec", BASE + "/threads/runs?api-version=v1#x", {},
         BASE + "/threads/runs?api-version=v1"),
        ("bob", PROJECT + "?api-version=v1", {}, PROJECT + "/openai/v1/responses"),
        ("bob", AGENT + "/responses?api-version=v7", {}, AGENT + "/responses?api-version=v7"),
    ],
)  # fmt: skip
def test_whole_urls_are_endpoints(
    way: Way, model: str, base: str, more: dict[str, Any], url: str
) -> None:
    protocol = "threads" if model.startswith("asst_") else "responses"
    for service in serving(protocol):
        service.router.clear()
        service.route = service.router.post()
        service.answers(service.good())
        service.base = base
        assert service.ask(way, model=f"azure_ai/agents/{model}", **more).text
        assert str(service.route.calls.last.request.url) == url
