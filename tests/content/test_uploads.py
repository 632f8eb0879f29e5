"""Uploads that fail, and files that are removed after the answer."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import litellm
import pytest

from tests.support.file_project import SEARCH, Project, ask, file
from tests.support.playing import BASE, clients_to
from tests.support.ways import WAYS


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
