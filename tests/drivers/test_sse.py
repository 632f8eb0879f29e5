"""The event parser against the standard's examples, against httpx-sse, and cut everywhere."""

from __future__ import annotations

from itertools import pairwise

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


def test_a_long_line_in_small_reads_takes_linear_time() -> None:
    parser = EventParser()
    for _ in range(8 * 1024):  # 8 MiB in 1 KiB reads; a parser that rescans takes minutes
        assert parser.feed(b"x" * 1024) == []
    assert parser.feed(b"\n\n") == []


def test_an_endless_event_is_refused() -> None:
    parser = EventParser()
    for _ in range(63):
        parser.feed(b"x" * (1 << 20))
    with pytest.raises(ValueError, match="larger than"):
        parser.feed(b"x" * (2 << 20))
