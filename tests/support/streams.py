"""The files of tests/streams: event streams as the services send them, as raw SSE.

They are built, not recorded: `python -m tests.support.streams` writes them anew from
`thread_streams.py` and `response_streams.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import response_streams, thread_streams

FOLDER = Path(__file__).parents[1] / "streams"
BUILT = {"threads": thread_streams.STREAMS, "responses": response_streams.STREAMS}
"""For each protocol: name -> the events of the stream."""


def file_of(protocol: str, name: str) -> Path:
    return FOLDER / protocol / f"{name}.sse"


def names(protocol: str) -> list[str]:
    """The streams that are stored for a protocol."""
    return sorted(path.stem for path in (FOLDER / protocol).glob("*.sse"))


def encode(events: list[tuple[str, Any]]) -> bytes:
    """The events as the service frames them; a string stands for itself."""
    frames = (f"event: {name}\ndata: {_text(data)}\n\n" for name, data in events)
    return "".join(frames).encode()


def _text(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


if __name__ == "__main__":
    for protocol, streams in BUILT.items():
        for name, events in streams.items():
            file_of(protocol, name).parent.mkdir(parents=True, exist_ok=True)
            file_of(protocol, name).write_bytes(encode(events))
