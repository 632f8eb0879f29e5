"""What new agents take beside text: pictures and files, with the request or uploaded."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import files
from litellm_azure_agents.emulator import Emulator
from tests.support.project_content import (
    ask,
    everywhere,
    posted,
)
from tests.support.stream_service import PNG
from tests.support.ways import WAYS


@pytest.fixture
def at(emulator: Emulator) -> dict[str, Any]:
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image(url: str = data_url(PNG), **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(data: bytes = b"text", filename: str = "a.txt") -> dict[str, Any]:
    inner = {"filename": filename, "file_data": data_url(data, "text/plain")}
    return {"type": "file", "file": inner}


def uploads(emulator: Emulator) -> list[Any]:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    listed = httpx.get(f"{emulator.endpoint}/openai/v1/files", headers=headers).json()["data"]
    return sorted((f["filename"].split("-")[0], f["purpose"]) for f in listed)


def test_small_data_goes_with_the_request(at: Any, emulator: Emulator) -> None:
    text = {"type": "text", "text": "Look."}
    ask(at, "sync", "echo", [text, image(detail="low"), image("https://x.test/a.png"), file()])
    assert [(r.method, r.path.rpartition("/")[2]) for r in emulator.requests] == [
        ("POST", "responses")
    ]
    assert posted(emulator)["input"][0]["content"] == [
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "image_url": data_url(PNG), "detail": "low"},
        {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.txt", "file_data": data_url(b"text", "text/plain")},
    ]


@pytest.mark.parametrize("style", ["project", "agent"])
def test_large_data_is_uploaded_once(at: Any, emulator: Emulator, style: str) -> None:
    parts = [{"type": "text", "text": "Look."}, image(detail="high"), image(), file(b"x" * 200)]
    options: Any = {"max_data_url_bytes": 100, "endpoint_style": style}
    everywhere(at, "echo", parts, **options)
    assert uploads(emulator) == [("a.txt", "assistants"), ("image", "vision")]
    _, first, second, third = posted(emulator)["input"][0]["content"]
    assert (first["detail"], second["detail"]) == ("high", "auto")
    assert first["file_id"] == second["file_id"]
    assert set(first) == {"type", "file_id", "detail"}
    assert (third["type"], set(third)) == ("input_file", {"type", "file_id"})
    assert files.content(third["file_id"], protocol="responses", **at) == b"x" * 200


def test_an_upload_that_someone_deleted_is_made_again(at: Any, emulator: Emulator) -> None:
    parts = [{"type": "text", "text": "Look."}, file(b"x" * 200)]
    ask(at, "sync", "echo", parts, max_data_url_bytes=100)
    first = posted(emulator)["input"][0]["content"][1]["file_id"]
    assert files.delete(first, protocol="responses", **at)
    for way in WAYS:
        assert ask(at, way, "echo", parts, max_data_url_bytes=100).finish_reason == "stop"
    second = posted(emulator)["input"][0]["content"][1]["file_id"]
    assert second != first


def test_ephemeral_files_are_not_uploaded(at: Any, emulator: Emulator) -> None:
    ask(at, "sync", "echo", [image(), file()], max_data_url_bytes=10, ephemeral_files=True)
    assert uploads(emulator) == []


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "input_audio", "input_audio": {"data": "QQ=="}}, "no input_audio"),
        (image("data:image/tiff;base64,QQ=="), "image/tiff"),
        (image("data:image/png;base64,§"), "base64"),
        (image("ftp://x.test/a.png"), "https URL"),
        ({"type": "file", "file": {"filename": "a.exe", "file_data": "TVo="}}, r"a\.exe"),
        (file(b"", "a.txt"), "empty|data"),
        ({"type": "file", "file": {"file_id": "https://x.test/a.pdf"}}, "remote files"),
        ({"type": "file", "file": {}}, "file_data"),
        ({"type": "video_url", "video_url": {"url": "https://x.test/a.mp4"}}, "no video_url"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("agent", ["echo", "asst_echo"])
def test_what_cannot_be_taken(
    at: Any, emulator: Emulator, agent: str, part: Any, says: str
) -> None:
    for way in WAYS:
        with pytest.raises(litellm.BadRequestError, match=says):
            ask(at, way, agent, [{"type": "text", "text": "Look."}, part])
    assert emulator.requests == []


def test_a_call_gives_no_files_to_a_search(at: Any, emulator: Emulator) -> None:
    file = {"type": "file", "file": {"filename": "a.txt", "file_data": "YQ=="}}
    asked: Any = {**at, "model": "azure_ai/agents/search",
                  "messages": [{"role": "user", "content": [file]}]}  # fmt: skip
    with pytest.raises(litellm.BadRequestError, match="vector stores that its definition names"):
        litellm.completion(**asked, attach_files="file_search")
    assert not emulator.requests
    for option in ({"attach_files": "code_interpreter"}, {"attach_files": "file_search",
                                                          "drop_params": True}):  # fmt: skip
        litellm.completion(**asked, **option)
        (message,) = emulator.requests[-1].body["input"]
        assert message["content"][0]["type"] == "input_file"
