"""Successful answers that are not what was asked for: a gateway's page, a list, nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import files, vector_stores
from litellm_azure_agents.continuity.call_ids import CallKind, encode
from tests.support.thread_streams import RUN, THREAD
from tests.support.ways import Way

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
BODIES = {
    "html": (b"<html><title>Sign in</title></html>", "text/html"),
    "list": (b"[1]", "application/json"),
    "empty list": (b"[]", "application/json"),
    "text": (b'"x"', "application/json"),
    "number": (b"0", "application/json"),
    "null": (b"null", "application/json"),
    "empty": (b"", "application/json"),
    "half": (b'{"id": "run_1", "sta', "application/json"),
    "deep": (b"[" * 100_000, "application/json"),
    "without id": (b'{"status": "completed", "object": "?"}', "application/json"),
    "id of another type": (b'{"id": {}, "thread_id": 5, "status": []}', "application/json"),
    "not text": (b"\xff\xfe\x00\x9f", "application/octet-stream"),
}


@pytest.fixture(params=BODIES)
def body(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def service(body: str, **known: Any) -> Iterator[None]:
    """Answers everything with 200 and ``body``, save paths that end in one of ``known``."""

    def answer(request: httpx.Request) -> httpx.Response:
        for path, found in known.items():
            if request.url.path.endswith(path):
                return httpx.Response(200, json=found)
        content, kind = BODIES[body]
        return httpx.Response(200, content=content, headers={"content-type": kind})

    transport = httpx.MockTransport(answer)
    litellm.client_session = httpx.Client(transport=transport)
    litellm.aclient_session = httpx.AsyncClient(transport=transport)
    try:
        yield
    finally:
        litellm.client_session = litellm.aclient_session = None


def refused(function: Any, *arguments: Any, doing: str, **named: Any) -> None:
    """The function raises the exception that names what was being done and what came back."""
    with pytest.raises(litellm.InternalServerError) as caught:
        _run(function(*arguments, **named))
    message = str(caught.value)
    assert doing in message
    assert "status 200" in message
    assert "api_base" in message
    assert "Traceback" not in message


def _run(result: Any) -> None:
    if asyncio.iscoroutine(result):
        asyncio.run(result)


def arguments(agent: str = "asst_rec", **more: Any) -> dict[str, Any]:
    return {"model": f"azure_ai/agents/{agent}", "messages": HELLO, "api_base": BASE,
            "api_key": "k", "max_retries": 0, **more}  # fmt: skip


@pytest.mark.parametrize("run_mode", ["stream", "poll"])
@pytest.mark.parametrize(
    ("agent", "doing"),
    [("asst_rec", "create the thread and its run"), ("bob", "create the response")],
)
def test_a_new_answer(body: str, way: Way, agent: str, doing: str, run_mode: str) -> None:
    with service(body):
        refused(way.ask, **arguments(agent, run_mode=run_mode), doing=doing)


RUNNING = {"id": RUN, "thread_id": THREAD, "status": "queued"}
MADE = {"id": "resp_1", "status": "queued"}


def test_looking_at_what_was_made(body: str) -> None:
    polled = {"run_mode": "poll", "poll_interval": 0.001}
    with service(body, **{"/threads/runs": RUNNING}):
        refused(Way("sync").ask, **arguments(**polled), doing="read the run")
    with service(body, **{"/responses": MADE}):
        refused(Way("async").ask, **arguments("bob", **polled), doing="read the response")
    ended = {**RUNNING, "status": "completed"}
    with service(body, **{"/threads/runs": RUNNING, f"/runs/{RUN}": ended}):
        refused(Way("sync").ask, **arguments(**polled), doing="list the run's messages")


def test_what_an_agent_is_made_of(body: str) -> None:
    doing = "read the agent's definition"
    with service(body):
        refused(Way("sync").ask, **arguments(tools=[TOOL]), doing=doing)
        refused(Way("async stream").ask, **arguments("bob", tools=[TOOL]), doing=doing)


def test_tool_results(body: str) -> None:
    id = encode(CallKind.RUN_CALL, THREAD, RUN, "call_1")
    calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    messages = [*HELLO, {"role": "assistant", "tool_calls": calls},
                {"role": "tool", "tool_call_id": id, "content": "1"}]  # fmt: skip
    with service(body):
        ask = Way("async").ask
        refused(ask, **arguments(messages=messages), doing="submit the tool results")


def test_many_messages(body: str) -> None:
    with service(body):
        messages = HELLO * 40
        refused(Way("sync").ask, **arguments(messages=messages), doing="create the thread")


@pytest.mark.parametrize("streamed", [False, True])
def test_native_responses(body: str, streamed: bool) -> None:
    given = {"model": "azure_ai/agents/bob", "input": "hi", "api_base": BASE, "api_key": "k",
             "stream": streamed, "max_retries": 0}  # fmt: skip
    with service(body):
        refused(litellm.responses, **given, doing="create the response")
        refused(litellm.aresponses, **given, doing="create the response")


def test_stored_responses(body: str) -> None:
    where = {"model": "azure_ai/agents/bob", "custom_llm_provider": "azure_ai", "api_base": BASE,
             "api_key": "k"}  # fmt: skip
    with service(body):
        refused(litellm.get_responses, "resp_1", **where, doing="read the response")
        refused(litellm.acancel_responses, "resp_1", **where, doing="cancel the response")


def test_a_stored_response_that_is_gone_without_a_word() -> None:
    where = {"model": "azure_ai/agents/bob", "custom_llm_provider": "azure_ai", "api_base": BASE,
             "api_key": "k"}  # fmt: skip
    with service("empty"):
        assert litellm.delete_responses("resp_1", **where).deleted is True
        assert files.delete("file-1", api_base=BASE, api_key="k") is True


@pytest.mark.parametrize("asynchronous", [False, True])
def test_files_and_vector_stores(body: str, asynchronous: bool) -> None:
    at = {"api_base": BASE, "api_key": "k", "max_retries": 0}
    prefix = "a" if asynchronous else ""
    with service(body):
        refused(getattr(files, prefix + "info"), "file-1", **at, doing="look up the file file-1")
        refused(getattr(files, prefix + "list"), **at, doing="list the files")
        upload = getattr(files, prefix + "upload")
        refused(upload, b"x", filename="a.txt", **at, doing="upload the file 'a.txt'")
        create = getattr(vector_stores, prefix + "create")
        refused(create, [("a.txt", b"x")], **at, doing="list vector stores")
    with service(body, **{"/files": {"id": "file-1"}}):
        create = getattr(vector_stores, prefix + "create")
        doing = "create the vector store"
        refused(create, [("a.txt", b"x")], reuse=False, **at, doing=doing)


def test_what_is_no_definition_is_asked_for_again() -> None:
    """A gateway's page is not kept for as long as the agent would be."""
    with service("html"):
        refused(Way("sync").ask, **arguments(tools=[TOOL]), doing="read the agent's definition")
    agent = {"id": "asst_rec", "tools": []}
    with service("html", **{"/assistants/asst_rec": agent}):
        doing = "create the thread and its run"
        refused(Way("sync").ask, **arguments(tools=[TOOL]), doing=doing)
