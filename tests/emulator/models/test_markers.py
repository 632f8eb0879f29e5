"""Markers in streamed text become annotations."""

from __future__ import annotations

import pytest

from litellm_azure_agents.emulator.models.base import SearchHit
from litellm_azure_agents.emulator.models.markers import Markers


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_markers_in_any_pieces(size: int) -> None:
    hits = [
        SearchHit("f0", "a.txt", 1.0, "Alpha is first."),
        SearchHit("f1", "b】.md", 1.0, "Beta."),
    ]
    made = {"sandbox:/mnt/data/t.csv": "x1", "sandbox:/mnt/data/t.csv.gz": "x2"}
    text = "Alpha【4:0†a.txt】 【1】【see】 s sandbox [t](sandbox:/mnt/data/t.csv) 【4:7†z】 【"
    markers = Markers(hits, made)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    out = [t for piece in pieces for t in markers.feed(piece)] + list(markers.flush())
    whole = "".join(t.text for t in out)
    assert whole == text.replace("【1】", "【4:1†b】.md】")
    found = [(a.kind, a.file_id, a.quote) for t in out for a in t.annotations]
    assert found == [
        ("file_citation", "f0", "Alpha is first."),
        ("file_citation", "f1", "Beta."),
        ("file_path", "x1", ""),
    ]
    for t in out:
        for a in t.annotations:
            assert t.text.endswith(a.marker)


def test_markers_hold_nothing_back_without_need() -> None:
    markers = Markers([], {})
    assert [t.text for t in markers.feed("【4:0")] == ["【4:0"]
