"""Faults on demand, for tests of clients: late, refused, cut, stalled and lost answers.

By header `x-emulator-fault`, or by rules (`Faults.add`). The header's syntax is `name=value`
pairs with `;` between them:

    status=429;retry-after=1;times=1     refuse, before the request has any effect
    code=rate_limit_exceeded;message=... the fields of the refusal's body
    delay=0.5                            wait before the request is looked at
    drop                                 close the connection, before the request has any effect
    cut-after-events=5                   close the connection inside the body after 5 events
    cut-after-bytes=1000                 the same after bytes; with 0 only the answer is lost
    error-after-events=4                 an `error` event after 4 events, then the end of the body
    stall-after-events=3                 send nothing more after 3 events (stall=2: for 2 seconds)
    mode=cut | end | reset               how to cut: close (default), a clean end of body, TCP RST
    unnoticed                            a response (new protocol) that is cut continues
    run-expiry=0.2                       a run made by this request expires after 0.2 s
    times=2                              only the first 2 requests with this very header value

A run continues in the background, whatever happens to the connection that started it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..core.context import context_of

HEADER = "x-emulator-fault"
EVENT_END = b"\n\n"


@dataclass
class Fault:
    """What goes wrong, and for which requests (`path`, `method`; None for all)."""

    path: re.Pattern[str] | None = None
    method: str | None = None
    times: int | None = None
    status: int | None = None
    retry_after: str | None = None
    code: str | None = None
    message: str | None = None
    delay: float = 0.0
    drop: bool = False
    cut_after_events: int | None = None
    cut_after_bytes: int | None = None
    error_after_events: int | None = None
    stall_after_events: int | None = None
    stall: float | None = None
    mode: str = "cut"
    unnoticed: bool = False
    run_expiry: float | None = None

    def matches(self, scope: Scope) -> bool:
        """Whether this fault is for this request."""
        if self.times is not None and self.times <= 0:
            return False
        if self.method is not None and self.method.upper() != scope["method"]:
            return False
        return self.path is None or self.path.search(scope["path"]) is not None


class BadFault(ValueError):
    """The description of a fault is wrong."""


class Faults:
    """The rules in force, and how often each header value has been used."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._header_uses: dict[str, int] = {}

    def add(
        self,
        *,
        path_regex: str | None = None,
        method: str | None = None,
        times: int | None = None,
        **what: Any,
    ) -> Fault:
        """Add a rule; `what` are the names of the header syntax with `_` for `-`."""
        given = {"method": method, "times": times, **what}
        try:
            pattern = re.compile(path_regex) if path_regex is not None else None
            fault = replace(
                _checked({k: v for k, v in given.items() if v is not None}), path=pattern
            )
        except (TypeError, ValueError, re.error) as error:
            raise BadFault(f"bad fault: {error}") from error
        self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self.rules.clear()
        self._header_uses.clear()

    def pick(self, scope: Scope, header: str | None) -> Fault | None:
        """The fault for a request (a header beats rules); its use is counted."""
        if header:
            fault = parse(header)
            used = self._header_uses[header] = self._header_uses.get(header, 0) + 1
            return None if fault.times is not None and used > fault.times else fault
        for fault in self.rules:
            if fault.matches(scope):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


def parse(header: str) -> Fault:
    """The fault that a header value describes."""
    what: dict[str, Any] = {}
    for pair in filter(None, (part.strip() for part in header.split(";"))):
        name, _, value = pair.partition("=")
        what[name.strip().replace("-", "_")] = value.strip() or True
    what.pop("id", None)  # two tests can use the same fault and count it separately
    try:
        return _checked(what)
    except (TypeError, ValueError) as error:
        raise BadFault(f"bad {HEADER}: {error}") from error


def _checked(what: Mapping[str, Any]) -> Fault:
    kinds = {
        "times": int, "status": int, "cut_after_events": int, "cut_after_bytes": int,
        "error_after_events": int,
        "stall_after_events": int, "delay": float, "stall": float, "run_expiry": float,
        "drop": bool, "unnoticed": bool,
    }  # fmt: skip
    known = {field.name for field in fields(Fault)} - {"path"}
    for name in what:
        if name not in known:
            raise ValueError(f"{name!r} is none of {', '.join(sorted(known))}")
    fault = Fault(**{name: kinds.get(name, str)(value) for name, value in what.items()})
    if fault.mode not in ("cut", "end", "reset"):
        raise ValueError(f"mode is cut, end or reset, not {fault.mode!r}")
    if fault.status is not None and not 200 <= fault.status <= 599:
        raise ValueError(f"{fault.status} is no status of an answer")
    return fault


class _Cut(Exception):
    """Ends the application once its answer is cut."""


