"""Answers of Azure AI Search: citations have addresses, however the answer is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.answer.test_documents import ADDRESSES, CLASSIC, NEW
from tests.support import thread_streams
from tests.support.damaged import ask, begun, ended, numbered
from tests.support.loopback import Events, Loopback, loopback
from tests.support.response_streams import final, message, text
from tests.support.streams import encode
from tests.support.thread_streams import USAGE, ending, marked, opening, part, run, tools_step
from tests.support.ways import Way

TEXT = "Green【3:1†source】."
MARKER = "【3:1†source】"


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as played:
        yield played


def classic(service: Loopback, *, tells_steps: bool = True) -> None:
    """A run that searches, then cites ``doc_1``; its stream may leave out the search."""
    call = {"id": "call_1", "type": "azure_ai_search",
            "azure_ai_search": {"input": "green?", "output": repr(CLASSIC)}}  # fmt: skip
    search = tools_step("step_1", "completed", call)
    note = marked("url_citation", TEXT, MARKER, url="doc_1", title="doc_1")
    done = thread_streams.message("msg_1", "completed", TEXT, annotations=[note])
    told = {"value": TEXT, "annotations": [{**note, "index": 0}]}
    stream: Events = [
        *opening(),
        *([("thread.run.step.completed", search)] if tells_steps else []),
        ("thread.message.created", thread_streams.message("msg_1", "in_progress")),
        part(0, type="text", text=told),
        ("thread.message.completed", done),
        *ending(),
    ]
    service.plays(encode(stream))
    service.messages, service.steps = [done], [search]
    service.ended = run("completed", usage=USAGE)


def new(service: Loopback, kind: str, url: str) -> None:
    """A response that searches, then cites the document 1."""
    call = {"type": kind, "id": "tc_1", "call_id": "call_1", "name": "azure_ai_search",
            "arguments": "{}", "status": "completed"}  # fmt: skip
    found = {"type": f"{kind}_output", "id": "to_1", "call_id": "call_1", "output": NEW,
             "status": "completed"}  # fmt: skip
    at = TEXT.index(MARKER)
    note = {"type": "url_citation", "url": url, "title": "doc_1",
            "start_index": at, "end_index": at + len(MARKER)}  # fmt: skip
    output = [call, found, message("msg_1", text(TEXT, note))]
    where = {"output_index": 2, "item_id": "msg_1", "content_index": 0}
    stream: Events = [
        *begun(),
        *(("response.output_item.done", {"output_index": i, "item": item})
          for i, item in enumerate(output[:2])),
        ("response.output_text.delta", {**where, "delta": TEXT}),
        ("response.output_text.annotation.added",
         {**where, "annotation_index": 0, "annotation": note}),
        ("response.output_item.done", {"output_index": 2, "item": output[2]}),
        *ended(output),
    ]  # fmt: skip
    service.plays(encode(numbered(stream)))
    service.ended = final(output)


def cited(result: Any) -> dict[str, Any]:
    (annotation,) = result.annotations
    found: dict[str, Any] = annotation["url_citation"]
    assert result.text[found["start_index"] : found["end_index"]] == MARKER
    return found


@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_a_classic_agent(service: Loopback, way: Way, mode: str) -> None:
    classic(service)
    assert cited(ask(service, "threads", way, run_mode=mode))["url"] == ADDRESSES[1]
    steps = [path for path in service.asked if "/steps" in path]
    assert len(steps) == (1 if mode == "poll" else 0)


def test_a_stream_without_the_search_asks_for_it(service: Loopback, way: Way) -> None:
    classic(service, tells_steps=False)
    assert cited(ask(service, "threads", way))["url"] == ADDRESSES[1]


@pytest.mark.parametrize("mode", ["stream", "poll"])
@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("azure_ai_search_call", "doc_1"),
        ("azure_ai_search_call", "https://s.test/"),
        ("remote_function_call", "doc_1"),
    ],
)
def test_a_new_agent(service: Loopback, kind: str, url: str, mode: str) -> None:
    new(service, kind, url)
    for way in ("sync", "async stream"):
        result = ask(service, "responses", Way(way), run_mode=mode)
        assert cited(result)["url"] == ADDRESSES[1], way


@pytest.mark.parametrize("protocol", ["threads", "responses"])
@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_the_emulator_plays_it(emulator: Emulator, protocol: str, mode: str) -> None:
    tool = {"type": "azure_ai_search", "azure_ai_search": {"indexes": [INDEX]}}
    with httpx.Client(headers={"authorization": f"Bearer {emulator.token}"}) as client:
        if protocol == "threads":
            made = client.post(
                f"{emulator.endpoint}/assistants?api-version=v1",
                json={"model": "gpt-4o", "tools": [{"type": "azure_ai_search"}],
                      "tool_resources": {"azure_ai_search": {"indexes": [INDEX]}}},
            )  # fmt: skip
            agent = made.json()["id"]
        else:
            made = client.post(
                f"{emulator.endpoint}/agents/index/versions?api-version=v1",
                json={"definition": {"kind": "prompt", "model": "gpt-4o", "tools": [tool]}},
            )
            agent = "index"
    assert made.is_success, made.text
    for way in ("sync", "async stream"):
        result = Way(way).ask(
            model=f"azure_ai/agents/{agent}", api_base=emulator.endpoint, api_key=emulator.token,
            run_mode=mode, messages=[{"role": "user", "content": "garden green"}],
        )  # fmt: skip
        (annotation,) = result.annotations
        url = annotation["url_citation"]["url"]
        assert url.startswith("https://search.example.com/indexes/manuals/docs/garden-green")


INDEX = {"index_connection_id": "c", "index_name": "manuals"}
