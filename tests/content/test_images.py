"""Images in messages: passed on, or uploaded once."""

from __future__ import annotations

import litellm
import pytest

from tests.support.file_project import Project, ask, data_url, image
from tests.support.stream_service import PNG
from tests.support.ways import WAYS


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
