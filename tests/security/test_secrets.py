"""A secret is planted and then searched for: in logs at debug level, errors and answers."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import io
import json
import logging
import socketserver
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import litellm
import pytest
from litellm._logging import verbose_logger

from litellm_azure_agents import files, vector_stores
from litellm_azure_agents.emulator import Emulator
from tests.support.ways import WAYS, Way

SECRET = "pl4nted-t0ken-Zq7XvB2mKd9RwL"
"""Of no pattern that a filter could know."""
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, by whomever, from debug level up."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    names = ["", "LiteLLM", "LiteLLM Router", "litellm_azure_agents", "httpx", "httpcore"]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        if logger.name in ("root", "LiteLLM", "LiteLLM Router") or not logger.propagate:
            logger.addHandler(handler)
    yield text
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
        logger.removeHandler(handler)


def told_by(error: BaseException) -> str:
    """What an exception and its causes show: texts, attributes, traceback."""
    shown = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        shown += [str(one), repr(one), repr(one.args)]
        for name, value in vars(one).items():
            shown.append(f"{name}={value!r}")
            if name in ("response", "headers") and hasattr(value, "text"):
                shown.append(value.text)
        todo += [one.__cause__, one.__context__, getattr(one, "original_exception", None)]
    return "\n".join(shown)


def refusal(status: str, body: Any, kind: str = "application/json") -> bytes:
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nx-request-id: req_1\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    ).encode() + content


def stream(*events: Any) -> bytes:
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return (head + body).encode()


ECHOES = {
    "bare": refusal("400 Bad", {"error": {"message": f"bad token {SECRET}", "code": "x"}}),
    "401": refusal("401 Unauthorized", {"error": {"message": f"token {SECRET} has expired"}}),
    "in the code": refusal("403 No", {"error": {"message": "no", "code": SECRET}}),
    "a page": refusal("500 Bad", f"<html>{SECRET}</html>", "text/html"),
    "escaped": refusal("400 Bad", {"error": {"message": json.dumps({"auth": SECRET})}}),
    "at the cut": refusal("400 Bad", {"error": {"message": "x" * 1985 + SECRET}}),
    "success": refusal("200 OK", f"<html>{SECRET}</html>", "text/html"),
    "an error event": stream(("error", {"error": {"message": f"the token {SECRET} is bad"}})),
}
"""Answers that repeat the token that they were sent."""


@contextlib.contextmanager
def service(answer: bytes) -> Iterator[str]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            with contextlib.suppress(OSError):
                self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/projects/p"
        server.shutdown()


def halves() -> tuple[str, str]:
    """A half of a secret is one too, where a text was cut."""
    return SECRET[:14], SECRET[-14:]


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("agent", ["asst_x", "x"])
@pytest.mark.parametrize("echo", ECHOES)
def test_a_service_that_repeats_the_token(
    log: io.StringIO, echo: str, agent: str, name: str
) -> None:
    with service(ECHOES[echo]) as where, pytest.raises(Exception) as caught:  # noqa: PT011
        Way(name).ask(
            model=f"azure_ai/agents/{agent}",
            messages=HELLO,
            api_base=where,
            api_key=SECRET,
            max_retries=0,
        )
    shown = told_by(caught.value)
    for half in halves():
        assert half not in shown
        assert half not in ours(log)


def ours(log: io.StringIO) -> str:
    return log.getvalue()


@pytest.mark.parametrize("agent", ["asst_echo", "echo"])
def test_an_ordinary_call(emulator: Emulator, log: io.StringIO, agent: str) -> None:
    """Through the Router too, streamed and whole, with debugging on."""
    assert verbose_logger.isEnabledFor(logging.DEBUG)
    model = f"azure_ai/agents/{agent}"
    where = {"api_base": emulator.endpoint, "api_key": SECRET}
    params = {"model": model, **where}
    routed = litellm.Router(model_list=[{"model_name": "agent", "litellm_params": params}])

    async def go() -> list[Any]:
        answers: list[Any] = [await routed.acompletion(model="agent", messages=HELLO)]
        stream = await litellm.acompletion(model=model, messages=HELLO, stream=True, **where)
        return answers + [chunk async for chunk in stream]

    answers = [*asyncio.run(go()), litellm.completion(model=model, messages=HELLO, **where)]
    for answer in answers:
        assert SECRET not in repr(vars(answer))
        assert SECRET not in answer.model_dump_json()
    assert SECRET not in ours(log)


def test_the_search_finds_what_is_there(log: io.StringIO) -> None:
    """The two searches above see a secret where there is one."""
    for name in ("litellm_azure_agents", "LiteLLM", "httpx"):
        logging.getLogger(name).debug("token %s", SECRET)
    assert ours(log).count(SECRET) >= 3
    error = ValueError("x")
    error.response = SECRET  # type: ignore[attr-defined]
    try:
        raise KeyError from error
    except KeyError as outer:
        assert SECRET in told_by(outer)  # noqa: PT017


FAILED = {
    "id": "resp_1", "object": "response", "status": "failed", "created_at": 1, "output": [],
    "model": "m", "error": {"code": "server_error", "message": f"the token {SECRET} is bad"},
}  # fmt: skip
NATIVE = {
    **ECHOES,
    "a failed response": stream(("response.failed", {"type": "response.failed",
                                                     "response": FAILED})),
    "a failed whole response": refusal("200 OK", FAILED),
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("echo", NATIVE)
def test_a_service_that_repeats_the_token_natively(echo: str, streamed: bool) -> None:
    with service(NATIVE[echo]) as where:
        shown = ""
        try:
            answer = litellm.responses(
                model="azure_ai/agents/x", input="hello", api_base=where, api_key=SECRET,
                max_retries=0, stream=streamed,
            )  # fmt: skip
            shown = "".join(map(repr, answer)) if streamed else repr(answer)
        except Exception as error:
            shown += told_by(error)
    assert shown
    for half in halves():
        assert half not in shown


@pytest.mark.parametrize("echo", ECHOES)
def test_a_service_that_repeats_the_token_to_files(echo: str) -> None:
    where: dict[str, Any] = {"api_key": SECRET, "max_retries": 0}
    calls = [
        lambda: files.info("file_1", **where),
        lambda: files.upload(b"x", filename="a.txt", **where),
        lambda: vector_stores.create([("a.txt", b"x")], **where),
    ]
    with service(ECHOES[echo]) as where["api_base"]:
        for call in calls:
            with pytest.raises(Exception) as caught:  # noqa: PT011
                call()
            for half in halves():
                assert half not in told_by(caught.value)


def test_a_failed_file_that_repeats_the_token() -> None:
    replies = {
        "/files": {"id": "file_1", "status": "processed", "data": [
            {"id": "file_1", "status": "failed",
             "last_error": {"code": "server_error", "message": f"token {SECRET}"}}]},
        "/vector_stores": {"id": "vs_1", "data": []},
        "/file_batches": {"id": "vsfb_1", "status": "completed", "data": []},
    }  # fmt: skip

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            body = json.dumps(replies["/" + path.rpartition("/")[2]]).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        where = f"http://127.0.0.1:{server.server_address[1]}/api/projects/p"
        with pytest.raises(vector_stores.VectorStoreError) as caught:
            vector_stores.create([("a.txt", b"x")], api_base=where, api_key=SECRET)
        server.shutdown()
    assert "server_error" in str(caught.value)
    for half in halves():
        assert half not in told_by(caught.value) + repr(caught.value.store)
