"""A service that speaks HTTP in its own way, or none: byte for byte, over a true socket."""

from __future__ import annotations

import contextlib
import gzip
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import litellm
import pytest

from tests.support.stream_service import ThreadService
from tests.support.ways import Way

BODY = ThreadService("unicode").body
TEXT = "a\u2028b\u2029c\x85d 👩🏽‍🚀e\u0301\r\n\x00?𝒳"
GZIPPED = gzip.compress(BODY)
PLAIN = b"content-type: text/event-stream\r\n"


def stream(pieces: list[bytes], head: bytes = PLAIN) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
    return (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
        + head
        + b"\r\n"
        + chunks
        + (b"0\r\n\r\n")
    )


def refusal(line: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + line, *headers, b"content-length: 0", b"", b""])


@contextmanager
def service(answer: bytes) -> Iterator[dict[str, Any]]:
    """Answers each POST with ``answer``; the run can be read as it stands at the end."""
    played = ThreadService("unicode")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while line := _read_request(self.rfile):
                    if line.startswith(b"POST"):
                        self.wfile.write(answer)
                        if b"chunked" not in answer[:100]:
                            return
                    else:
                        page = {"data": played.messages(), "has_more": False}
                        found = page if b"/messages" in line else played.run()
                        content = json.dumps(found).encode()
                        length = b"content-length: %d" % len(content)
                        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + content)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield {"api_base": f"http://127.0.0.1:{server.server_address[1]}/api/projects/p"}
        server.shutdown()


def _read_request(file: BinaryIO) -> bytes:
    """The first line of a request, read to its end; empty at the end of the connection."""
    first = line = file.readline()
    length = 0
    while line not in (b"\r\n", b""):
        line = file.readline()
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    file.read(length)
    return first


def ask(way: Way, where: dict[str, Any]) -> Any:
    return way.ask(
        model="azure_ai/agents/asst_rec", messages=[{"role": "user", "content": "Hi"}],
        api_key="k", max_retries=0, timeout=60, **where,
    )  # fmt: skip


READABLE = {
    "byte by byte": stream([BODY[i : i + 1] for i in range(len(BODY))]),
    "byte order mark": stream([b"\xef\xbb\xbf" + BODY]),
    "CR only": stream([BODY.replace(b"\n", b"\r")]),
    "CR LF": stream([BODY.replace(b"\n", b"\r\n")]),
    "gzip": stream([GZIPPED[:40], GZIPPED[40:]], PLAIN + b"content-encoding: gzip\r\n"),
    "odd content type": stream([BODY], b"Content-Type: Text/Event-Stream; charset=UTF-8\r\n"),
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n" + stream([BODY]),
    "early hints": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + stream([BODY]),
}


@pytest.mark.parametrize("kind", READABLE)
def test_it_is_read(way: Way, kind: str) -> None:
    with service(READABLE[kind]) as where:
        assert ask(way, where).text == TEXT


@pytest.mark.parametrize("way_name", ["sync stream", "async stream"])
def test_a_huge_event_is_an_event(way_name: str) -> None:
    said = {"index": 0, "type": "text", "text": {"value": "x" * (20 << 20)}}
    data = json.dumps({"id": "msg_0", "delta": {"content": [said]}}).encode()
    huge = b"event: thread.message.delta\ndata: " + data + b"\n\n"
    at = BODY.index(b"event: thread.message.created")
    with service(stream([BODY[:at], huge, BODY[at:]])) as where:
        text = ask(Way(way_name), where).text
    assert text.count("x") == 20 << 20
    assert text.endswith(TEXT)


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"304 Same", b"308 Moved"])
def test_a_redirect_is_said_and_not_followed(way: Way, status: bytes) -> None:
    answer = refusal(status, b"location: http://127.0.0.1:9/stolen")
    with service(answer) as where, pytest.raises(litellm.BadGatewayError, match="not followed"):
        ask(way, where)


def test_headers_that_are_no_ascii(way: Way) -> None:
    answer = refusal(b"429 Slow", b"x-request-id: caf\xe9", b"retry-after: \xff")
    with service(answer) as where, pytest.raises(litellm.RateLimitError):
        ask(way, where)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (stream([b"no gzip"], PLAIN + b"content-encoding: gzip\r\n"), "DecodingError"),
        (stream([]).replace(b"0\r\n\r\n", b"zz\r\n"), "RemoteProtocolError"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\nhello", "RemoteProtocolError"),
        (b"SSH-2.0-OpenSSH\r\n", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000 + b"\r\n\r\n", "RemoteProtocolError"),
    ],
)  # fmt: skip
def test_what_is_no_answer_says_why(way: Way, answer: bytes, reason: str) -> None:
    with service(answer) as where, pytest.raises(litellm.APIConnectionError, match=reason):
        ask(way, where)
