"""Files in messages: to which tool they go, and what is refused unsent."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any

import litellm
import pytest

from litellm_azure_agents.core import media
from tests.support.file_project import AGENT, CODE, SEARCH, Project, ask, data_url, file, image
from tests.support.playing import BASE, clients_to
from tests.support.stream_service import PNG
from tests.support.ways import WAYS, Way


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
