"""Answers with plots, files and citations of the web."""

from __future__ import annotations

import struct
import zlib

from ..files.support import ZOO, annotations_of, settled, upload
from ..wire import Wire, said


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, pixels = 8, b""
    width = height = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            pixels += body
        at += 12 + length
    assert len(zlib.decompress(pixels)) == height * (1 + 3 * width)
    return width, height


def test_code_interpreter_gives_logs_plot_and_file(wire: Wire) -> None:
    events = wire.ask("asst_code", "Plot 3, 4 and 5 and give me a CSV file")
    typed = [
        d["delta"]["step_details"]["tool_calls"][0] for n, d in events if n.endswith("p.delta")
    ]
    code = "".join(c["code_interpreter"].get("input", "") for c in typed)
    assert code.startswith("values = [3.0, 4.0, 5.0]")
    assert len(typed) > 4
    (step,) = [
        d for n, d in events if n == "thread.run.step.completed" and d["type"] == "tool_calls"
    ]
    call = step["step_details"]["tool_calls"][0]["code_interpreter"]
    assert call["input"] == code
    logs, image = call["outputs"]
    assert logs == {"type": "logs", "logs": "12\n"}
    (message,) = [d for n, d in events if n == "thread.message.completed"]
    assert message["content"][0] == {"type": "image_file", "image_file": image["image"]}
    assert png_size(wire.http.get(f"/files/{image['image']['file_id']}/content").content) == (
        320,
        200,
    )
    _, whole = annotations_of(events)
    (note,) = whole
    assert note["type"] == "file_path"
    text = message["content"][1]["text"]["value"]
    assert text[note["start_index"] : note["end_index"]] == "sandbox:/mnt/data/values.csv"
    made = wire.http.get(f"/files/{note['file_path']['file_id']}/content").text
    assert made == "index,value\n0,3\n1,4\n2,5\n"
    outputs = wire.get("/files", purpose="assistants_output")["data"]
    assert {f["filename"] for f in outputs} == {"plot.png", "values.csv"}
    assert said(wire.ask("asst_code", "Compute the sum of 2 and 40")) == "The sum is 42."


def test_web_citations(wire: Wire) -> None:
    events = wire.ask("asst_bing", "news about 😀 cats")
    deltas, whole = annotations_of(events)
    (note,) = whole
    assert note["url_citation"]["url"].startswith("https://")
    assert said(events)[note["start_index"] : note["end_index"]] == note["text"]
    assert "text" not in deltas[0]
    assert deltas[0]["url_citation"] == note["url_citation"]
    steps = [d for n, d in events if n == "thread.run.step.completed"]
    call = steps[0]["step_details"]["tool_calls"][0]
    assert "requesturl" in call["bing_grounding"]


def test_any_agent_follows_the_same_rules(wire: Wire) -> None:
    file = upload(wire, "zoo.txt", ZOO.encode())["id"]
    store = wire.post("/vector_stores", {"file_ids": [file]})["id"]
    settled(wire, f"/vector_stores/{store}")
    agent = wire.post(
        "/assistants",
        {
            "model": "m",
            "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
            "tool_resources": {"file_search": {"vector_store_ids": [store]}},
        },
    )["id"]
    assert "elephants" in said(wire.ask(agent, "Which animals has the zoo?"))
    assert said(wire.ask(agent, "Calculate the average of 1 and 2")).startswith("The sum is 3")
