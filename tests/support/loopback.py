"""A service of either protocol on a loopback socket: it plays the bytes that a test gives it.

What was streamed can also be asked for: the run with its messages and steps, or the response, as
they stand at the end.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.streams import encode
from tests.support.thread_streams import run

Events = list[tuple[str, Any]]


@dataclass
class Loopback:
    """What the service plays, and what was asked of it.

    ``pieces`` are written one by one to each request that asks for a stream. ``silent`` keeps the
    connection open behind them, as long as the client stays. ``ended`` is the run or response as it
    stands at the end.
    """

    pieces: Sequence[bytes] = ()
    ended: Any = None
    messages: list[Any] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    url: str = ""

    def plays_run(self, events: Events, messages: Sequence[Any] = (), steps: Sequence[Any] = (),
                  **ended: Any) -> None:  # fmt: skip
        """Play a classic agent's run that ends with ``messages``."""
        self.plays(encode(events))
        self.messages, self.steps = [*messages], [*steps]
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        self.ended = run("completed", **{"usage": usage, **ended})

    def plays(self, *pieces: bytes) -> None:
        """Play these bytes, each as a network read of its own."""
        self.pieces = pieces

    def body(self) -> bytes:
        """All bytes that are played."""
        return b"".join(self.pieces)


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A service that runs until the end of the block."""
    service = Loopback()
    gone = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.loads(content or b"{}")
            service.asked.append(f"POST {self.path}")
            service.bodies.append(body)
            if not body.get("stream"):
                threads = "thread_id" in service.ended
                polled = threads or body.get("background")
                self.answer({**service.ended, "status": "queued"} if polled else service.ended)
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for piece in service.pieces:
                self.wfile.write(piece)
                self.wfile.flush()
            if service.silent:
                gone.wait(20)
            self.close_connection = True

        def do_GET(self) -> None:
            service.asked.append(f"GET {self.path}")
            last = self.path.partition("?")[0].rpartition("/")[2]
            lists = {"messages": service.messages, "steps": service.steps, "runs": [service.ended]}
            page = {"data": lists.get(last), "has_more": False, "object": "list"}
            self.answer(page if last in lists else service.ended)

        def do_DELETE(self) -> None:
            self.answer({})

        def answer(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is no error of the test."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}/api/projects/p"
        yield service
        gone.set()
        server.shutdown()
