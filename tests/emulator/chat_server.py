"""A server that speaks OpenAI's chat completions: it plays recorded chunks and keeps requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk as OpenAI sends it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [choice], **more,
    }  # fmt: skip


def usage(prompt: int, completion: int, **details: int) -> dict[str, Any]:
    """The last chunk, with what was used."""
    whole: dict[str, Any] = {
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }  # fmt: skip
    if details:
        whole["completion_tokens_details"] = details
    return {**chunk({}), "choices": [], "usage": whole}


def says(*texts: str, finish: str = "stop", prompt: int = 11, completion: int = 7) -> Answer:
    """A streamed answer in words."""
    deltas = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": t}) for t in texts)]
    return 200, [*deltas, chunk({}, finish), usage(prompt, completion)]


def calls(*wanted: tuple[str, dict[str, Any]], text: str = "", prompt: int = 20) -> Answer:
    """A streamed answer that calls functions; arguments come in pieces."""
    chunks = [chunk({"role": "assistant", "content": text or None})]
    for index, (name, arguments) in enumerate(wanted):
        function: dict[str, str] = {"name": name, "arguments": ""}
        begin = {"index": index, "id": f"call_{name}_{index}", "type": "function"}
        chunks.append(chunk({"tool_calls": [{**begin, "function": function}]}))
        whole = json.dumps(arguments)
        for start in range(0, len(whole), 5):
            piece = {"arguments": whole[start : start + 5]}
            chunks.append(chunk({"tool_calls": [{"index": index, "function": piece}]}))
    return 200, [*chunks, chunk({}, "tool_calls"), usage(prompt, 9)]


def refuses(status: int, message: str, code: str) -> Answer:
    """An error."""
    return status, {"error": {"message": message, "type": code, "code": code, "param": None}}


class ChatServer:
    """What it was asked, and what it still has to say."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.url = ""
        self.left = threading.Event()
        """Set when a client has gone before the end."""


@contextmanager
def chat_server(*answers: Answer) -> Iterator[ChatServer]:
    """A server on a port of its own that gives these answers, one a request."""
    state = ChatServer(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            state.requests.append(json.loads(self.rfile.read(length)))
            status, body = state.answers.pop(0)
            streamed = not isinstance(body, dict)
            self.send_response(status)
            kind = "text/event-stream" if streamed else "application/json"
            self.send_header("content-type", kind)
            self.end_headers()
            if not streamed:
                self.wfile.write(json.dumps(body).encode())
                return
            try:
                for event in body:
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                    self.wfile.flush()
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                state.left.set()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
