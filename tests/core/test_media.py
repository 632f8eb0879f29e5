"""Data URLs, and the kinds of images."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litellm_azure_agents.core import media
from tests.support.file_project import data_url
from tests.support.stream_service import PNG


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
