"""What an agent says beside text, from stored streams: citations, images, files, traces."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from litellm_azure_agents.answer.answer import Answer
from litellm_azure_agents.answer.run_steps import fold_by_id, merge
from litellm_azure_agents.host.chunks import merge_fields
from tests.support.playing import BASE, comparable, play, play_everywhere
from tests.support.stream_service import PNG, ThreadService
from tests.support.thread_streams import CODE, LINKED, SEARCH, WEB
from tests.support.ways import WAYS, without_index


class Unannounced(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body without Content-Length; counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), 100):
            self.read += 100
            yield self.data[start : start + 100]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Fetching(ThreadService):
    """Answers for files' contents and names as told; counts what is asked for."""

    def __init__(self, name: str, *, content: Any = PNG, info: Any = None) -> None:
        super().__init__(name)
        self.content = content
        self.info = info

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/content") and self.content is not PNG:
            self.requests.append(request)
            return self.content() if self.content is not None else self._fail()
        if "/files/" in path and not path.endswith("/content") and self.info is not None:
            self.requests.append(request)
            return self.info
        return super().answer(request)

    def _fail(self) -> httpx.Response:
        raise httpx.ReadError("gone")

    def asked(self, end: str) -> int:
        return sum(r.url.path.endswith(end) for r in self.requests)


# -- annotations -------------------------------------------------------------------------------


def test_annotations_in_openais_form_once_and_whole() -> None:
    result = play_everywhere("web")
    assert result.text == WEB
    assert [a["type"] for a in result.annotations] == [
        "url_citation", "file_citation", "file_citation",
    ]  # fmt: skip
    inner = [a[a["type"]] for a in result.annotations]
    assert inner[0] == {
        "url": "https://example.com/n", "title": "News", "start_index": 6, "end_index": 18,
    }  # fmt: skip
    assert inner[1] == {
        "file_id": "file-a", "quote": "Green.", "text": "【4:0†source】", "start_index": 28,
        "end_index": 40, "filename": "a.txt",
    }  # fmt: skip
    assert [WEB[i["start_index"] : i["end_index"]] for i in inner] == [
        "【3:0†source】", "【4:0†source】", "【4:0†source】",
    ]  # fmt: skip


def test_stripped() -> None:
    result = play_everywhere("web", citations="strip")
    assert result.text == "😀 News and files, again."
    assert [a[a["type"]]["start_index"] for a in result.annotations] == [6, 16, 23]


def test_footnotes() -> None:
    result = play_everywhere("web", citations="footnotes")
    assert result.text == (
        "😀 News[1] and files[2], again[2].\n\n[1] News: https://example.com/n\n[2] a.txt"
    )
    spans = [(a[a["type"]]["start_index"], a[a["type"]]["end_index"]) for a in result.annotations]
    assert [result.text[slice(*span)] for span in spans] == ["[1]", "[2]", "[2]"]


def test_a_name_is_asked_for_once() -> None:
    for way in WAYS:
        service = Fetching("web")
        play(way, "web", service=service)
        play(way, "web", service=service)
        # One call for the two answers of the first way; the others find it in the process.
        assert service.asked("/files/file-a") == (1 if way == WAYS[0] else 0), way


@pytest.mark.parametrize(
    "info",
    [httpx.Response(404, json={}), httpx.Response(500), httpx.Response(200, text="<html>")],
    ids=["deleted", "failing", "nonsense"],
)
def test_an_answer_survives_a_name_that_cannot_be_had(info: httpx.Response) -> None:
    result = play("async stream", "web", service=Fetching("web", info=info))
    assert result.text == WEB
    assert result.finish_reason == "stop"
    assert len(result.annotations) == 3
    assert "filename" not in result.annotations[1]["file_citation"]


def test_no_text_waits_for_names_and_images() -> None:
    service = Fetching("code")
    result = play("sync stream", "code", service=service, include_images="inline")
    kinds = [
        "text" if c.choices[0].delta.content else "image" if c.choices[0].delta.get("images")
        else "note" if c.choices[0].delta.get("annotations") else ""
        for c in result.chunks
        if c.choices  # the usage of its own has none since LiteLLM 1.109
    ]  # fmt: skip
    assert kinds.index("text") < kinds.index("image")
    assert kinds.index("text") < kinds.index("note")


# -- images and files --------------------------------------------------------------------------


