"""Chats with classic agents of the emulator, every way: the whole path from LiteLLM to the wire."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import litellm
import pydantic
import pytest
from litellm.integrations.custom_logger import CustomLogger

from litellm_azure_agents.emulator import Emulator
from tests.support.ways import WAYS, Result, Way

MODELS = ["azure_ai/agents/", "azure_agents/"]


class Chat:
    """Calls agents of the emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.where = {"api_base": emulator.endpoint, "api_key": emulator.token}

    def __call__(self, way: Way, agent: str, messages: Any, **options: Any) -> Result:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        model = options.pop("route", MODELS[0]) + agent
        return way.ask(model=model, messages=messages, **self.where, **options)

    def thread(self, thread_id: str) -> list[tuple[str, str]]:
        """The thread's messages as the service has them, oldest first."""
        store = self.get(f"/threads/{thread_id}/messages?limit=100&order=asc")["data"]
        return [(m["role"], "".join(p["text"]["value"] for p in m["content"])) for m in store]

    def run(self, ids: dict[str, str]) -> Any:
        return self.get(f"/threads/{ids['thread_id']}/runs/{ids['run_id']}")

    def get(self, path: str) -> Any:
        return self._request("GET", path)

    def delete(self, path: str) -> Any:
        return self._request("DELETE", path)

    def _request(self, method: str, path: str) -> Any:
        joined = "&" if "?" in path else "?"
        url = f"{self.emulator.endpoint}{path}{joined}api-version=v1"
        headers = {"Authorization": f"Bearer {self.emulator.token}"}
        return httpx.request(method, url, headers=headers).json()

    def requests(self) -> list[tuple[str, str]]:
        return [(r.method, r.path.split("/local", 1)[1]) for r in self.emulator.requests]


@pytest.fixture
def chat(emulator: Emulator) -> Chat:
    return Chat(emulator)


