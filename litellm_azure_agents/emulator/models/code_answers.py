"""Results of code interpreter without running code: logs, a plot as PNG, a CSV file."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence

from .base import Action, Annotation, CallItem, Image, Logs, OutputFile, RunCode, Text, Turn
from .behaviours import words

_PLOT = re.compile(
    r"\b(?:plots?|charts?|graphs?|draw|pictures?|images?|figures?|diagrams?)\b", re.I
)
_FILE = re.compile(r"\b(?:csv|spreadsheet|table|download|export|write a file|a file)\b", re.I)
_CODE = re.compile(r"\b(?:python|code|comput\w*|calculat\w*|run|sum|average|mean|analy\w*)\b", re.I)
_NUMBER = re.compile(r"(?<!\d)-?\d{1,300}(?:\.\d{1,300})?(?!\d)")  # all of them finite
_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.S)
WIDTH, HEIGHT = 320, 200
DEFAULT_VALUES = (3.0, 1.0, 4.0, 1.0, 5.0, 9.0)


def wants_code(text: str) -> bool:
    """Whether a text asks for something that code interpreter does."""
    return any(pattern.search(text) for pattern in (_PLOT, _FILE, _CODE, _FENCE))


def wants_file(text: str) -> bool:
    """Whether a text asks for a file."""
    return _FILE.search(text) is not None


def numbers(text: str) -> list[float]:
    """The numbers in a text, or some."""
    return [float(n) for n in _NUMBER.findall(text)] or list(DEFAULT_VALUES)


def code_actions(text: str) -> RunCode:
    """The code interpreter call for a request, with its outputs.

    Code in a fenced block of the user's message has none: the emulator's interpreter runs it.
    """
    if own := _FENCE.search(text):
        return RunCode(own.group(1))
    values = numbers(text)
    outputs: list[Logs | OutputFile] = []
    lines = [f"values = {values}"]
    if _PLOT.search(text):
        lines += ["import matplotlib.pyplot as plt", "plt.bar(range(len(values)), values)"]
        lines += ["plt.show()"]
        outputs.append(OutputFile(bar_chart(values), "plot.png"))
    if wants_file(text):
        lines += ["import csv", "with open('/mnt/data/values.csv', 'w') as file:"]
        lines += ["    csv.writer(file).writerows(enumerate(values))"]
    lines += ["print(sum(values))"]
    outputs.insert(0, Logs(f"{sum(values):g}\n"))
    return RunCode("\n".join(lines), tuple(outputs))


def code_answer(turn: Turn, call: CallItem) -> Iterator[Action]:
    """The message after the code has run: image, file path, or the logs as text."""
    text = turn.user_text
    if _FENCE.search(text):
        yield from _own_answer(call)
        return
    if _PLOT.search(text):
        for id in call.file_ids:
            yield Image(file_id=id)
        yield from words("Here is the plot.")
    else:
        yield from words(f"The sum is {call.output.splitlines()[0] if call.output else '0'}.")
    if wants_file(text):
        marker = "sandbox:/mnt/data/values.csv"
        yield from words(" Download it here: ")
        half = len(marker) // 2
        rows = "".join(f"{n},{value:g}\n" for n, value in enumerate(numbers(text)))
        file = OutputFile(f"index,value\n{rows}".encode(), "values.csv")
        yield Text(marker[:half])
        yield Text(marker[half:], (Annotation("file_path", marker, file=file),))


def _own_answer(call: CallItem) -> Iterator[Action]:
    """The message after the user's own code has run."""
    for id in call.file_ids:
        yield Image(file_id=id)
    yield from words(f"The code printed: {call.output}" if call.output else "The code has run.")
    for name, id in call.files:
        marker = f"sandbox:/mnt/data/{name}"
        yield Text("\n")
        yield Text(marker, (Annotation("file_path", marker, file_id=id),))


def bar_chart(values: Sequence[float]) -> bytes:
    """A PNG with one bar for each value."""
    top = max([abs(v) for v in values] + [1e-9])
    count = max(1, len(values))
    slot = max(1, WIDTH // count)
    heights = [round(abs(v) / top * (HEIGHT - 20)) for v in values]
    rows = []
    for y in range(HEIGHT):
        row = bytearray()
        for x in range(WIDTH):
            index = x // slot
            inside = slot < 4 or 1 <= x % slot < slot - 1
            filled = index < len(heights) and HEIGHT - 10 - y <= heights[index] and inside
            axis = y >= HEIGHT - 10
            row += b"\x40\x40\x40" if axis else b"\x1f\x77\xb4" if filled else b"\xff\xff\xff"
        rows.append(bytes(row))
    return png(WIDTH, HEIGHT, rows)


def png(width: int, height: int, rows: Sequence[bytes]) -> bytes:
    """An 8-bit RGB image; see https://www.w3.org/TR/png/."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\x00" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
