"""A server that is faster than all of its clients: every byte of an answer is made beforehand.

It speaks both agent protocols and chat completions, as event streams. The beginning of the path
says what an answer is like: ``/<deltas>/<milliseconds between them>/<events in an HTTP chunk>/…``.
The end of the path says in which protocol. It prints its port and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from typing import Any


def word(number: int) -> str:
    """Five characters; LiteLLM takes a stream that repeats itself for a broken model."""
    return f"w{number % 1000:03d} "


def text_of(deltas: int) -> str:
    """The whole text of an answer."""
    return "".join(map(word, range(deltas)))


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(data: Any, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def _threads(deltas: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    run = {
        "id": "run_bench", "object": "thread.run", "thread_id": "thread_bench",
        "assistant_id": "asst_bench", "status": "queued", "model": "gpt-4o-mini", "usage": None,
        "created_at": 1700000000, "instructions": "You answer.", "tools": [], "metadata": {},
    }  # fmt: skip
    message = {
        "id": "msg_bench", "object": "thread.message", "thread_id": "thread_bench",
        "run_id": "run_bench", "role": "assistant", "status": "in_progress", "content": [],
        "created_at": 1700000000, "attachments": [], "metadata": {},
    }  # fmt: skip
    text = {"type": "text", "text": {"value": text_of(deltas), "annotations": []}}
    usage = {"prompt_tokens": 10, "completion_tokens": deltas, "total_tokens": deltas + 10}
    thread = {"id": "thread_bench", "object": "thread", "created_at": 1700000000, "metadata": {}}

    def delta(number: int) -> bytes:
        piece = {"index": 0, "type": "text", "text": {"value": word(number)}}
        data = {"id": "msg_bench", "object": "thread.message.delta", "delta": {"content": [piece]}}
        return _event(data, "thread.message.delta")

    before = [
        _event(thread, "thread.created"),
        _event(run, "thread.run.created"),
        _event(run, "thread.run.queued"),
        _event({**run, "status": "in_progress"}, "thread.run.in_progress"),
        _event(message, "thread.message.created"),
        _event(message, "thread.message.in_progress"),
    ]
    after = [
        _event({**message, "status": "completed", "content": [text]}, "thread.message.completed"),
        _event({**run, "status": "completed", "usage": usage}, "thread.run.completed"),
        _event("[DONE]", "done"),
    ]
    return before, [delta(i) for i in range(deltas)], after


def _responses(deltas: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    number = iter(range(deltas + 10))

    def event(name: str, **data: Any) -> bytes:
        return _event({"type": name, "sequence_number": next(number), **data}, name)

    response = {
        "id": "resp_bench", "object": "response", "status": "in_progress", "model": "gpt-4o-mini",
        "created_at": 1700000000, "output": [], "usage": None, "error": None, "metadata": {},
        "instructions": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    item = {"id": "msg_bench", "type": "message", "role": "assistant", "status": "in_progress"}
    text = {"type": "output_text", "text": text_of(deltas), "annotations": [], "logprobs": []}
    at = {"item_id": "msg_bench", "output_index": 0, "content_index": 0}
    usage = {"input_tokens": 10, "output_tokens": deltas, "total_tokens": deltas + 10,
             "input_tokens_details": {"cached_tokens": 0},
             "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
    before = [
        event("response.created", response=response),
        event("response.in_progress", response=response),
        event("response.output_item.added", output_index=0, item={**item, "content": []}),
        event("response.content_part.added", **at, part={**text, "text": ""}),
    ]
    pieces = [
        event("response.output_text.delta", **at, delta=word(i), logprobs=[], obfuscation="a1b2c3")
        for i in range(deltas)
    ]
    done = {**item, "status": "completed", "content": [text]}
    ended = {**response, "status": "completed", "output": [done], "usage": usage}
    after = [
        event("response.output_text.done", **at, text=text_of(deltas), logprobs=[]),
        event("response.content_part.done", **at, part=text),
        event("response.output_item.done", output_index=0, item=done),
        event("response.completed", response=ended),
    ]
    return before, pieces, after


def _chat(deltas: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def chunk(delta: dict[str, str], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1700000000,
            "model": "gpt-4o-mini", "system_fingerprint": "fp_bench", "choices": [choice], **more,
        })  # fmt: skip

    usage = {"prompt_tokens": 10, "completion_tokens": deltas, "total_tokens": deltas + 10}
    before = [chunk({"role": "assistant", "content": ""})]
    after = [chunk({}, "stop"), chunk({}, None, choices=[], usage=usage), _event("[DONE]")]
    return before, [chunk({"content": word(i)}) for i in range(deltas)], after


def _packed(events: list[bytes], together: int) -> list[bytes]:
    """HTTP chunks of ``together`` events each."""
    chunks = []
    for start in range(0, len(events), together):
        data = b"".join(events[start : start + together])
        chunks.append(b"%x\r\n%b\r\n" % (len(data), data))
    return chunks


@lru_cache(maxsize=64)
def answer(path: str, deltas: int, together: int) -> tuple[bytes, list[bytes], bytes]:
    """The beginning of an answer, its deltas, and its end, as bytes of HTTP."""
    make = _threads if path.endswith("/runs") else _chat
    if path.endswith("/responses"):
        make = _responses
    before, pieces, after = make(deltas)
    head = HEAD + b"".join(_packed(before, together))
    return head, _packed(pieces, together), b"".join(_packed(after, together)) + b"0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection: reads requests, whose bodies it ignores, and writes their answers."""

    def __init__(self) -> None:
        self.received = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = 0
            if b"content-length:" in head:
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self.received) < end + 4 + length:
                return
            target = self.received[:end].split(b" ", 2)[1].decode()
            self.received = self.received[end + 4 + length :]
            self.respond(target.partition("?")[0])

    def respond(self, path: str) -> None:
        _, deltas, gap, together, *_ = path.split("/")
        if path.endswith("/messages"):
            body = b'{"id":"msg_1","object":"thread.message"}'
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
            self.transport.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
            return
        head, pieces, end = answer(path, int(deltas), int(together))
        if gap == "0":
            self.transport.write(b"".join((head, *pieces, end)))
            return
        self.transport.write(head)
        self.pace(iter(pieces), int(gap) / 1000, end, asyncio.get_running_loop().time())

    def pace(self, pieces: Any, gap: float, end: bytes, due: float) -> None:
        if self.transport.is_closing():
            return
        piece = next(pieces, None)
        self.transport.write(end if piece is None else piece)
        if piece is not None:
            due += gap
            asyncio.get_running_loop().call_at(due, self.pace, pieces, gap, end, due)


async def main() -> None:
    """Serve on a free port of the loopback interface."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