@pytest.mark.parametrize("route", MODELS)
def test_an_answer(chat: Chat, way: Way, route: str) -> None:
    result = chat(way, "asst_echo", "hello there", route=route)
    assert result.text == "You said: hello there"
    assert result.finish_reason == "stop"
    run = chat.run(result.ids)
    assert result.usage == tuple(
        run["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    assert result.ids.keys() == {"thread_id", "run_id", "message_id"}
    price = litellm.model_cost["azure/" + run["model"]]
    assert result.cost == pytest.approx(
        result.usage[0] * price["input_cost_per_token"]
        + result.usage[1] * price["output_cost_per_token"]
    )
    assert chat.requests()[0] == ("POST", "/threads/runs")
    assert len(chat.requests()) == 2, "one for the answer, one for this test"


def test_every_chunk_carries_the_ids(chat: Chat) -> None:
    for way in ("sync stream", "async stream"):
        chunks = chat(Way(way), "asst_echo", "hello").chunks
        threads = {c._hidden_params["thread_id"] for c in chunks}
        assert len(threads) == 1
        for chunk in chunks[:-2]:  # the last two, finish reason and usage, are LiteLLM's own
            fields = chunk.choices[0].delta.provider_specific_fields
            assert fields["thread_id"] in threads
            assert fields["run_id"].startswith("run_")
        assert chunks[0].choices[0].delta.role == "assistant"
        assert len({c.id for c in chunks}) == 1


@pytest.mark.parametrize("run_mode", ["stream", "poll"])
def test_a_thread_goes_on(chat: Chat, way: Way, run_mode: str) -> None:
    first = chat(way, "asst_echo", "My name is Ada.", run_mode=run_mode)
    history = [
        {"role": "user", "content": "My name is Ada."},
        first.assistant_message(),
        {"role": "user", "content": "What did I say before?"},
    ]
    for messages in (history, history[-1:]):
        second = chat(
            way, "asst_echo", messages, thread_id=first.ids["thread_id"], run_mode=run_mode
        )
        assert "My name is Ada." in second.text
        assert second.ids["thread_id"] == first.ids["thread_id"]
    said = [text for role, text in chat.thread(first.ids["thread_id"]) if role == "user"]
    assert said == ["My name is Ada.", "What did I say before?", "What did I say before?"]


def test_a_long_history_becomes_the_thread(chat: Chat, way: Way) -> None:
    turns = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": f"turn {n}"} for n in range(121)
    ]
    result = chat(way, "asst_echo", turns)
    assert result.text == "You said: turn 120"
    thread = []
    after = ""
    while True:
        path = f"/threads/{result.ids['thread_id']}/messages?limit=100&order=asc{after}"
        page = chat.get(path)
        thread += page["data"]
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    texts = [(m["role"], m["content"][0]["text"]["value"]) for m in thread]
    assert texts[:-1] == [(t["role"], t["content"]) for t in turns]


def test_instructions_are_added_to_the_agents_own(chat: Chat, way: Way) -> None:
    own = chat.get("/assistants/asst_echo")["instructions"]
    messages = [
        {"role": "system", "content": "Answer like a pirate."},
        {"role": "user", "content": "What are your instructions?"},
    ]
    new = chat(way, "asst_echo", messages)
    known = chat(way, "asst_echo", messages, thread_id=new.ids["thread_id"])
    for result in (new, known):
        assert own in result.text
        assert "Answer like a pirate." in result.text
    assert all(role != "system" for role, _ in chat.thread(new.ids["thread_id"]))


class Weather(pydantic.BaseModel):
    """A structured answer."""

    city: str
    degrees: int


def test_structured_answers(chat: Chat, way: Way) -> None:
    result = chat(way, "asst_json", "Weather in Oslo?", response_format=Weather)
    Weather.model_validate_json(result.text)


def test_every_part_of_every_message_in_order(chat: Chat, way: Way) -> None:
    result = chat(way, "asst_multi", "Go on.")
    written = [t for role, t in chat.thread(result.ids["thread_id"]) if role == "assistant"]
    assert len(written) >= 2
    assert result.text.replace("\n\n", "") == "".join(written).replace("\n\n", "")


def test_unicode_comes_through(chat: Chat, way: Way) -> None:
    result = chat(way, "asst_unicode", "Show me.")
    assert "\u2028" in result.text
    assert [result.text] == [
        t for role, t in chat.thread(result.ids["thread_id"]) if role == "assistant"
    ]


def test_finish_reasons(chat: Chat, way: Way) -> None:
    assert chat(way, "asst_incomplete", "Go.").finish_reason == "length"
    assert chat(way, "asst_incomplete", "content_filter").finish_reason == "content_filter"


@pytest.mark.parametrize("run_mode", ["stream", "poll"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fail with rate_limit_exceeded: Try again in 7 seconds", litellm.RateLimitError),
        ("fail with content_filter: no", litellm.ContentPolicyViolationError),
        ("fail with invalid_prompt: no", litellm.BadRequestError),
        ("fail with tool_user_error: no", litellm.APIError),
        ("fail now", litellm.InternalServerError),
    ],
)
def test_failures(
    chat: Chat, way: Way, run_mode: str, text: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected) as caught:
        chat(way, "asst_fail", text, run_mode=run_mode)
    assert type(caught.value) is expected
    assert "run_" in str(caught.value)


def test_failures_come_before_the_stream_is_handed_over(chat: Chat) -> None:
    arguments = {
        "messages": [{"role": "user", "content": "fail with rate_limit_exceeded: x"}],
        "stream": True,
        **chat.where,
    }
    for route in MODELS:
        with pytest.raises(litellm.RateLimitError):
            litellm.completion(model=f"{route}asst_fail", **arguments)
        with pytest.raises(litellm.RateLimitError):
            asyncio.run(litellm.acompletion(model=f"{route}asst_fail", **arguments))


def test_unknown_agents_and_threads_are_not_found(chat: Chat, way: Way) -> None:
    with pytest.raises(litellm.NotFoundError, match="asst_nobody"):
        chat(way, "asst_nobody", "hi")
    with pytest.raises(litellm.NotFoundError, match="thread_nowhere"):
        chat(way, "asst_echo", "hi", thread_id="thread_nowhere")


def test_a_wrong_token_is_refused(way: Way) -> None:
    with Emulator(token="right") as strict, pytest.raises(litellm.AuthenticationError):
        way.ask(
            model="azure_ai/agents/asst_echo",
            messages=[{"role": "user", "content": "hi"}],
            api_base=strict.endpoint,
            api_key="wrong",
        )


def test_an_ephemeral_thread_is_gone(chat: Chat, way: Way) -> None:
    result = chat(way, "asst_echo", "hi", ephemeral_thread=True)
    assert result.text == "You said: hi"
    assert "error" in chat.get(f"/threads/{result.ids['thread_id']}")


def test_nothing_of_an_agent_is_cached(
    chat: Chat, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM's key leaves thread ids out: an answer would be given on somebody else's thread."""
    monkeypatch.setattr(litellm, "cache", litellm.Cache())
    for agent in ("asst_echo", "echo"):
        first, second = (chat(way, agent, "hi", caching=True) for _ in range(2))
        assert first.ids["thread_id"] != second.ids["thread_id"]


def test_callbacks_see_the_true_numbers(chat: Chat) -> None:
    seen: list[tuple[Any, ...]] = []

    def note(kind: str, kwargs: Any, response: Any) -> None:
        if kwargs["messages"][0]["content"] == "count me":  # LiteLLM still logs earlier tests
            seen.append((kind, response.usage.total_tokens, kwargs["response_cost"]))

    class Logger(CustomLogger):
        def log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            note("sync", kwargs, response_obj)

        async def async_log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            note("async", kwargs, response_obj)

    logger = Logger()
    litellm.callbacks.append(logger)

    async def asynchronously() -> list[Result]:
        found = [
            await Way(name).aask(
                model="azure_ai/agents/asst_echo",
                messages=[{"role": "user", "content": "count me"}],
                **chat.where,
            )
            for name in WAYS[2:]
        ]
        await asyncio.sleep(0.3)  # LiteLLM logs in the background
        return found

    try:
        results = [chat(Way(name), "asst_echo", "count me") for name in WAYS[:2]]
        time.sleep(0.3)
        results += asyncio.run(asynchronously())
    finally:
        litellm.callbacks.remove(logger)
    assert [kind for kind, _, _ in seen] == ["sync", "sync", "async", "async"]
    for result, (_, tokens, cost) in zip(results, seen, strict=True):
        assert result.usage is not None
        assert tokens == result.usage[2] > 0
        assert cost == pytest.approx(result.cost)


def test_one_process_many_loops_and_threads(chat: Chat) -> None:
    """Connections are pooled per event loop, and a loop that is gone takes its pool with it."""
    from concurrent.futures import ThreadPoolExecutor

    def one(n: int) -> str:
        return chat(Way(WAYS[n % 4]), "asst_echo", f"call {n}").text

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(one, range(24)))
    assert texts == [f"You said: call {n}" for n in range(24)]


def test_router(chat: Chat) -> None:
    router = litellm.Router(
        model_list=[
            {"model_name": "agent", "litellm_params": {"model": f"{route}asst_echo", **chat.where}}
            for route in MODELS
        ]
    )
    messages = [{"role": "user", "content": "through the router"}]
    response = router.completion(model="agent", messages=messages)
    assert response.choices[0].message.content == "You said: through the router"

    async def streamed() -> str:
        stream = await router.acompletion(model="agent", messages=messages, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    for _ in range(4):
        assert asyncio.run(streamed()) == "You said: through the router"


def test_a_callers_wrong_thread_does_not_stop_the_deployment(chat: Chat) -> None:
    """A Router stops using a deployment that answers 404, for all of its callers."""

    def router(agent: str) -> litellm.Router:
        at = {"model": f"azure_ai/agents/{agent}", **chat.where}
        return litellm.Router(model_list=[{"model_name": "agent", "litellm_params": at}])

    async def ask(router: litellm.Router, **options: Any) -> Any:
        messages = [{"role": "user", "content": "hi"}]
        return await router.acompletion(model="agent", messages=messages, num_retries=0, **options)

    async def nobody_waits(router: litellm.Router) -> None:
        store = {"file_search": {"vector_store_ids": ["vs_nowhere"]}}
        for given in ({"thread_id": "thread_nowhere"}, {"tool_resources": store}):
            with pytest.raises(litellm.NotFoundError, match="nowhere"):
                await ask(router, **given, stream=True)
            await asyncio.sleep(0.2)  # the Router counts failures in a task of its own
        assert (await ask(router)).choices[0].message.content

    async def an_agent_that_is_gone(router: litellm.Router) -> None:
        with pytest.raises(litellm.NotFoundError):
            await ask(router, thread_id=made.ids["thread_id"])
        for _ in range(50):
            if await router.cooldown_cache.async_get_active_cooldowns(router.get_model_ids(), None):
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the Router goes on with an agent that is gone")

    made = chat(Way("sync"), "asst_echo", "hi")
    asyncio.run(nobody_waits(router("asst_search")))
    asyncio.run(an_agent_that_is_gone(router("asst_nobody")))


def test_the_health_check_leaves_nothing(chat: Chat) -> None:
    """LiteLLM's check asks for 16 tokens, which no run could be made with."""
    tag = {"tags": ["litellm-internal-health-check"]}
    for route in MODELS:
        result = chat(Way("async"), "asst_echo", "hi", route=route, max_tokens=16, metadata=tag)
        assert result.text == "ok"
        with pytest.raises(litellm.NotFoundError):
            chat(Way("async"), "asst_nobody", "hi", route=route, max_tokens=16, metadata=tag)
        with pytest.raises(litellm.BadRequestError):  # a client of a proxy that sends the tag
            chat(
                Way("async"), "asst_echo", "hi", route=route, max_tokens=16, metadata=tag,
                proxy_server_request={"body": {"model": "x", "max_tokens": 16}},
            )  # fmt: skip
    assert [m for m, path in chat.requests() if "assistants" in path] == ["GET"] * 4


def test_a_limit_below_the_services_least_is_the_callers_to_mend(chat: Chat) -> None:
    with pytest.raises(litellm.BadRequestError, match="256"):
        chat(Way("sync"), "asst_echo", "hi", max_tokens=100)
    lenient = chat(Way("sync"), "asst_echo", "hi", max_tokens=100, drop_params=True)
    assert chat.run(lenient.ids)["max_completion_tokens"] == 256