def test_images_and_files_by_reference() -> None:
    result = play_everywhere("code")
    assert result.text == LINKED
    assert result.images == []
    assert result.fields["image_files"] == [
        {"file_id": "file-plot", "url": f"{BASE}/files/file-plot/content?api-version=v1"}
    ]
    assert result.fields["files"] == [
        {"file_id": "file-csv", "filename": "a.txt",
         "url": f"{BASE}/files/file-csv/content?api-version=v1"}
    ]  # fmt: skip
    path = result.annotations[0]["file_path"]
    assert path["text"] == "sandbox:/mnt/data/values.csv"
    assert LINKED[path["start_index"] : path["end_index"]] == path["text"]


def test_images_inline_once_though_told_by_step_and_message() -> None:
    result = play_everywhere("code", include_images="inline")
    assert "image_files" not in result.fields
    assert [(i["type"], i["index"]) for i in result.images] == [("image_url", 0)]
    head, data = result.images[0]["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == PNG


@pytest.mark.parametrize(
    ("content", "limit", "says"),
    [
        (PNG, len(PNG) - 1, "max_image_bytes"),
        (lambda: httpx.Response(404), 10_000_000, "status 404"),
        (lambda: httpx.Response(200, content=b"plain text"), 10_000_000, "not an image"),
        (None, 10_000_000, "no answer"),
    ],
    ids=["too large", "deleted", "no image", "connection lost"],
)
@pytest.mark.parametrize("way", WAYS)
def test_an_image_that_cannot_be_given_inline_is_referred_to(
    way: str, content: Any, limit: int, says: str
) -> None:
    service = Fetching("code", content=content)
    result = play(way, "code", service=service, include_images="inline", max_image_bytes=limit)
    assert (result.text, result.finish_reason, result.images) == (LINKED, "stop", [])
    [entry] = result.fields["image_files"]
    assert entry["file_id"] == "file-plot"
    assert says in entry["note"]


@pytest.mark.parametrize("way", WAYS)
def test_no_more_of_an_image_is_read_than_may_be_given(way: str) -> None:
    body = Unannounced(PNG * 20)
    service = Fetching("code", content=lambda: httpx.Response(200, stream=body))
    result = play(way, "code", service=service, include_images="inline", max_image_bytes=1000)
    assert "max_image_bytes" in result.fields["image_files"][0]["note"]
    assert body.read <= 1200
    small = Fetching("code", content=lambda: httpx.Response(200, stream=Unannounced(PNG)))
    assert play(way, "code", service=small, include_images="inline").images
    assert small.asked("/content") == 1


def test_an_image_of_exactly_the_limit_is_given() -> None:
    assert play("async", "code", include_images="inline", max_image_bytes=len(PNG)).images


# -- traces ------------------------------------------------------------------------------------

WHOLE = [
    {**CODE, "status": "completed", "step_id": "step_1"},
    {**SEARCH, "status": "completed", "step_id": "step_2"},
    {"id": "call_new", "type": "telepathy", "telepathy": {"mind": "open"},
     "status": "completed", "step_id": "step_2"},
]  # fmt: skip


def test_traces_of_tools_in_order_unknown_kinds_as_they_are() -> None:
    assert play_everywhere("code", include_run_steps=True).fields["run_steps"] == WHOLE


def test_no_traces_unless_asked_for() -> None:
    assert "run_steps" not in play_everywhere("code").fields


def test_code_is_streamed_as_it_is_written() -> None:
    # Sync: an async stream reads together what is there, and a stored stream is there at once.
    result = play(
        "sync stream", "code", service=ThreadService("code", size=200), include_run_steps=True
    )  # fmt: skip
    deltas = [c.choices[0].delta for c in result.chunks if c.choices]
    lists = [(delta.provider_specific_fields or {}).get("run_steps") for delta in deltas]
    entries = [entry for found in lists if found for entry in found]
    code: dict[str, Any] = {}
    for entry in entries:
        if entry["id"] == "call_code" and "delta" in entry:
            merge(code, entry["delta"])
    assert code["code_interpreter"] == CODE["code_interpreter"]
    pieces = [e for e in entries if e["id"] == "call_code" and "delta" in e]
    assert len(pieces) >= 3
    first_text = next(i for i, delta in enumerate(deltas) if delta.content)
    assert any(lists[:first_text]), "traces came after the text only"
    last = [found for found in lists if found][-1]
    assert without_index(last) == WHOLE, "the last list has all"


@pytest.mark.parametrize("size", [1, 50, 1000])
def test_traces_do_not_depend_on_reads(size: int) -> None:
    result = play(
        "sync stream", "code", service=ThreadService("code", size=size), include_run_steps=True
    )  # fmt: skip
    assert result.fields["run_steps"] == WHOLE


def test_traces_of_a_stream_cut_anywhere() -> None:
    size = len(ThreadService("code").body)
    created = ThreadService("code").body.index(b"thread.run.queued")
    whole = comparable(play("sync stream", "code", include_run_steps=True))
    for cut in range(created, size, max(1, (size - created) // 40)):
        service = ThreadService("code", cut=cut)
        told = comparable(play("sync stream", "code", service=service, include_run_steps=True))
        assert told == whole, f"cut at byte {cut}"


def test_passages_of_searches_are_asked_for_where_the_stream_lacks_them() -> None:
    class Bare(ThreadService):
        """A run of a new thread: its stream can't be asked for passages (protocols A2)."""

        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.body = self.body.replace(b', "content": [{"type": "text", "text": "Green."}]', b"")

        def steps(self) -> Any:
            return list(ThreadService("code").steps())

    service = Bare("code")
    result = play("async stream", "code", service=service, include_run_steps=True)
    assert result.fields["run_steps"] == WHOLE
    [listing] = [r for r in service.requests if r.url.path.endswith("/steps")]
    assert listing.url.params["include[]"].endswith("file_search.results[*].content")


def test_a_known_thread_asks_for_passages_in_its_run() -> None:
    for way in WAYS:
        service = ThreadService("code")
        play(way, "code", service=service, include_run_steps=True, thread_id="thread_1")
        assert service.requests[0].url.params["include[]"].endswith("results[*].content")
        service = ThreadService("code")
        play(way, "code", service=service, thread_id="thread_1")
        assert "include[]" not in service.requests[0].url.params


def test_steps_that_are_of_no_use_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from litellm_azure_agents.protocol import machine as protocol_machine
    from litellm_azure_agents.threads import machine

    decoded = []
    real = protocol_machine.json.loads

    def loads(text: str) -> Any:
        decoded.append(text)
        return real(text)

    monkeypatch.setattr(protocol_machine.json, "loads", loads)
    runner = machine.RunMachine(Answer())
    for name, data in ThreadService("web").events():
        runner.receive(machine.ServerEvent(name, data if isinstance(data, str) else "{}"))
    before = len(decoded)
    runner.receive(machine.ServerEvent("thread.run.step.completed", '{"type": "x"}'))
    assert len(decoded) == before


def test_folding_lists_by_id() -> None:
    one = [{"id": "a", "status": "in_progress"}, {"id": "a", "delta": {"x": 1}}]
    folded = fold_by_id([], one)
    assert folded == [{"id": "a", "status": "in_progress"}]
    folded = fold_by_id(folded, [{"id": "b"}, {"id": "a", "status": "completed"}])
    assert folded == [{"id": "a", "status": "completed"}, {"id": "b"}]
    into: dict[str, Any] = {"plain": [1], "files": [{"file_id": "f"}]}
    merge_fields(into, {"plain": [2], "files": [{"file_id": "f"}, {"file_id": "g"}]})
    assert into == {"plain": [1, 2], "files": [{"file_id": "f"}, {"file_id": "g"}]}


# -- refusals ----------------------------------------------------------------------------------


def test_a_refusal_is_openais_refusal() -> None:
    from litellm_azure_agents.core.actions import ServerEvent
    from litellm_azure_agents.threads.machine import RunMachine

    runner = RunMachine(Answer())
    piece = {"id": "msg_1", "delta": {"content": [
        {"index": 0, "type": "refusal", "refusal": "I can't "}]}}  # fmt: skip
    whole = {"id": "msg_1", "role": "assistant", "content": [
        {"type": "refusal", "refusal": "I can't do that."}]}  # fmt: skip
    runner.receive(ServerEvent("thread.message.delta", json.dumps(piece)))
    runner.receive(ServerEvent("thread.message.completed", json.dumps(whole)))
    assert "".join(d.refusal for d in runner.answer.take()) == "I can't do that."
