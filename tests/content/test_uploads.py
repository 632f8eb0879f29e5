"""Images and files in messages: what is passed on, uploaded, attached, refused, and removed."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_azure_agents.core import media
from tests.support.playing import BASE, clients_to
from tests.support.stream_service import PNG, ThreadService
from tests.support.ways import WAYS, Way

AGENT = {"model": "azure_ai/agents/asst_rec", "api_base": BASE, "api_key": "key"}
CODE, SEARCH = {"type": "code_interpreter"}, {"type": "file_search"}


class Project(ThreadService):
    """A project with one agent: keeps what is uploaded, and answers with a recording."""

    def __init__(self, *tools: Any, name: str = "plain", delay: float = 0.0) -> None:
        super().__init__(name)
        self.tools = tools
        self.delay = delay
        self.files: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.refusals: list[tuple[int, str]] = []  # for the next requests that make a run
        self.sent: list[tuple[str, str]] = []
        self.at_once = self.most_at_once = 0
        self.bodies: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = re.sub("^/api/projects/[^/]+", "", request.url.path)
        self.sent.append((request.method, path))
        if (request.method, path) == ("POST", "/files"):
            return self.upload(request)
        if path.startswith("/files/"):
            id = path.split("/")[2]
            if request.method == "DELETE":
                self.deleted.append(id)
                return httpx.Response(200, json={"id": id, "deleted": True})
            if id not in self.files:
                return refusal(404, f"No file found with id '{id}'.")
            return httpx.Response(200, json=self.files[id])
        if path.startswith("/assistants/"):
            return httpx.Response(200, json={"id": "asst_rec", "tools": self.tools})
        if request.method == "POST" and path.endswith(("/runs", "/submit_tool_outputs")):
            self.bodies.append(json.loads(request.content))
            if self.refusals:
                return refusal(*self.refusals.pop(0))
        return super().answer(request)

    def upload(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.delay)
        body = request.content
        boundary = request.headers["content-type"].split("boundary=")[1].encode()
        fields = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="(\w+)"', head)
            assert name
            fields[name[1].decode()] = value.removesuffix(b"\r\n")
            if found := re.search(rb'filename="([^"]+)"', head):
                fields["filename"] = found[1]
        with self._lock:
            self.at_once -= 1
            id = f"file-{len(self.files)}"
            self.files[id] = {
                "id": id, "filename": fields["filename"].decode(), "status": "processed",
                "purpose": fields["purpose"].decode(), "data": fields["file"].decode("latin-1"),
            }  # fmt: skip
        return httpx.Response(200, json=self.files[id])

    @property
    def message(self) -> dict[str, Any]:
        """The last message of the last run that was asked for."""
        body = self.bodies[-1]
        messages = body.get("additional_messages") or body["thread"]["messages"]
        found: dict[str, Any] = messages[-1]
        return found

    def uploaded(self) -> list[tuple[str, str]]:
        return [(f["filename"], f["purpose"]) for f in self.files.values()]


def refusal(status: int, message: str) -> httpx.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return httpx.Response(status, json={"error": error})


def ask(project: Project, *parts: Any, way: str = "sync", **options: Any) -> Any:
    content = [{"type": "text", "text": "Look."}, *parts]
    arguments = {"messages": [{"role": "user", "content": content}], **AGENT, **options}
    with clients_to(project):
        return Way(way).ask(**arguments)


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(data: bytes = b"text", filename: str | None = "a.txt", **more: Any) -> dict[str, Any]:
    inner = {"file_data": data_url(data, more.pop("media_type", "text/plain")), **more}
    return {"type": "file", "file": {**inner, **({"filename": filename} if filename else {})}}


@pytest.fixture(autouse=True)
def forget() -> None:
    from litellm_azure_agents.drivers.shared_replies import replies

    replies.clear()


# -- images ------------------------------------------------------------------------------------


def test_an_address_and_a_small_image_are_passed_on() -> None:
    project = Project()
    ask(project, image("https://example.com/a.png", detail="low"), image(data_url(PNG)))
    assert project.message["content"] == [
        {"type": "text", "text": "Look."},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": data_url(PNG)}},
    ]
    assert [method for method, _ in project.sent] == ["POST"], "an ordinary turn is one request"


@pytest.mark.parametrize("way", WAYS)
def test_a_large_image_is_uploaded_once(way: str) -> None:
    project = Project()
    for _ in range(2):
        ask(project, image(data_url(PNG), detail="high"), image(data_url(PNG)), way=way,
            max_data_url_bytes=100)  # fmt: skip
    assert [purpose for _, purpose in project.uploaded()] == ["vision"]
    assert project.files["file-0"]["data"].encode("latin-1") == PNG
    assert project.message["content"][1:] == [
        {"type": "image_file", "image_file": {"detail": "high", "file_id": "file-0"}},
        {"type": "image_file", "image_file": {"file_id": "file-0"}},
    ]


@pytest.mark.parametrize("way", WAYS)
def test_a_data_url_that_the_service_refuses_is_uploaded(way: str) -> None:
    project = Project()
    project.refusals = [(400, "Invalid image_url: data URLs are not supported.")]
    result = ask(project, image(data_url(PNG), detail="low"), way=way)
    assert result.finish_reason == "stop"
    assert project.message["content"][1] == {
        "type": "image_file", "image_file": {"detail": "low", "file_id": "file-0"},
    }  # fmt: skip
    assert len(project.bodies) == 2


def test_a_data_url_is_uploaded_no_more_than_once() -> None:
    project = Project()
    project.refusals = [(400, "bad image_url")] * 3
    with pytest.raises(litellm.BadRequestError, match="bad image_url"):
        ask(project, image(data_url(PNG)))
    assert len(project.bodies) == 2


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "filename", "options", "tool"),
    [
        ([SEARCH, CODE], "a.pdf", {}, "file_search"),
        ([CODE], "a.pdf", {}, "code_interpreter"),
        ([SEARCH, CODE], "a.csv", {}, "code_interpreter"),
        ([SEARCH, CODE], "A.XLSX", {}, "code_interpreter"),
        ([SEARCH, CODE], "a.png", {}, "code_interpreter"),
        ([SEARCH, CODE], "a.pdf", {"attach_files": "code_interpreter"}, "code_interpreter"),
        ([], "a.md", {"attach_files": "file_search"}, "file_search"),
        ([], "a.md", {"tools": [SEARCH]}, "file_search"),
        ([CODE], "a.md", {"tools": [SEARCH], "agent_tools": "replace"}, "file_search"),
    ],
)
def test_files_go_to_the_tool_that_takes_them(
    tools: list[Any], filename: str, options: dict[str, Any], tool: str
) -> None:
    project = Project(*tools)
    ask(project, file(filename=filename), **options)
    assert project.message["attachments"] == [{"tools": [{"type": tool}], "file_id": "file-0"}]
    assert project.message["content"] == "Look."
    assert project.uploaded() == [(filename, "assistants")]


def test_a_picture_for_an_agent_without_tools_is_looked_at() -> None:
    project = Project()
    ask(project, file(PNG, "plot.png", media_type="image/png"))
    assert project.message["content"] == [
        {"type": "text", "text": "Look."},
        {"type": "image_file", "image_file": {"file_id": "file-0"}},
    ]


@pytest.mark.parametrize("way", WAYS)
def test_files_are_uploaded_side_by_side_and_once_a_process(way: str) -> None:
    project = Project(SEARCH, delay=0.05)
    parts = [file(f"text {n}".encode(), f"{n}.txt") for n in range(4)]
    if way.startswith("sync"):  # the mock transport blocks the loop; threads show it
        ask(project, *parts, way=way)
        assert project.most_at_once > 1
    ask(project, *parts, *parts, way=way)
    ask(project, *parts, way=way)
    assert sorted(project.uploaded()) == [(f"{n}.txt", "assistants") for n in range(4)]
    ids = [a["file_id"] for a in project.message["attachments"]]
    assert [project.files[id]["filename"] for id in ids] == [f"{n}.txt" for n in range(4)]


async def test_concurrent_calls_share_one_upload() -> None:
    project = Project(SEARCH)
    arguments = {"messages": [{"role": "user", "content": [file()]}], **AGENT}
    with clients_to(project):
        await asyncio.gather(*(litellm.acompletion(**arguments) for _ in range(8)))
    assert len(project.files) == 1
    assert len(project.bodies) == 8


def test_the_same_bytes_for_another_project_are_uploaded_there() -> None:
    one, two = Project(SEARCH), Project(SEARCH)
    ask(one, file())
    ask(two, file(), api_base=BASE + "-two")
    assert len(one.files) == len(two.files) == 1


def test_a_file_the_service_has_is_attached_by_its_id() -> None:
    project = Project(SEARCH, CODE)
    project.files["assistant-9"] = {"id": "assistant-9", "filename": "numbers.csv"}
    ask(project, {"type": "file", "file": {"file_id": "assistant-9"}})
    assert project.message["attachments"] == [{"tools": [CODE], "file_id": "assistant-9"}]
    assert len(project.files) == 1
    with pytest.raises(litellm.NotFoundError, match="assistant-0"):
        ask(project, {"type": "file", "file": {"file_id": "assistant-0"}})
    assert len(project.bodies) == 1


def test_plain_base64_with_a_name_and_a_type_without_a_name() -> None:
    project = Project(SEARCH)
    plain = {"file_data": base64.b64encode(b"plain").decode(), "filename": "C:\\x\\a.txt"}
    ask(project, {"type": "file", "file": plain}, file(b"%PDF", None, media_type="application/pdf"))
    assert {f["filename"]: f["data"] for f in project.files.values()} == {
        "a.txt": "plain", "file.pdf": "%PDF",
    }  # fmt: skip


def test_a_message_of_files_alone_says_so() -> None:
    project = Project(SEARCH)
    with clients_to(project):
        Way("sync").ask(messages=[{"role": "user", "content": [file()]}],
                        model="azure_ai/agents/asst_rec", api_base=BASE, api_key="key")  # fmt: skip
    assert project.message["content"] == "Attached: a.txt"


def test_a_file_that_was_deleted_is_uploaded_again() -> None:
    project = Project(SEARCH)
    ask(project, file())
    for status, text in ((404, "No file found with id 'file-0'."), (400, "file-1 is not a file")):
        project.refusals = [(status, text)]
        assert ask(project, file()).finish_reason == "stop"
    assert [a["file_id"] for a in project.message["attachments"]] == ["file-2"]
    assert len(project.files) == 3


def test_a_file_that_never_holds_is_uploaded_no_more_than_once_again() -> None:
    project = Project(SEARCH)
    project.refusals = [(404, f"No file found with id 'file-{n}'.") for n in range(5)]
    with pytest.raises(litellm.NotFoundError, match="file-1"):
        ask(project, file())
    assert len(project.files) == 2


def test_on_a_known_thread_only_new_files_go() -> None:
    project = Project(SEARCH)
    history = [
        {"role": "user", "content": [file(b"old", "old.txt")]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [file(b"new", "new.txt")]},
    ]
    ask(project, messages=history, thread_id="thread_1")
    assert project.uploaded() == [("new.txt", "assistants")]


# -- refused before anything is sent -----------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, "no input_audio"),
        ({"type": "video_url", "video_url": {"url": "https://x"}}, "no video_url"),
        (file(b"MZ", "a.exe", media_type="application/x-msdownload"), "a.exe"),
        (file(b"x", None, media_type="application/x-thing"), "application/x-thing"),
        (file(b"", "a.txt"), "empty"),
        ({"type": "file", "file": {"filename": "a.txt"}}, "file_data"),
        ({"type": "file", "file": {"file_data": "###", "filename": "a.txt"}}, "base64"),
        ({"type": "file", "file": {"file_id": "https://example.com/a.pdf"}}, "not fetched"),
        ({"type": "file", "file": {"file_data": "https://example.com/a.pdf"}}, "not fetched"),
        ({"type": "file", "file": {"file_id": "f", "file_data": "QQ=="}}, "not both"),
        (image("file:///etc/passwd"), "https URL"),
        (image("data:image/png;base64,%%%"), "base64"),
        (image(data_url(b"BM", "image/bmp")), "image/bmp"),
        (image(data_url(b"", "image/png")), "no data"),
        (image("data:;base64"), "data URL"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["sync", "async stream"])
def test_what_cannot_be_given_is_refused_unsent(part: Any, says: str, way: str) -> None:
    project = Project(CODE, SEARCH)
    with pytest.raises(litellm.BadRequestError, match=re.escape(says)):
        ask(project, file(), part, way=way)
    assert project.sent == []


@pytest.mark.parametrize(
    ("tools", "filename", "says"),
    [([], "a.pdf", "file_search or code_interpreter"), ([SEARCH], "a.csv", "code_interpreter")],
)  # fmt: skip
def test_an_agent_without_a_fitting_tool(tools: list[Any], filename: str, says: str) -> None:
    project = Project(*tools)
    with pytest.raises(litellm.BadRequestError, match=says):
        ask(project, file(filename=filename))
    assert {method for method, _ in project.sent} == {"GET"}


@pytest.mark.parametrize("part", [file(b"x" * 5000), image(data_url(PNG * 20))])
def test_a_file_over_the_services_limit(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_FILE_BYTES", 4000)
    project = Project(SEARCH)
    with pytest.raises(litellm.BadRequestError, match="limit of"):
        ask(project, part)
    assert project.sent == []


def test_an_image_larger_than_models_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_VISION_BYTES", 10)
    project = Project()
    with pytest.raises(litellm.BadRequestError, match="the most is"):
        ask(project, image(data_url(PNG)))
    assert project.sent == []


def test_the_mark_of_files_to_remove_is_not_the_callers() -> None:
    project = Project(SEARCH)
    with pytest.raises(litellm.BadRequestError, match="reserved"):
        ask(project, run_metadata={"litellm_ephemeral_files": "assistant-of-someone-else"})
    assert project.sent == []


# -- failing and removing ----------------------------------------------------------------------


def failing(project: Project, status: int, times: int) -> Callable[[httpx.Request], httpx.Response]:
    real = project.upload

    def upload(request: httpx.Request) -> httpx.Response:
        nonlocal times
        times -= 1
        return httpx.Response(status, json={}) if times >= 0 else real(request)

    return upload


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_is_tried_again(way: str) -> None:
    project = Project(SEARCH)
    project.upload = failing(project, 503, 1)  # type: ignore[method-assign]
    assert ask(project, file(), way=way).finish_reason == "stop"
    assert len(project.files) == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_that_is_refused_is_the_error_of_the_call(way: str) -> None:
    project = Project(SEARCH)
    project.upload = failing(project, 403, 1)  # type: ignore[method-assign]
    with pytest.raises(litellm.PermissionDeniedError, match=r"upload the file 'a\.txt'"):
        ask(project, file(), way=way)
    assert project.bodies == []


@pytest.mark.parametrize("way", WAYS)
def test_ephemeral_files_go_after_the_answer(way: str) -> None:
    project = Project(SEARCH)
    ask(project, file(), file(b"more", "b.txt"), way=way, ephemeral_files=True)
    assert sorted(project.deleted) == ["file-0", "file-1"]
    ask(project, file(), way=way, ephemeral_files=True)
    assert len(project.files) == 3, "a removed file is not taken for one that is there"


@pytest.mark.parametrize("way", WAYS)
def test_ephemeral_files_go_when_the_call_fails(way: str) -> None:
    project = Project(SEARCH)
    project.refusals = [(403, "no")]
    with pytest.raises(litellm.PermissionDeniedError):
        ask(project, file(), way=way, ephemeral_files=True)
    assert project.deleted == ["file-0"]


def test_ephemeral_files_go_when_the_caller_does() -> None:
    project = Project(SEARCH)
    with clients_to(project):
        stream = litellm.completion(
            model="azure_ai/agents/asst_rec", api_base=BASE, api_key="key", stream=True,
            messages=[{"role": "user", "content": [file()]}], ephemeral_files=True,
        )  # fmt: skip
        next(iter(stream))
        stream.completion_stream.close()
    assert project.deleted == ["file-0"]


def test_others_files_stay() -> None:
    project = Project(SEARCH)
    ask(project, file())
    assert project.deleted == []


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_waits_for_results_keeps_its_files_until_its_end(way: str) -> None:
    project = Project(SEARCH, name="tools")
    first = ask(project, file(), way=way, ephemeral_files=True)
    assert first.finish_reason == "tool_calls"
    assert project.deleted == []
    assert project.bodies[0]["metadata"]["litellm_ephemeral_files"] == "file-0"
    later = Project(SEARCH)  # any process, on any replica: the run says what to remove
    marked = b'"metadata": {"litellm_ephemeral_files": "file-0"}, "incomplete_details"'
    later.body = later.body.replace(b'"metadata": {}, "incomplete_details"', marked)
    history = [
        {"role": "user", "content": [file()]},
        first.assistant_message(),
        *({"role": "tool", "tool_call_id": c[0], "content": "ok"} for c in first.tool_calls),
    ]
    assert ask(later, messages=history, way=way).finish_reason == "stop"
    assert later.deleted == ["file-0"]


# -- parsing -----------------------------------------------------------------------------------


@given(st.text(max_size=60))
def test_any_text_is_a_data_url_or_a_value_error(text: str) -> None:
    for candidate in (text, "data:" + text, "data:image/png;base64," + text):
        try:
            kind, data = media.parse_data_url(candidate)
        except ValueError:
            continue
        assert isinstance(kind, str)
        assert isinstance(data, bytes)


@given(st.binary(max_size=60))
def test_bytes_come_back(data: bytes) -> None:
    assert media.parse_data_url(data_url(data, "text/csv")) == ("text/csv", data)


def test_kinds_of_images() -> None:
    assert media.image_type(PNG) == "image/png"
    assert media.image_type(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert media.image_type(b"GIF89a") == "image/gif"
    assert media.image_type(b"RIFF\0\0\0\0WEBP") == "image/webp"
    assert media.image_type(b"<svg xmlns='x'/>") == "image/svg+xml"
    assert media.image_type(b"index,value\n") is None
