"""The event parser against the standard's examples, against httpx-sse, and cut everywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_azure_agents.core.actions import ServerEvent
from litellm_azure_agents.drivers.sse import EventParser


def parse(*chunks: bytes) -> list[tuple[str, str]]:
    parser = EventParser()
    return [(e.name, e.data) for chunk in chunks for e in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: x\n\n", [("message", "x")]),
        (b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", [("a", "1"), ("b", "2")]),
        (b"data: one\ndata: two\n\n", [("message", "one\ntwo")]),
        (b"data:no space\n\n", [("message", "no space")]),
        (b": keep-alive\n\ndata: x\n\n", [("message", "x")]),
        (b"event: lonely\n\ndata: x\n\n", [("message", "x")]),
        (b"data: cut", []),
        (b"data: cut\n", []),
        (b"event: a\r\ndata: 1\r\n\r\n", [("a", "1")]),
        (b"event: a\rdata: 1\r\r", [("a", "1")]),
        (b"\xef\xbb\xbfdata: bom\n\n", [("message", "bom")]),
        (b"id: 7\nretry: 5\nnonsense\ndata: x\n\n", [("message", "x")]),
        ("data: a\u2028b\u2029c\x85d\n\n".encode(), [("message", "a\u2028b\u2029c\x85d")]),
        (b'data: data: {"doubled": 1}\n\n', [("message", '{"doubled": 1}')]),
        (b"data\n\n", [("message", "")]),
    ],
)
def test_streams(stream: bytes, events: list[tuple[str, str]]) -> None:
    assert parse(stream) == events
    assert parse(*(bytes([b]) for b in stream)) == events


lines = st.lists(
    st.one_of(
        st.text(alphabet="ab: \u2028é👩", max_size=8).map(lambda t: f"data: {t}"),
        st.sampled_from(["", "", "event: x", ": comment", "data:y", "id: 1", "foo"]),
    ),
    max_size=12,
)


@given(lines, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200), max_size=5))
def test_agrees_with_httpx_sse_however_cut(
    given_lines: list[str], end: str, cuts: list[int]
) -> None:
    body = (end.join(given_lines) + end).encode()
    places = sorted({0, len(body), *(c % (len(body) + 1) for c in cuts)})
    pieces = [body[a:b] for a, b in pairwise(places)]
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    theirs = [(e.event, e.data) for e in httpx_sse.EventSource(response).iter_sse()]
    ours = parse(*pieces)
    # httpx-sse gives events without data too (an id or a name alone); the standard drops them.
    assert [e for e in ours if e[1]] == [(n, d.removeprefix("data: ")) for n, d in theirs if d]


def test_events_that_arrived_together_come_together() -> None:
    parser = EventParser()
    assert parser.feed(b"data: 1\n\ndata: 2\n\nda") == [
        ServerEvent("message", "1"),
        ServerEvent("message", "2"),
    ]
    assert parser.feed(b"ta: 3\n\n") == [ServerEvent("message", "3")]


class Counted(bytes):
    """Bytes that count how many of them their own methods read, over all values of a test."""

    read = 0

    def _count(self) -> None:
        Counted.read += len(self)

    def __contains__(self, item: object) -> bool:
        self._count()
        return super().__contains__(item)  # type: ignore[operator]

    def __add__(self, other: Any) -> Counted:
        Counted.read += len(self) + len(other)
        return Counted(super().__add__(other))

    def __radd__(self, other: Any) -> Counted:
        Counted.read += len(self) + len(other)
        return Counted(bytes(other) + bytes(self))

    def split(self, *arguments: Any) -> list[Any]:
        self._count()
        return [Counted(piece) for piece in super().split(*arguments)]

    def replace(self, *arguments: Any) -> Counted:
        self._count()
        return Counted(super().replace(*arguments))

    def find(self, *arguments: Any) -> int:
        self._count()
        return super().find(*arguments)

    def splitlines(self, *arguments: Any) -> list[Any]:
        self._count()
        return [Counted(piece) for piece in super().splitlines(*arguments)]

    def partition(self, *arguments: Any) -> Any:
        self._count()
        return tuple(Counted(piece) for piece in super().partition(*arguments))


def bytes_read(feed: Any, reads: int) -> int:
    """How many bytes are read of one line that comes in so many reads of 1 KiB."""
    Counted.read = 0
    for _ in range(reads):
        assert not feed(Counted(b"x" * 1024))
    return Counted.read


def test_a_long_line_in_small_reads_is_read_once() -> None:
    """Twice as long a line takes twice the bytes: none is looked at again with later reads."""
    short, long = (bytes_read(EventParser().feed, reads) for reads in (512, 1024))
    assert long == 2 * short
    assert long <= 4 * 1024 * 1024, "a few looks at each byte"


def test_a_parser_that_reads_a_line_again_is_found_out() -> None:
    class Rescanning:
        def __init__(self) -> None:
            self.line: Any = Counted()

        def feed(self, chunk: bytes) -> bool:
            self.line = self.line + chunk
            return b"\n" in self.line

    short, long = (bytes_read(Rescanning().feed, reads) for reads in (64, 128))
    assert long > 3 * short


def test_an_endless_event_is_refused() -> None:
    parser = EventParser()
    for _ in range(63):
        parser.feed(b"x" * (1 << 20))
    with pytest.raises(ValueError, match="larger than"):
        parser.feed(b"x" * (2 << 20))
