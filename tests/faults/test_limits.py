"""Input of any size takes time in proportion to its size, and memory within a limit."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest

from tests.faults.limits import run_child, steps
from tests.faults.raw import ENDLESS, Answer, head, serving
from tests.faults.size import size

HELLO = {"role": "user", "content": "hello"}
LIMIT = size(8, 64) << 20
"""The option ``max_response_bytes``; 64 MB is its default."""
MEMORY = (60 << 20) + 4 * LIMIT
"""A body is held as bytes, as text and as pieces of both for a moment."""
NOTHING: Answer = lambda: [head("400 Bad", "application/json") + b'{"error": {"message": "no"}}']  # noqa: E731


def test_an_endless_answer_is_an_error_in_bounded_memory() -> None:
    with contextlib.ExitStack() as stack:
        endpoints = [stack.enter_context(serving(answer)) for answer in ENDLESS.values()]
        found = run_child("endless", " ".join(endpoints), str(LIMIT))
    assert found["grown"] < MEMORY, f"{found['grown'] >> 20} MB, {found['errors']}"
    assert len(found["errors"]) == 2 * len(ENDLESS)
    for error in found["errors"]:
        assert "APIError" in error, error
        assert "Timeout" not in error, error
        assert "MemoryError" not in str(error), error


def failing(*texts: str) -> Answer:
    """Runs that fail with ``texts``, one after the other."""
    left = list(texts)
    return lambda: [_failure(left.pop(0))]


def _failure(text: str) -> bytes:
    run = {
        "id": "run_1", "object": "thread.run", "thread_id": "thread_1", "assistant_id": "asst_x",
        "status": "failed", "last_error": {"code": "rate_limit_exceeded", "message": text},
        "usage": None, "metadata": {}, "created_at": 1,
    }  # fmt: skip
    events = f"event: thread.run.failed\ndata: {json.dumps(run)}\n\nevent: done\ndata: [DONE]\n\n"
    return head("200 OK", "text/event-stream") + events.encode()


LONG = [
    "try" * 80_000, "try again in" + " " * 240_000, "try again in " + "9" * 240_000,
    "retry after " * 20_000, "retry_" * 40_000, "try again in 1s" + ", 1s" * 60_000,
    "eyJ" * 80_000, "bearer " * 34_000, "api_key" * 34_000, "api_key" + " " * 240_000,
    "<" * 240_000, "thread_" * 34_000, "【1:" * 80_000,
]  # fmt: skip
"""Texts that lead a careless pattern astray at every character."""


def test_a_long_text_of_a_failure_is_read_in_linear_time() -> None:
    """The child has a limit of CPU time that linear work doesn't come near."""
    with serving(failing(*LONG)) as endpoint:
        found = run_child("failed_runs", endpoint, str(len(LONG)))
    assert len(found["errors"]) == len(LONG)
    for error in found["errors"]:
        assert "APIError" in error


def test_a_long_page_is_read_in_linear_time() -> None:
    """An error page is read up to 1 MB."""
    page = head("500 Bad", "text/html") + b"<" * (1 << 20)
    with serving(lambda: [page]) as endpoint:
        found = run_child("failed_runs", endpoint, "1")
    assert "APIError" in found["errors"][0]


def test_a_credentials_long_error_is_read_in_linear_time() -> None:
    assert run_child("credential_error", "", "1000000")["length"] <= 300


def test_sixteen_thousand_tool_results() -> None:
    with serving(NOTHING) as endpoint:
        assert run_child("many_results", endpoint, "16000")["done"]


# -- counts over doubling sizes --------------------------------------------------------------------


def tool_results(size: int) -> list[dict[str, Any]]:
    ids = [f"call_{number}" for number in range(size)]
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
    ]
    results = [{"role": "tool", "tool_call_id": i, "content": "x"} for i in ids]
    return [HELLO, {"role": "assistant", "content": None, "tool_calls": calls}, *results]


def rounds(size: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [HELLO]
    for number in range(size):
        messages += tool_results(1)[1:] if number % 2 else [HELLO, {**HELLO, "role": "assistant"}]
    return messages


def parts(size: int) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "x"}] * size}]


def turns(size: int) -> list[dict[str, Any]]:
    return [HELLO, {**HELLO, "role": "assistant"}] * size + [HELLO]


SHAPES: list[Callable[[int], list[dict[str, Any]]]] = [tool_results, rounds, parts, turns]


@pytest.mark.parametrize("agent", ["asst_x", "x"])
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_input_is_twice_the_work(
    shape: Callable[[int], list[dict[str, Any]]], agent: str
) -> None:
    def work(size: int) -> int:
        arguments: dict[str, Any] = {
            "model": f"azure_ai/agents/{agent}",
            "messages": shape(size),
            "api_base": endpoint,
            "api_key": "k",
            "max_retries": 0,
        }

        def ask() -> None:  # async: all of its work is done in this thread, where it is counted
            with contextlib.suppress(litellm.BadRequestError):
                asyncio.run(litellm.acompletion(**arguments))

        return steps(ask)

    with serving(NOTHING) as endpoint:
        work(10)
        counts = [work(size) for size in (250, 500, 1000)]
    assert counts[0] > 100, "the package was not seen at work"
    assert counts[2] - counts[1] < 2.5 * (counts[1] - counts[0]) + 2000, counts


def _events(size: int) -> Iterator[bytes]:
    """A long answer in small deltas, in one read."""
    message = {"id": "msg_1", "object": "thread.message.delta"}
    run = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "status": "in_progress"}
    yield head("200 OK", "text/event-stream")
    yield f"event: thread.run.created\ndata: {json.dumps(run)}\n\n".encode()
    part = {"index": 0, "type": "text", "text": {"value": "word "}}
    delta = json.dumps({**message, "delta": {"content": [part]}})
    yield f"event: thread.message.delta\ndata: {delta}\n\n".encode() * size
    text = {"value": "word " * size, "annotations": []}
    whole = {
        "id": "msg_1", "object": "thread.message", "role": "assistant", "run_id": "run_1",
        "thread_id": "thread_1", "status": "completed", "content": [{"type": "text", "text": text}],
    }  # fmt: skip
    yield f"event: thread.message.completed\ndata: {json.dumps(whole)}\n\n".encode()
    run = {**run, "status": "completed", "usage": None}
    yield f"event: thread.run.completed\ndata: {json.dumps(run)}\n\n".encode()
    yield b"event: done\ndata: [DONE]\n\n"


def test_twice_the_answer_is_twice_the_work() -> None:
    counts = []
    for events in (10, 500, 1000, 2000):
        with serving(lambda events=events: _events(events)) as endpoint:
            arguments: dict[str, Any] = {"api_base": endpoint, "api_key": "k", "messages": [HELLO]}

            def ask(given: dict[str, Any] = arguments) -> None:
                asyncio.run(litellm.acompletion(model="azure_ai/agents/asst_x", **given))

            counts.append(steps(ask))
    assert counts[1] > 100, "the package was not seen at work"
    assert counts[3] - counts[2] < 2.5 * (counts[2] - counts[1]) + 2000, counts
