"""Calls that end early: nothing goes on at the service, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socketserver
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents.drivers import aio
from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.host.handler import AgentsRoute
from tests.end_to_end.test_chat import Chat
from tests.support.ways import WAYS, Way

MODEL = "azure_ai/agents/"


@pytest.fixture
def chat(emulator: Emulator) -> Chat:
    return Chat(emulator)


def eventually(check: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true value of ``check`` within ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


def only_run(chat: Chat) -> dict[str, Any]:
    """The one run that the emulator has, whoever started it."""
    threads = chat.get("/threads")["data"]
    assert len(threads) == 1
    return chat.get(f"/threads/{threads[0]['id']}/runs")["data"][0]


def ended_as_cancelled(chat: Chat) -> bool:
    return bool(eventually(lambda: only_run(chat)["status"] == "cancelled"))


LONG = "say slowly: " + "word " * 80


def arguments(chat: Chat, agent: str = "asst_slow", text: str = LONG) -> dict[str, Any]:
    return {
        "model": MODEL + agent, "messages": [{"role": "user", "content": text}], **chat.where,
    }  # fmt: skip


# -- closed, dropped, cancelled ------------------------------------------------------------------


@pytest.mark.parametrize("route", ["azure_ai/agents/", "azure_agents/"])
def test_a_sync_stream_that_is_dropped_cancels_its_run(chat: Chat, route: str) -> None:
    stream = litellm.completion(**{**arguments(chat), "model": route + "asst_slow"}, stream=True)
    next(stream)
    del stream
    assert ended_as_cancelled(chat)


def test_an_async_stream_that_is_closed_cancels_its_run(chat: Chat) -> None:
    async def go() -> None:
        stream = await litellm.acompletion(**arguments(chat), stream=True)
        await anext(stream)
        await stream.aclose()

    asyncio.run(go())
    assert only_run(chat)["status"] == "cancelled"


@pytest.mark.parametrize("read", [0, 1])
def test_an_async_stream_that_is_dropped_cancels_its_run(chat: Chat, read: int) -> None:
    """Even one that nobody has read from."""

    async def go() -> None:
        stream = await litellm.acompletion(**arguments(chat), stream=True)
        for _ in range(read):
            await anext(stream)
        del stream
        await asyncio.to_thread(eventually, collected)

    def collected() -> bool:
        gc.collect()
        return bool(only_run(chat)["status"] == "cancelled")

    asyncio.run(go())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("run_mode", ["stream", "poll"])
@pytest.mark.parametrize("after", [0.0, 0.01, 0.05, 0.15, 0.3])
def test_a_cancelled_task_cancels_its_run(
    chat: Chat, streamed: bool, run_mode: str, after: float
) -> None:
    """Whenever it is cancelled, even before the service has answered."""

    async def consume() -> None:
        answer = await litellm.acompletion(
            **arguments(chat), stream=streamed, run_mode=run_mode, poll_interval=0.05
        )
        if streamed:
            async for _ in answer:
                pass

    async def go() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # What was under way may still arrive, and must be cancelled too.
        await asyncio.sleep(0.4)
        await asyncio.to_thread(eventually, lambda: not aio._tasks)

    def runs() -> list[dict[str, Any]]:
        return [
            run
            for thread in chat.get("/threads")["data"]
            for run in chat.get(f"/threads/{thread['id']}/runs")["data"]
        ]

    asyncio.run(go())
    eventually(lambda: all(run["status"] == "cancelled" for run in runs()))
    if after >= 0.3:
        assert runs()


def test_a_loop_that_ends_with_a_stream_cancels_its_run(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[Any] = []

    async def go() -> None:
        kept.append(await litellm.acompletion(**arguments(chat), stream=True))
        await anext(kept[0])

    asyncio.run(go())
    assert ended_as_cancelled(chat)
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_a_call_that_litellm_drops_before_it_begins_is_no_warning() -> None:
    """As it does when its caller is cancelled while it dispatches the call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        dropped = AgentsRoute.completion(acompletion=True, stream=False)
        assert asyncio.iscoroutine(dropped)
        dropped.close()
        del dropped
        gc.collect()
    assert not seen


