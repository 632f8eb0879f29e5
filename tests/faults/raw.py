"""A server that answers every request with the same bytes, for as long as the client listens."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator

Answer = Callable[[], Iterable[bytes]]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A project endpoint behind which ``answer`` is sent, then the connection closed."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.rfile.read(length)
                for piece in answer():
                    self.wfile.write(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/projects/p"
        server.shutdown()


def head(status: str, kind: str, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", *more, "connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _forever(start: bytes, piece: bytes) -> Answer:
    def answer() -> Iterator[bytes]:
        yield start
        while True:
            yield piece

    return answer


def _bomb() -> Iterator[bytes]:
    """700 MB of zeros in 0.7 MB, as an error page."""
    yield head("500 Bad", "text/html", "content-encoding: gzip")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"\0" * (1 << 20)
    for _ in range(700):
        yield packer.compress(block)
    yield packer.flush()


ENDLESS: dict[str, Answer] = {
    "json": _forever(head("200 OK", "application/json") + b'{"id": "', b"x" * 65536),
    "error page": _forever(head("500 Bad", "text/html"), b"x" * 65536),
    "gzip bomb": _bomb,
    "empty data lines": _forever(head("200 OK", "text/event-stream"), b"data:\n" * 10_000),
    "one long line": _forever(head("200 OK", "text/event-stream") + b"data: ", b"x" * 65536),
    "nameless field lines": _forever(head("200 OK", "text/event-stream"), b"x: y\n" * 10_000),
}
"""Answers that never end, or are far larger than they look."""
