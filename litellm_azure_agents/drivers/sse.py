"""Bytes of an event stream in, events out (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The parser takes the bytes of each network read and returns the events that they complete, so that a
driver knows which events arrived together. It splits lines as bytes, at CR and LF only: U+2028 is
text, and a character that two reads cut in half stays whole. It decodes no JSON.
"""

from __future__ import annotations

from ..core.actions import ServerEvent

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""Bytes of one unfinished event after which a stream counts as broken, unless told otherwise."""


class EventParser:
    """Incremental parser: ``feed`` bytes, get the list of events that they complete."""

    __slots__ = ("_data", "_line", "_max", "_name", "_size", "_skip_lf", "_start")

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_bytes
        self._line: list[bytes] = []  # pieces of the unfinished line, joined once it ends
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0  # bytes since the last event, whatever they say
        self._skip_lf = (
            False  # the last read ended in CR, so an LF that comes first next belongs to it
        )
        self._start = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Events completed by ``chunk``.

        Raises ValueError when one event is too large, or when there is none in as many bytes.
        """
        events: list[ServerEvent] = []
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._size += len(chunk)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if self._line:
                self._line.append(line)
                line = b"".join(self._line)
                self._line.clear()
            event = self._take_line(line)
            if event is not None:
                events.append(event)
        if rest:
            self._line.append(rest)
        if events:
            self._size = sum(map(len, self._line)) + sum(map(len, self._data))
        if self._size > self._max:
            raise ValueError(f"an event of the stream is larger than {self._max} bytes")
        return events

    def _take_line(self, line: bytes) -> ServerEvent | None:
        if self._start:
            self._start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        return None  # comments (empty name), id, retry and unknown fields are not needed

    def _dispatch(self) -> ServerEvent | None:
        name, self._name = self._name, ""
        if not self._data:
            return None
        data = b"\n".join(self._data).decode("utf-8", "replace")
        self._data.clear()
        # The official SDK's tests have a doubled "data: data: {...}" (protocols A5): accept it.
        return ServerEvent(name or "message", data.removeprefix("data: "))