def test_the_thread_is_free_after_a_cancelled_call(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_slow", "short")
    stream = litellm.completion(**arguments(chat), stream=True, thread_id=first.ids["thread_id"])
    next(stream)
    del stream
    again = chat(way, "asst_echo", "still there?", thread_id=first.ids["thread_id"])
    assert again.text == "You said: still there?"


class Trickle(socketserver.BaseRequestHandler):
    """Answers with a body, or with a head already, that comes byte by byte."""

    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"

    def handle(self) -> None:
        self.request.recv(65536)
        with contextlib.suppress(OSError):
            self.request.sendall(self.whole)
            for _ in range(150):
                self.request.sendall(b" ")
                time.sleep(0.1)


class TrickledHead(Trickle):
    whole = b"HTTP/1.1 200 OK\r\nx-endless: "


class TrickledStream(Trickle):
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n"


HELLO = [{"role": "user", "content": "Hello"}]

# -- on_abandon ----------------------------------------------------------------------------------


def test_a_detached_run_goes_on(chat: Chat) -> None:
    stream = litellm.completion(
        **arguments(chat, text="say slowly: one two three"), stream=True, on_abandon="detach"
    )
    next(stream)
    del stream
    assert eventually(lambda: only_run(chat)["status"] == "completed")
    assert not [path for _, path in chat.requests() if path.endswith("/cancel")]


def test_a_detached_run_goes_on_after_a_timeout(chat: Chat) -> None:
    text = "say slowly: one two three"
    with pytest.raises(litellm.Timeout, match="The run goes on"):
        chat(Way("sync"), "asst_slow", text, timeout=0.6, on_abandon="detach")
    assert eventually(lambda: only_run(chat)["status"] == "completed")


@pytest.mark.parametrize("policy", ["cancel", "detach"])
def test_a_response_in_the_background(chat: Chat, policy: str) -> None:
    text = "tell me a long story"

    async def go() -> None:
        stream = await litellm.acompletion(
            **arguments(chat, "slow", text=text),
            stream=True,
            background=True,
            on_abandon=policy,
        )
        await anext(stream)
        await stream.aclose()

    asyncio.run(go())

    def cancelled() -> int:
        return len([path for _, path in chat.requests() if path.endswith("/cancel")])

    if policy == "cancel":
        assert eventually(lambda: cancelled() == 1)
    else:
        assert cancelled() == 0


# -- timeouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_mode", ["stream", "poll"])
def test_a_timeout_bounds_the_whole_call(chat: Chat, way: Way, run_mode: str) -> None:
    started = time.monotonic()
    with pytest.raises(litellm.Timeout, match=r"0\.6 s"):
        chat(way, "asst_slow", "tell me a long story", timeout=0.6, run_mode=run_mode)
    assert time.monotonic() - started < 8
    assert ended_as_cancelled(chat)


def test_the_run_of_a_stalled_stream_is_looked_at(chat: Chat, way: Way) -> None:
    """The stream says nothing more although the run has ended: the answer is read from the run."""
    whole = chat(way, "asst_long", "go on")
    chat.emulator.faults.add(stall_after_events=8, method="POST", times=1)
    assert chat(way, "asst_long", "go on", timeout=8.0).text == whole.text


def test_a_stalled_stream_of_a_run_that_goes_on_ends_at_the_timeout(chat: Chat, way: Way) -> None:
    """The stream trickles, then says nothing more: a read timeout would start anew each time."""
    chat.emulator.faults.add(stall_after_events=8, method="POST", times=1)
    started = time.monotonic()
    with pytest.raises(litellm.Timeout):
        chat(way, "asst_slow", "tell me a long story", timeout=1.0)
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("handler", [Trickle, TrickledHead, TrickledStream])
def test_an_answer_that_trickles_ends_at_the_timeout(way: Way, handler: type[Trickle]) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        where = {"api_base": f"http://127.0.0.1:{server.server_address[1]}", "api_key": "k"}
        started = time.monotonic()
        with pytest.raises(litellm.Timeout):
            way.ask(model=MODEL + "asst_x", messages=HELLO, timeout=0.6, max_retries=0, **where)
        assert time.monotonic() - started < 8
        server.shutdown()


# -- broken streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cut", "end", "reset"])
@pytest.mark.parametrize("events", [2, 6, 9, 40])
def test_a_broken_stream_is_finished_by_asking(
    chat: Chat, way: Way, mode: str, events: int
) -> None:
    whole = chat(way, "asst_long", "write 60 words")
    chat.emulator.faults.add(cut_after_events=events, mode=mode, method="POST", times=1)
    broken = chat(way, "asst_long", "write 60 words")
    assert broken.text == whole.text
    assert broken.usage == whole.usage
    assert broken.finish_reason == "stop"


def test_a_lost_answer_on_a_known_thread_makes_no_second_run(chat: Chat, way: Way) -> None:
    first = chat(way, "asst_echo", "one")
    thread = first.ids["thread_id"]
    chat.emulator.faults.add(cut_after_bytes=0, mode="reset", method="POST", times=1)
    second = chat(way, "asst_echo", "two", thread_id=thread)
    assert second.text == "You said: two"
    assert [text for role, text in chat.thread(thread) if role == "user"] == ["one", "two"]
    assert len(chat.get(f"/threads/{thread}/runs")["data"]) == 2


def test_a_proxy_client_that_goes_away_is_a_cancelled_call(chat: Chat) -> None:
    """As Starlette cancels: again at every await of the task."""
    import anyio

    async def go() -> None:
        with anyio.CancelScope() as scope:
            stream = await litellm.acompletion(**arguments(chat), stream=True)
            async for _ in stream:
                scope.cancel()
        await asyncio.sleep(0.3)

    asyncio.run(go())
    assert ended_as_cancelled(chat)


def test_nothing_listens(way: Way) -> None:
    with pytest.raises(
        litellm.APIConnectionError, match=r"127\.0\.0\.1:9\).*Nothing had been sent"
    ):
        way.ask(
            model="azure_ai/agents/asst_echo",
            messages=[{"role": "user", "content": "hi"}],
            api_base="http://127.0.0.1:9/api/projects/none",
            api_key="x",
            max_retries=1,
        )


def test_connections_are_used_again(chat: Chat) -> None:
    """One TCP connection for sequential calls, streamed ones included."""
    opened: list[Any] = []

    class Counting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            opened.append(response.extensions["network_stream"].get_extra_info("client_addr"))
            return response

    litellm.client_session = httpx.Client(transport=Counting())
    try:
        for name in WAYS[:2] * 3:
            chat(Way(name), "asst_echo", "again")
    finally:
        litellm.client_session = None
    assert len(opened) == 6
    assert len(set(opened)) == 1
