"""A TCP proxy on loopback that plays network faults between a client and a server.

    with FaultProxy(emulator.url, plan) as proxy:
        ...  # a client, pointed at proxy.url

A *plan* is a function. It is asked once for each accepted connection and once for each request
that was received whole, and returns the `Fault` to play, or None. The proxy understands just
enough HTTP/1.1 (by h11) to know where a message ends; what it passes on are the bytes as they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import h11

T = TypeVar("T")
READ = 65536
DRIP_SECONDS = 0.002
"""Between two pieces of an answer that drips."""
GARBAGE = b"\x16\x03\x01\x02\x00\x01\x00 this is no HTTP \xff\xfe\r\n\r\n"

HEAD = -1
"""For `Fault.after`: between the response's head and its body."""

At = Literal["accept", "request", "response"]
How = Literal["reset", "close", "hold", "garbage", "drip"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a connection, and when.

    ``at``: on ``accept``; at the ``request``, which was received but is not forwarded; in the
    ``response``, when ``after`` bytes of it have been passed on (0: before its head; `HEAD`: when
    its head has been).
    ``how``: ``reset`` (TCP RST), ``close`` (FIN), ``hold`` (silence, for ``seconds`` or until the
    client goes), ``garbage`` (bytes that are no HTTP, then FIN), ``drip`` (the rest of the answer
    in pieces of ``size`` bytes).
    ``upstream``: what happens to the server's side of a response that is cut: ``close`` it, so
    that the server sees the client go, or ``drain`` it, so that the server notices nothing.
    """

    at: At
    how: How
    after: int = 0
    seconds: float | None = None
    size: int = 16
    upstream: Literal["close", "drain"] = "drain"


@dataclass(slots=True)
class Arrival:
    """A connection (``method`` is empty) or a request on it, and what became of it."""

    connection: int
    method: str = ""
    path: str = ""
    body: bytes = b""
    fault: Fault | None = None
    forwarded: bool = False
    passed: int = 0
    """Bytes of the response that the client was sent."""
    played: bool = False
    """Whether the fault came about; a response may be over before its offset."""
    ended: bool = False


Plan = Callable[[Arrival], Fault | None]


def no_faults(arrival: Arrival) -> Fault | None:
    """The plan in which nothing goes wrong."""
    return None


def once(fault: Fault, *, method: str | None = None, path: str = "") -> Plan:
    """Plays ``fault`` at the first request (or connection) that fits, and nothing after it."""
    left = [fault]

    def plan(arrival: Arrival) -> Fault | None:
        if bool(arrival.method) == (fault.at == "accept"):
            return None
        if method not in (None, arrival.method) or path not in arrival.path:
            return None
        return left.pop() if left else None

    return plan


def always(fault: Fault, *, method: str | None = None, path: str = "") -> Plan:
    """Plays ``fault`` at every request (or connection) that fits."""

    def plan(arrival: Arrival) -> Fault | None:
        if bool(arrival.method) == (fault.at == "accept"):
            return None
        if method not in (None, arrival.method) or path not in arrival.path:
            return None
        return fault

    return plan


def share(rate: float, seed: int) -> Plan:
    """Plays a fault of a random kind on ``rate`` of all connections; the same for the same seed.

    Meant for a proxy without keep-alive, where each request has a connection of its own. A third
    of the faults come before the request reached the server, the rest after.
    """
    dice = random.Random(seed)
    chosen: dict[int, Fault] = {}

    def plan(arrival: Arrival) -> Fault | None:
        if not arrival.method:
            if dice.random() >= rate:
                return None
            fault = _random_fault(dice)
            if fault.at == "accept":
                return fault
            chosen[arrival.connection] = fault
            return None
        return chosen.pop(arrival.connection, None)

    return plan


def _random_fault(dice: random.Random) -> Fault:
    how = dice.choice(("reset", "close"))
    upstream = dice.choice(("close", "drain"))
    kind = dice.randrange(6)
    if kind == 0:
        return Fault("accept", "reset")
    if kind == 1:
        return Fault("request", how)  # type: ignore[arg-type]
    after = 0 if kind in (2, 3) else int(10 ** dice.uniform(0.5, 3.8))
    return Fault("response", how, after=after, upstream=upstream)  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class _Client:
    """The client's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    buffered: bytes = b""
    ahead: asyncio.Task[bytes] | None = None

    async def read(self) -> bytes:
        ahead, self.ahead = self.ahead, None
        return await (ahead or self.reader.read(READ))

    def watch(self) -> asyncio.Task[bytes]:
        """A read that is done as soon as the client goes (or sends more)."""
        if self.ahead is None:
            self.ahead = asyncio.ensure_future(self.reader.read(READ))
        return self.ahead

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        if self.ahead is not None:
            self.ahead.cancel()
        self.writer.close()


class _Over(Exception):
    """The connection has come to its end."""


@dataclass
class FaultProxy:
    """The proxy; ``target`` is the root URL of the server. Runs in a thread of its own.

    ``keep_alive`` False gives each request a connection of its own.
    """

    target: str
    plan: Plan = no_faults
    keep_alive: bool = True
    arrivals: list[Arrival] = field(default_factory=list)
    """Connections and requests, in the order in which they came."""
    port: int = 0

    def __enter__(self) -> FaultProxy:
        parts = urlsplit(self.target)
        assert parts.hostname is not None
        assert parts.port is not None
        self._server_address = (parts.hostname, parts.port)
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[_Client] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- what tests use ------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The root URL for clients."""
        return f"http://127.0.0.1:{self.port}"

    def at(self, url: str) -> str:
        """``url`` of the server, as reached through the proxy."""
        return url.replace(self.target, self.url, 1)

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._connections

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._clients)

    @property
    def requests(self) -> list[Arrival]:
        """The requests that were received whole."""
        return [arrival for arrival in self.arrivals if arrival.method]

    def forwarded(self, method: str = "POST") -> Counter[str]:
        """How many requests reached the server, by path."""
        return Counter(a.path for a in self.requests if a.forwarded and a.method == method)

    def refuse(self) -> None:
        """Listen no more: connections are refused until `listen`."""

        async def refuse() -> None:
            self._server.close()

        self._run(refuse())

    def listen(self) -> None:
        """Listen again, at the same port."""
        self._run(self._listen())

    def reset_all(self) -> None:
        """Reset all connections that are open."""

        async def reset() -> None:
            for client in tuple(self._clients):
                client.reset()

        self._run(reset())

    # -- life ----------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        sock.listen(1024)
        self._server = await asyncio.start_server(self._serve, sock=sock)
        self.port = sock.getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one connection ------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(reader, writer)
        self._clients.add(client)
        self._connections += 1
        number = self._connections
        try:
            await self._accepted(client, number)
            while True:
                await self._exchange(client, await self._request(client, number))
                if not self.keep_alive:
                    break
        except (_Over, OSError, asyncio.CancelledError):
            pass  # cancelled: the proxy stops
        finally:
            client.close()
            self._clients.discard(client)

    async def _accepted(self, client: _Client, number: int) -> None:
        arrival = Arrival(number)
        self.arrivals.append(arrival)
        fault = arrival.fault = self.plan(arrival)
        if fault is not None:
            assert fault.at == "accept"
            await self._break(client, arrival, fault)

    async def _request(self, client: _Client, number: int) -> tuple[Arrival, bytes, h11.Request]:
        """The next request, whole: how it is recorded, its bytes, its head."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        raw, client.buffered = client.buffered, b""
        parser.receive_data(raw) if raw else None
        head: h11.Request | None = None
        body = bytearray()
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                await client.send(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
                raise _Over from None
            if event is h11.NEED_DATA:
                data = await client.read()
                if not data:
                    raise _Over
                raw += data
                parser.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise _Over
        assert head is not None
        path = head.target.decode("latin-1").partition("?")[0]
        arrival = Arrival(number, head.method.decode(), path, bytes(body))
        self.arrivals.append(arrival)
        return arrival, raw, head

    async def _exchange(
        self, client: _Client, received: tuple[Arrival, bytes, h11.Request]
    ) -> None:
        arrival, raw, head = received
        fault = arrival.fault = self.plan(arrival)
        if fault is not None and fault.at == "request":
            await self._break(client, arrival, fault)
        up_reader, up_writer = await asyncio.open_connection(*self._server_address)
        draining = False
        try:
            framing = h11.Connection(h11.CLIENT)
            framing.send(head)
            framing.send(h11.Data(arrival.body))
            framing.send(h11.EndOfMessage())
            arrival.forwarded = True
            up_writer.write(raw)
            await up_writer.drain()
            try:
                await self._pass_on(client, arrival, fault, up_reader, framing)
            except (_Over, OSError):
                # What we cut may go unnoticed; a client that left of its own will is noticed.
                cut = fault is not None and fault.how not in ("hold", "drip")
                draining = arrival.played and cut and fault.upstream == "drain"
                if draining:
                    self._keep(_drain(up_reader, up_writer, framing))
                raise
        finally:
            arrival.ended = True
            if not draining:
                up_writer.close()

    async def _pass_on(
        self,
        client: _Client,
        arrival: Arrival,
        fault: Fault | None,
        upstream: asyncio.StreamReader,
        framing: h11.Connection,
    ) -> None:
        """Pass the response on until it ends or the fault comes."""
        size = READ
        while True:
            if fault is not None and 0 <= fault.after <= arrival.passed and not arrival.played:
                await self._break(client, arrival, fault)
                size = fault.size if fault.how == "drip" else READ
            data = await self._unless_gone(client, upstream.read(READ))
            if not data:
                raise _Over
            ended = _ends(framing, data)
            if not arrival.passed and not self.keep_alive:
                data = data.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
            if fault is not None and fault.after == HEAD:
                fault = replace(fault, after=data.index(b"\r\n\r\n") + 4)
            while data:
                take = size
                if fault is not None and not arrival.played:
                    take = fault.after - arrival.passed
                    if take <= 0:
                        await self._break(client, arrival, fault)
                        size = take = fault.size if fault.how == "drip" else READ
                piece, data = data[:take], data[take:]
                arrival.passed += len(piece)
                await client.send(piece)
                if size < READ:
                    await self._unless_gone(client, asyncio.sleep(DRIP_SECONDS))
            if ended:
                return

    async def _unless_gone(self, client: _Client, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``; `_Over` as soon as the client leaves."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                gone = client.watch()
                await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    data = await client.read()
                    if not data:
                        raise _Over
                    client.buffered += data
            return await task
        finally:
            task.cancel()

    async def _break(self, client: _Client, arrival: Arrival, fault: Fault) -> None:
        """Play a fault; returns if the response is to go on."""
        arrival.played = True
        if fault.how == "drip":
            return
        if fault.how == "hold":
            await self._unless_gone(
                client, asyncio.sleep(86400 if fault.seconds is None else fault.seconds)
            )
            return
        if fault.how == "garbage":
            with contextlib.suppress(OSError):
                await client.send(GARBAGE)
        if fault.how == "reset":
            client.reset()
        raise _Over

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _drain(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framing: h11.Connection
) -> None:
    """Read the rest of the server's response, for nobody. Then the connection is closed: the server
    would keep it for further requests."""
    with contextlib.suppress(OSError, h11.RemoteProtocolError):
        while framing.their_state in (h11.SEND_RESPONSE, h11.SEND_BODY):
            data = await reader.read(READ)
            if not data:
                break
            _ends(framing, data)
    writer.close()


def _ends(framing: h11.Connection, data: bytes) -> bool:
    """Whether ``data`` has the end of the response."""
    framing.receive_data(data)
    while True:
        event = framing.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return False
        if isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return True
