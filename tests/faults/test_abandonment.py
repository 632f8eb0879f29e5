"""Calls that end early, in every way and at every point: afterwards nothing goes on.

The answer of the request that starts the run is held up at a point, the caller leaves while it is,
and then the network is sound again. Whatever the service has begun must come to its end soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.faults.proxy import HEAD, Fault, FaultProxy, always, once
from tests.faults.size import TORTURE, pairs
from tests.faults.turns import Service

SCRIPT = json.dumps([{"say": "word ", "repeat": 12}, {"wait": 60}, {"say": "the end"}])
"""Text, then a pause that no test waits for: a run that goes on is found going on."""
AGENTS: list[dict[str, Any]] = [
    {"id": "asst_endless", "model": "m", "metadata": {"emulator_script": SCRIPT}},
    {"name": "endless", "metadata": {"emulator_script": SCRIPT},
     "definition": {"kind": "prompt", "model": "m"}},
]  # fmt: skip
KINDS = ["new thread", "known thread", "polled", "response", "background response"]
HELD = 0.5
"""Seconds for which the answer is held up; the caller leaves when it sees that it is."""
PATIENCE = 1.2
"""Seconds after which a caller leaves by himself; the answer is then held up for longer."""
POINTS = {
    "before the head": 0,
    "after the head": HEAD,
    "between events": 2500,
}
SAMPLE = [
    ("new thread", "before the head"),
    ("known thread", "between events"),
    ("polled", "after the head"),
    ("response", "after the head"),
    ("background response", "before the head"),
]
ALL = [
    (kind, point)
    for kind in KINDS
    for point in POINTS
    if (kind, point) != ("polled", "between events")  # that answer is no event stream
]
HELD_UP = pytest.mark.parametrize(("kind", "point"), ALL if TORTURE else SAMPLE)
BOUND = 2.5
"""The issue allows a caller to wait one second for the cleaning up; a test machine more."""


class Scene:
    """One call whose answer is held up at a point."""

    def __init__(self, proxy: FaultProxy, service: Service, kind: str) -> None:
        self.proxy, self.service = proxy, service
        emulator = service.emulator
        agent = "endless" if "response" in kind else "asst_endless"
        self.arguments: dict[str, Any] = {
            "model": f"azure_ai/agents/{agent}",
            "messages": [{"role": "user", "content": "go on"}],
            "api_base": proxy.at(emulator.endpoint),
            "api_key": emulator.token,
        }
        if kind == "known thread":
            self.arguments["thread_id"] = service.post("/threads")["id"]
        if kind == "background response":
            self.arguments["background"] = True
        if kind == "polled":
            self.arguments.update(run_mode="poll", poll_interval=0.05)

    def hold(self, point: str, seconds: float = HELD) -> None:
        fault = Fault("response", "hold", after=POINTS[point], seconds=seconds)
        self.proxy.plan = once(fault, method="POST")

    def held(self) -> bool:
        return any(arrival.played for arrival in self.proxy.requests)

    def is_quiet(self) -> bool:
        """Something had begun, and nothing goes on any more."""
        return bool(self.service.runs()) and not self.service.active()

    async def becomes_quiet(self) -> None:
        """Let the loop go on until the scene is quiet, or for long enough."""
        with contextlib.suppress(AssertionError):
            await aeventually(self.is_quiet)

    def check(self) -> None:
        """Nothing is left going on; what had begun was cancelled."""
        with contextlib.suppress(AssertionError):
            eventually(self.is_quiet)
        runs = self.service.runs()
        assert runs, "nothing had begun"
        assert [(run["kind"], run["status"]) for run in runs] == [(runs[0]["kind"], "cancelled")]


def eventually(check: Callable[[], Any], seconds: float = 6.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"{getattr(check, '__name__', check)}: not in time"
        time.sleep(0.02)


async def aeventually(check: Callable[[], Any], seconds: float = 6.0) -> None:
    await asyncio.to_thread(eventually, check, seconds)


@pytest.fixture
def proxy(emulator: Emulator) -> Iterator[FaultProxy]:
    emulator.seed(agents=AGENTS)
    with FaultProxy(emulator.url) as running:
        yield running


@pytest.fixture
def service(emulator: Emulator) -> Service:
    return Service(emulator)


@pytest.fixture
def scene(kind: str, point: str, proxy: FaultProxy, service: Service) -> Scene:
    scene = Scene(proxy, service, kind)
    scene.hold(point)
    return scene


async def consume(scene: Scene, *, streamed: bool, **more: Any) -> None:
    result = await litellm.acompletion(stream=streamed, **scene.arguments, **more)
    if streamed:
        async for _ in result:
            pass


# -- leaving while the request is on its way -------------------------------------------------------


@HELD_UP
def test_a_cancelled_task(scene: Scene) -> None:
    async def go() -> None:
        task = asyncio.create_task(consume(scene, streamed=True))
        await aeventually(scene.held)
        task.cancel("the caller left")
        with pytest.raises(asyncio.CancelledError):
            await task
        await scene.becomes_quiet()

    asyncio.run(go())
    scene.check()


@HELD_UP
def test_a_cancelled_task_at_the_end_of_its_loop(scene: Scene) -> None:
    """The loop ends right after the caller has; it waits for the cleaning up."""

    async def go() -> None:
        task = asyncio.create_task(consume(scene, streamed=True))
        await aeventually(scene.held)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    scene.check()


@HELD_UP
def test_a_timeout_of_asyncio(scene: Scene, point: str) -> None:
    scene.hold(point, PATIENCE + HELD)

    async def go() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(consume(scene, streamed=True), PATIENCE)
        await scene.becomes_quiet()

    asyncio.run(go())
    scene.check()


@HELD_UP
@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_callers_timeout(scene: Scene, point: str, way: str) -> None:
    scene.hold(point, PATIENCE + HELD)

    async def go() -> None:
        with pytest.raises(litellm.Timeout):
            await consume(scene, streamed=True, timeout=PATIENCE)
        await scene.becomes_quiet()

    if way == "async":
        asyncio.run(go())
    else:
        with pytest.raises(litellm.Timeout):
            list(litellm.completion(stream=True, timeout=PATIENCE, **scene.arguments))
    scene.check()


# -- leaving a stream that has begun ---------------------------------------------------------------

STREAMED = ["new thread", "known thread", "response", "background response"]


@pytest.fixture
def stream_scene(kind: str, proxy: FaultProxy, service: Service) -> Scene:
    return Scene(proxy, service, kind)


@pytest.mark.parametrize(
    ("kind", "leaving"), pairs(STREAMED, ["aclose", "collected", "loop end", "own error"])
)
def test_an_async_stream_is_left(stream_scene: Scene, leaving: str) -> None:
    scene = stream_scene

    async def go() -> None:
        stream = await litellm.acompletion(stream=True, **scene.arguments)
        if leaving == "own error":
            # At the first chunk: it may bring all the text there is before the pause.
            with pytest.raises(ZeroDivisionError):
                await fail_within(stream)
        else:
            await anext(stream)
        if leaving == "loop end":
            return
        if leaving == "aclose":
            await stream.aclose()
        del stream
        with contextlib.suppress(AssertionError):
            await aeventually(collected)

    def collected() -> bool:
        gc.collect()
        return scene.is_quiet()

    asyncio.run(go())
    gc.collect()
    scene.check()


async def fail_within(stream: Any) -> None:
    async for _ in stream:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("kind", "leaving"), pairs(STREAMED, ["dropped", "in a thread", "own error", "timeout"])
)
def test_a_sync_stream_is_left(stream_scene: Scene, leaving: str) -> None:
    scene = stream_scene

    def begin() -> Any:
        stream = litellm.completion(stream=True, **scene.arguments)
        next(stream)
        return stream

    def fail() -> None:
        for _ in litellm.completion(stream=True, **scene.arguments):
            raise ZeroDivisionError

    if leaving == "dropped":
        stream = begin()
        del stream
    elif leaving == "in a thread":
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
    elif leaving == "own error":
        with pytest.raises(ZeroDivisionError):
            fail()
    else:
        with pytest.raises(litellm.Timeout):
            list(litellm.completion(stream=True, timeout=PATIENCE, **scene.arguments))
    gc.collect()
    scene.check()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_polled_run_is_left(proxy: FaultProxy, service: Service, way: str) -> None:
    scene = Scene(proxy, service, "polled")

    def polling() -> bool:
        return sum(a.method == "GET" for a in proxy.requests) >= 2

    async def go() -> None:
        task = asyncio.create_task(consume(scene, streamed=False))
        await aeventually(polling)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    if way == "async":
        asyncio.run(go())
    else:
        with pytest.raises(litellm.Timeout):
            litellm.completion(timeout=PATIENCE, **scene.arguments)
        assert polling()
    scene.check()


# -- a service that is deaf meanwhile --------------------------------------------------------------


def deafen(proxy: FaultProxy) -> None:
    """From now on nothing is answered any more."""
    proxy.plan = always(Fault("request", "hold"))


@pytest.mark.parametrize(
    ("kind", "leaving"), pairs(STREAMED, ["cancel", "asyncio timeout", "aclose", "timeout"])
)
def test_a_deaf_service_does_not_hold_the_caller(
    proxy: FaultProxy, service: Service, kind: str, leaving: str
) -> None:
    scene = Scene(proxy, service, kind)

    async def go() -> tuple[bool, BaseException | None]:
        more = {"timeout": 2 * PATIENCE} if leaving == "timeout" else {}
        stream = await litellm.acompletion(stream=True, **scene.arguments, **more)
        await anext(stream)
        deafen(proxy)

        async def leave() -> None:
            if leaving == "aclose":
                await stream.aclose()
            async for _ in stream:
                pass

        work = asyncio.wait_for(leave(), 0.05) if leaving == "asyncio timeout" else leave()
        task = asyncio.create_task(work)
        await asyncio.sleep(0.1)
        if leaving == "cancel":
            task.cancel("the caller left")
        patience = BOUND + (2 * PATIENCE if leaving == "timeout" else 0.0)
        done, _ = await asyncio.wait({task}, timeout=patience)
        error: BaseException | None = None
        try:
            await task
        except BaseException as raised:
            error = raised
        return bool(done), error

    in_time, error = asyncio.run(go())
    assert in_time, "the caller was held for longer than the cleaning up may take"
    expected: dict[str, Any] = {
        "cancel": asyncio.CancelledError,
        "asyncio timeout": asyncio.TimeoutError,
        "timeout": litellm.Timeout,
    }
    if leaving in expected:
        assert isinstance(error, expected[leaving])
    else:
        assert error is None


@pytest.mark.parametrize("kind", STREAMED if TORTURE else STREAMED[1:3])
def test_a_deaf_service_does_not_hold_a_thread(
    proxy: FaultProxy, service: Service, kind: str
) -> None:
    scene = Scene(proxy, service, kind)
    left = threading.Event()

    def go() -> None:
        stream = litellm.completion(stream=True, **scene.arguments)
        next(stream)
        deafen(proxy)
        del stream
        left.set()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    with contextlib.suppress(AssertionError):
        eventually(lambda: any(a.fault for a in proxy.requests) or left.is_set())
    assert left.wait(BOUND), "the caller was held for longer than the cleaning up may take"
    thread.join(10)