class FaultMiddleware:
    """Makes requests fail as the faults say."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        header = dict(scope["headers"]).get(HEADER.encode())
        try:
            fault = self.faults.pick(scope, header.decode("latin-1") if header else None)
        except BadFault as error:
            await _refuse(scope, send, Fault(status=400, message=str(error)))
            return
        if fault is None:
            await self.app(scope, receive, send)
            return
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.drop:
            close_connection(scope, reset=fault.mode == "reset")
            return
        if fault.status is not None:
            await _refuse(scope, send, fault)
            return
        context = context_of(scope)
        context.run_lifetime, context.hides_disconnect = fault.run_expiry, fault.unnoticed
        try:
            await self.app(scope, receive, _Cutter(fault, scope, send))
        except _Cut:
            return


class _Cutter:
    """A `send` that counts events and bytes, and stalls or cuts at the fault's place."""

    def __init__(self, fault: Fault, scope: Scope, send: Send) -> None:
        self.fault, self.scope, self.send = fault, scope, send
        self.events = 0
        self.bytes = 0
        self.tail = b""

    async def __call__(self, message: Message) -> None:
        fault = self.fault
        if message["type"] == "http.response.start":
            if fault.cut_after_bytes == 0 and fault.mode != "end":
                close_connection(self.scope, reset=fault.mode == "reset")
                raise _Cut
            if fault.cut_after_bytes is not None or fault.cut_after_events is not None:
                # With a content-length, a clean end would look like a broken one.
                message["headers"] = [
                    h for h in message["headers"] if h[0].lower() != b"content-length"
                ]
            await self.send(message)
            return
        body = message.get("body", b"")
        if fault.stall_after_events is not None:
            body = await self._stall(body)
        if fault.error_after_events is not None:
            at = self._after_events(body, fault.error_after_events)
            if at is not None:
                await self._error(body[:at])
        if fault.cut_after_events is not None:
            at = self._after_events(body, fault.cut_after_events)
            if at is not None:
                await self._cut(body[:at])
        if fault.cut_after_bytes is not None and self.bytes + len(body) >= fault.cut_after_bytes:
            await self._cut(body[: fault.cut_after_bytes - self.bytes])
        self.bytes += len(body)
        self._count(body)
        await self.send({**message, "body": body})

    def _after_events(self, body: bytes, limit: int) -> int | None:
        """Position in `body` where the limit-th event of the answer ends, None if it doesn't."""
        left, at = limit - self.events, 0
        if left <= 0:
            return 0
        while left:
            found = body.find(EVENT_END, at)
            if found < 0:
                return None
            at, left = found + len(EVENT_END), left - 1
        return at

    def _count(self, body: bytes) -> None:
        self.events += body.count(EVENT_END)

    async def _stall(self, body: bytes) -> bytes:
        assert self.fault.stall_after_events is not None
        at = self._after_events(body, self.fault.stall_after_events)
        if at is None:
            return body
        if at:
            await self.send({"type": "http.response.body", "body": body[:at], "more_body": True})
            self.bytes += at
            self._count(body[:at])
        await asyncio.sleep(3600 if self.fault.stall is None else self.fault.stall)
        self.fault = replace(self.fault, stall_after_events=None)
        return body[at:]

    async def _error(self, rest: bytes) -> None:
        """End the answer with an `error` event, as a service that fails inside a stream."""
        body = _error_body(self.scope, replace(self.fault, status=self.fault.status or 500))
        if _is_new_protocol(self.scope):  # there the event is flat, and numbered as all are
            shown = {key: body["error"][key] for key in ("code", "message", "param")}
            number = self.fault.error_after_events
            body = {"type": "error", "sequence_number": number, **shown}
        data = json.dumps(body)
        rest += f"event: error\ndata: {data}\n\n".encode()
        await self.send({"type": "http.response.body", "body": rest, "more_body": False})
        raise _Cut

    async def _cut(self, rest: bytes) -> None:
        clean = self.fault.mode == "end"
        await self.send({"type": "http.response.body", "body": rest, "more_body": not clean})
        if not clean:
            await asyncio.sleep(0)
            close_connection(self.scope, reset=self.fault.mode == "reset")
        raise _Cut


async def _refuse(scope: Scope, send: Send, fault: Fault) -> None:
    body = json.dumps(_error_body(scope, fault)).encode()
    headers = [(b"content-type", b"application/json")]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _is_new_protocol(scope: Scope) -> bool:
    return "/openai/" in scope["path"] or "/agents" in scope["path"]


def _error_body(scope: Scope, fault: Fault) -> dict[str, Any]:
    status = fault.status or 500
    error: dict[str, Any] = {
        "message": fault.message or f"Injected fault: HTTP {status}.",
        "type": "invalid_request_error" if status < 500 and status != 429 else "server_error",
        "param": None,
        "code": fault.code or ("rate_limit_exceeded" if status == 429 else None),
    }
    if _is_new_protocol(scope):
        error["code"] = error["code"] or ("server_error" if status >= 500 else "invalid_payload")
        info = {"request_id": context_of(scope).request_id}
        error = {**error, "details": [], "additionalInfo": info}
    return {"error": error}


# ---- connections ----------------------------------------------------------------------------

_open: dict[tuple[Any, Any], asyncio.Transport] = {}


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol that remembers its connections by both addresses."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._key = (self.client, self.server)
        _open[self._key] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _open.pop(self._key, None)
        super().connection_lost(exc)


def close_connection(scope: Scope, *, reset: bool) -> None:
    """Close a request's connection, after sending what is written or at once with a reset.

    ASGI gives no access to connections. On a server without `CuttableProtocol` this does nothing:
    the answer then ends unfinished.
    """
    transport = _open.get((tuple(scope["client"] or ()), tuple(scope["server"] or ())))
    if transport is None:
        return
    if reset:
        transport.abort()
    else:
        transport.close()
