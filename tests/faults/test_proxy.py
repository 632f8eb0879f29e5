"""The fault proxy itself: what it passes on, what it breaks, and what it counts."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.proxy import GARBAGE, HEAD, Fault, FaultProxy, always, once, share

BODY = b"0123456789" * 100


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers every request with `BODY`; keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        type(self).asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        if self.path.endswith("chunked"):
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BODY), 100):
                self.wfile.write(b"64\r\n" + BODY[start : start + 100] + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def origin() -> Iterator[str]:
    Origin.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def proxy(origin: str) -> Iterator[FaultProxy]:
    with FaultProxy(origin) as running:
        yield running


def reached() -> list[str]:
    """What the origin was asked, once it has had time to be asked more."""
    time.sleep(0.05)
    return Origin.asked


def test_bytes_pass_as_they_are_on_one_connection(proxy: FaultProxy) -> None:
    with httpx.Client() as client:
        for path in ("/plain", "/chunked", "/plain"):
            assert client.get(proxy.url + path).content == BODY
        assert client.post(proxy.url + "/p", content=b"x" * 100_000).content == BODY
        assert proxy.open_connections == 1
    assert proxy.connections == 1
    assert proxy.forwarded() == {"/p": 1}
    assert [len(a.body) for a in proxy.requests] == [0, 0, 0, 100_000]


def test_without_keep_alive_each_request_has_a_connection(proxy: FaultProxy) -> None:
    proxy.keep_alive = False
    with httpx.Client() as client:
        for _ in range(3):
            assert client.post(proxy.url + "/p", content=b"abc").content == BODY
    assert proxy.connections == 3


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("at", ["accept", "request", "response"])
def test_a_broken_connection(proxy: FaultProxy, at: str, how: str) -> None:
    proxy.plan = once(Fault(at, how))  # type: ignore[arg-type]
    with pytest.raises(httpx.TransportError) as caught:
        httpx.post(proxy.url + "/p")
    if at != "accept":
        seen = httpx.ReadError if how == "reset" else httpx.RemoteProtocolError
        assert isinstance(caught.value, seen)
    assert reached() == (["POST /p"] if at == "response" else [])
    assert sum(proxy.forwarded().values()) == (at == "response")
    assert httpx.post(proxy.url + "/p").content == BODY


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
@pytest.mark.parametrize("after", [1, 30, 400])
def test_a_response_is_cut_at_its_offset(proxy: FaultProxy, path: str, after: int) -> None:
    proxy.plan = once(Fault("response", "close", after=after))
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode())
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert len(received) == after
    assert received == b"HTTP/1.1 200 OK\r\n"[:after] or received.startswith(b"HTTP/1.1 200 OK")


def test_a_response_is_cut_after_its_head(proxy: FaultProxy) -> None:
    proxy.plan = once(Fault("response", "close", after=HEAD))
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert received.endswith(b"\r\n\r\n")
    assert BODY[:10] not in received


@pytest.mark.parametrize("at", ["accept", "request", "response"])
def test_silence(proxy: FaultProxy, at: str) -> None:
    """Half-open: nothing comes until the client goes, and then the connection is gone."""
    proxy.plan = once(Fault(at, "hold"))  # type: ignore[arg-type]
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(proxy.url, timeout=0.2)
    end = time.monotonic() + 5
    while proxy.open_connections and time.monotonic() < end:
        time.sleep(0.01)
    assert proxy.open_connections == 0


def test_the_server_sees_a_client_leave_that_it_keeps_waiting() -> None:
    """Only what is cut may go unnoticed; who leaves while held up is seen to leave."""
    gone = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        if connection.recv(4096) == b"":
            gone.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        plan = once(Fault("response", "hold", after=HEAD))
        with FaultProxy(f"http://127.0.0.1:{listener.getsockname()[1]}", plan) as proxy:
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(proxy.url, timeout=0.3)
            assert gone.wait(5)


def test_a_pause_and_a_drip_lose_nothing(proxy: FaultProxy) -> None:
    for fault in (
        Fault("response", "hold", after=100, seconds=0.05),
        Fault("response", "drip", after=20, size=64),
    ):
        proxy.plan = once(fault)
        assert httpx.get(proxy.url + "/chunked").content == BODY
        assert proxy.requests[-1].played


def test_garbage(proxy: FaultProxy) -> None:
    proxy.plan = always(Fault("request", "garbage"))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(proxy.url)
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"".join(iter(lambda: client.recv(4096), b"")) == GARBAGE


def test_refused_connections(proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(httpx.ConnectError):
        httpx.get(proxy.url)
    proxy.listen()
    assert httpx.get(proxy.url).content == BODY


def test_faults_for_some_requests_only(proxy: FaultProxy) -> None:
    proxy.plan = always(Fault("request", "close"), method="POST", path="/runs")
    assert httpx.get(proxy.url + "/runs").content == BODY
    assert httpx.post(proxy.url + "/other").content == BODY
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(proxy.url + "/runs")


def test_open_connections_can_be_reset(proxy: FaultProxy) -> None:
    with httpx.Client() as client:
        client.get(proxy.url)
        proxy.reset_all()
        time.sleep(0.05)
        assert client.get(proxy.url).content == BODY  # httpx sees that the old one is gone
    assert proxy.connections == 2


def test_a_share_of_faults_is_the_same_for_the_same_seed(origin: str) -> None:
    def play(seed: int) -> list[Fault | None]:
        with FaultProxy(origin, share(0.3, seed), keep_alive=False) as proxy:
            for _ in range(200):
                try:
                    httpx.post(proxy.url)
                except httpx.TransportError:
                    continue
            return [a.fault for a in proxy.arrivals if a.fault]

    first = play(7)
    assert 35 <= len(first) <= 85
    assert {fault.at for fault in first if fault} == {"accept", "request", "response"}
    assert play(7) == first
    assert play(8) != first
