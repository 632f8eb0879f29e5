"""Citation markers and annotations: every cut of the deltas gives what the whole text gives."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_azure_agents.answer.answer import Answer
from litellm_azure_agents.answer.citations import MARKER, codepoints, locate

KEEP, STRIP, FOOTNOTES = "keep", "strip", "footnotes"


def file_citation(text: str, at: int, file_id: str = "f1", **more: Any) -> dict[str, Any]:
    inner = {"file_id": file_id, "quote": "", "text": text, **more}
    return {
        "type": "file_citation",
        "file_citation": {**inner, "start_index": at, "end_index": at + len(text)},
    }


def url_citation(at: int, end: int, url: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url_citation": {"url": url, "start_index": at, "end_index": end, **more},
    }


class Told:
    """All that an answer gave out."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.deltas: list[Any] = []

    def take(self) -> None:
        self.deltas += self.answer.take()

    @property
    def text(self) -> str:
        return "".join(d.text for d in self.deltas)

    @property
    def annotations(self) -> list[dict[str, Any]]:
        return [a[a["type"]] for d in self.deltas for a in d.annotations]

    @property
    def cited(self) -> list[str]:
        return [self.text[a["start_index"] : a["end_index"]] for a in self.annotations]


def tell(
    mode: Any,
    parts: list[tuple[str, list[dict[str, Any]]]],
    *,
    cuts: list[int] | None = None,
    names: dict[str, str] | None = None,
    late: bool = False,
) -> Told:
    """Parts told in deltas cut at ``cuts`` (each part alike) or, with None, whole; annotations come
    with the piece that brings their end, or late: with the finished message only."""
    told = Told(Answer(citations=mode))
    for number, (text, notes) in enumerate(parts):
        if cuts is not None:
            places = sorted({0, len(text), *(c % (len(text) + 1) for c in cuts)})
            for start, end in pairwise(places):
                told.answer.text(number, text[start:end])
                for n, a in enumerate(notes if not late else ()):
                    if start < a[a["type"]]["end_index"] <= end:
                        told.answer.annotation(number, n, a)
                told.take()
        told.answer.whole_text(number, text)
        for n, a in enumerate(notes):
            told.answer.annotation(number, n, a)
        told.take()
    for file_id in told.answer.needs.names:
        told.answer.name_file(file_id, (names or {}).get(file_id))
    told.answer.finish("stop", usage=None, model=None)
    told.take()
    return told


TABLE = [
    ("nothing to do", "No marker.", "No marker."),
    ("a marker", "Green【4:0†source】.", "Green."),
    ("the short form", "Green【0†source】", "Green"),
    ("a file's name", "a【12:3†my report (1).pdf】b【12:4†x】c", "abc"),
    ("first and last", "【4:0†a】mid【4:1†b】", "mid"),
    ("brackets that are text", "【注意】これは【4】本", "【注意】これは【4】本"),
    ("never closed", "end 【4:0†sou", "end 【4:0†sou"),
    ("closed by a line", "【4:0†a\nb】", "【4:0†a\nb】"),
    ("bracket in bracket", "【【4:0†a】】", "【】"),
    ("nearly one", "【4:0source】【:0†a】【44444:0†a】", "【4:0source】【:0†a】【44444:0†a】"),
    ("too long for one", "【4:0†" + "x" * 300 + "】", "【4:0†" + "x" * 300 + "】"),
    ("astral", "😀【4:0†a】😀", "😀😀"),
]


@pytest.mark.parametrize(("text", "stripped"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE])
def test_strip(text: str, stripped: str) -> None:
    assert tell(STRIP, [(text, [])]).text == stripped
    assert tell(KEEP, [(text, [])]).text == text
    for size in (1, 2, 3, 7):
        cuts = list(range(0, len(text), size))
        assert tell(STRIP, [(text, [])], cuts=cuts).text == stripped, size


def test_only_what_may_be_a_marker_is_held_back() -> None:
    answer = Answer(citations=STRIP)
    held = []
    for piece in ("Hello 【", "4", ":0", "†so", "urce】 and 【", "注", "意"):
        answer.text(0, piece)
        held.append("".join(d.text for d in answer.take()))
    assert held == ["Hello ", "", "", "", " and ", "【注", "意"]


def test_a_bracket_that_never_closes_is_given_out_in_bounds() -> None:
    answer = Answer(citations=STRIP)
    answer.text(0, "【4:0†")
    given = ""
    for _ in range(400):
        answer.text(0, "x")
        given += "".join(d.text for d in answer.take())
    assert len(given) > 100


def test_keep_has_no_filter() -> None:
    answer = Answer()
    answer.text(0, "【4:0")
    assert [delta.text for delta in answer.take()] == ["【4:0"]


TEXT = "Green【4:0†source】, old【4:1†source】, green again【4:0†source】."


def cited(text: str, marker: str, file_id: str, nth: int = 0) -> dict[str, Any]:
    at = -1
    for _ in range(nth + 1):
        at = text.index(marker, at + 1)
    return file_citation(marker, at, file_id)


NOTES = [
    cited(TEXT, "【4:0†source】", "f1"),
    cited(TEXT, "【4:1†source】", "f2"),
    cited(TEXT, "【4:0†source】", "f1", 1),
]


def test_footnotes_are_numbered_by_source_and_listed_at_the_end() -> None:
    told = tell(FOOTNOTES, [(TEXT, NOTES)], names={"f1": "moon.md", "f2": "age.txt"})
    assert told.text == "Green[1], old[2], green again[1].\n\n[1] moon.md\n[2] age.txt"
    assert told.cited == ["[1]", "[2]", "[1]"]
    assert [a["filename"] for a in told.annotations] == ["moon.md", "age.txt", "moon.md"]


def test_two_markers_of_one_source_are_one_footnote() -> None:
    text = "a【4:0†source】b【4:1†source】c"
    notes = [cited(text, "【4:0†source】", "f1"), cited(text, "【4:1†source】", "f1")]
    for cuts in (None, [5], [1, 2, 3, 4, 15, 20], list(range(40))):
        told = tell(FOOTNOTES, [(text, notes)], cuts=cuts, names={"f1": "one.md"})
        assert told.text == "a[1]b[1]c\n\n[1] one.md"


def test_footnotes_of_pages_have_title_and_address() -> None:
    text = "News【3:0†source】."
    # A url_citation's delta has no marker text (protocols A4): its position tells.
    note = url_citation(4, 16, "https://example.com/a", title="A page")
    for cuts in (None, [6], [4, 9]):
        told = tell(FOOTNOTES, [(text, [note])], cuts=cuts)
        assert told.text == "News[1].\n\n[1] A page: https://example.com/a"
        assert told.cited == ["[1]"]
        assert told.annotations == [
            {"url": "https://example.com/a", "title": "A page", "start_index": 4, "end_index": 7}
        ]


def test_a_footnote_does_not_wait_forever_for_its_source() -> None:
    told = Told(Answer(citations=FOOTNOTES))
    told.answer.text(0, "Green【4:0†source】")
    pieces = 0
    while "[1]" not in told.text:
        told.answer.text(0, " and more")
        told.take()
        pieces += 1
        assert pieces < 40, "it waits for the end"
    assert pieces > 1, "it did not wait at all"


def test_what_is_held_back_stays_before_the_next_part() -> None:
    told = Told(Answer(citations=STRIP))
    told.answer.text(0, "One 【4:0†sou")
    told.answer.text(1, "Two")
    told.answer.whole_text(0, "One 【4:0†sou")
    told.answer.whole_text(1, "Two")
    told.answer.finish("stop", usage=None, model=None)
    told.take()
    assert told.text == "One 【4:0†sou\n\nTwo"


def test_a_marker_without_annotation_keeps_its_name() -> None:
    assert tell(FOOTNOTES, [("a【0†b.txt】", [])]).text == "a[1]\n\n[1] b.txt"


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            ["Text ", "😀", "【", "】", "【4:0†source】", "【4:1†b.md】", "【3:0†source】", "†",
             "【1", "\n", "注", "sandbox:/mnt/data/a.csv", "e\u0301"]
        ),
        max_size=14,
    ),
    cuts=st.lists(st.integers(0, 200), max_size=12),
    mode=st.sampled_from([KEEP, STRIP, FOOTNOTES]),
    late=st.booleans(),
)  # fmt: skip
def test_any_cut_gives_what_the_whole_gives(
    pieces: list[str], cuts: list[int], mode: str, late: bool
) -> None:
    text = "".join(pieces)
    notes = []
    markers = ("【4:0†source】", "【4:1†b.md】", "【3:0†source】", "sandbox:/mnt/data/a.csv")
    for file_id, marker in enumerate(markers):
        at = text.find(marker)
        if at >= 0:
            notes.append(file_citation(marker, at, f"f{file_id}"))
    notes.sort(key=lambda n: n["file_citation"]["start_index"])
    parts = [(text, notes), ("Second " + text, [])]
    whole = tell(mode, parts)
    cut = tell(mode, parts, cuts=cuts, late=late)
    assert cut.text == whole.text
    assert cut.annotations == whole.annotations
    if mode == KEEP:
        assert whole.cited == [n["file_citation"]["text"] for n in notes]
    if mode == STRIP:
        shown = [MARKER.sub("", part) for part, _ in parts]
        assert whole.text == "\n\n".join(filter(None, shown))


def test_positions_count_over_parts_and_astral_characters() -> None:
    one, two = "😀 first【4:0†a】.", "👩‍👩‍👧 second【4:1†b】."
    notes = [[cited(one, "【4:0†a】", "f1")], [cited(two, "【4:1†b】", "f2")]]
    for cuts in (None, [3, 8, 10], list(range(30))):
        kept = tell(KEEP, [(one, notes[0]), (two, notes[1])], cuts=cuts)
        assert kept.text == one + "\n\n" + two
        assert kept.cited == ["【4:0†a】", "【4:1†b】"]
        stripped = tell(STRIP, [(one, notes[0]), (two, notes[1])], cuts=cuts)
        places = [(a["start_index"], a["end_index"]) for a in stripped.annotations]
        text = "😀 first.\n\n👩‍👩‍👧 second."
        assert stripped.text == text
        assert places == [(7, 7), (len(text) - 1, len(text) - 1)]


@pytest.mark.parametrize(
    ("text", "inner", "span"),
    [
        ("ab【0†a】", {"text": "【0†a】", "start_index": 2, "end_index": 7}, (2, 7)),
        ("😀b【0†a】", {"text": "【0†a】", "start_index": 3, "end_index": 8}, (2, 7)),  # UTF-16
        ("😀b【0†a】", {"text": "【0†a】", "start_index": 2, "end_index": 7}, (2, 7)),
        ("ab【0†a】", {"text": "【0†a】", "start_index": 60, "end_index": 70}, (2, 7)),
        ("ab【0†a】", {"text": "【0†a】"}, (2, 7)),
        ("【0†a】b【0†a】", {"text": "【0†a】", "start_index": 5}, (6, 11)),  # the nearest
        ("ab【0†a】", {"start_index": 2, "end_index": 7}, (2, 7)),
        ("😀b【0†a】", {"start_index": 3, "end_index": 8}, (2, 7)),  # UTF-16 by its bracket
        ("plain", {"start_index": 1, "end_index": 3}, (1, 3)),
        ("plain", {"start_index": 3, "end_index": 99}, (3, 5)),
        ("plain", {"start_index": 4, "end_index": 2}, None),
        ("plain", {"start_index": -4, "end_index": 2}, None),
        ("plain", {"start_index": "1", "end_index": None}, None),
        ("plain", {"text": "absent"}, None),
        ("plain", {}, None),
        ("", {"start_index": 0, "end_index": 0}, (0, 0)),
    ],
)
def test_locate(text: str, inner: dict[str, Any], span: tuple[int, int] | None) -> None:
    assert locate(text, inner) == span


@given(st.text(max_size=30), st.integers(0, 40))
def test_codepoints_never_fail(text: str, units: int) -> None:
    assert 0 <= codepoints(text, units) <= len(text)


def test_an_annotation_is_given_once_and_as_complete_as_it_came() -> None:
    answer = Answer()
    told = Told(answer)
    answer.text(0, "See 【4:0†source】")
    bare = {"type": "file_citation", "file_citation": {"file_id": "f1"}}
    answer.annotation(0, 0, bare)
    told.take()
    assert told.annotations == []
    answer.whole_text(0, "See 【4:0†source】")
    answer.annotation(0, 0, file_citation("【4:0†source】", 4, "f1", quote="Q"))
    told.take()
    assert told.annotations == [], "its name is not known yet"
    assert answer.needs.names == {"f1": None}
    answer.name_file("f1", "a.md")
    told.take()
    answer.whole_text(0, "See 【4:0†source】")
    answer.annotation(0, 0, file_citation("【4:0†source】", 4, "f1", quote="other"))
    answer.finish("stop", usage=None, model=None)
    told.take()
    assert told.annotations == [
        {"file_id": "f1", "quote": "Q", "text": "【4:0†source】", "start_index": 4,
         "end_index": 16, "filename": "a.md"}
    ]  # fmt: skip


def test_a_name_that_cannot_be_had_breaks_nothing() -> None:
    told = tell(KEEP, [("a【4:0†s】", [cited("a【4:0†s】", "【4:0†s】", "f1")])])
    assert "filename" not in told.annotations[0]
    assert told.cited == ["【4:0†s】"]


def test_a_page_citation_comes_while_the_answer_goes_on() -> None:
    answer = Answer()
    answer.text(0, "News【3:0†source】")
    answer.annotation(0, 0, url_citation(4, 16, "https://example.com", title="T"))
    assert [d.annotations for d in answer.take() if d.annotations]


@pytest.mark.parametrize(
    "annotation",
    [{}, {"type": None}, {"type": "file_citation"}, {"type": "x", "x": "y"},
     {"type": "novel", "novel": {"a": 1}}],
)  # fmt: skip
def test_odd_annotations_break_nothing(annotation: dict[str, Any]) -> None:
    told = tell(FOOTNOTES, [("Text", [])])
    told.answer = Answer(citations=FOOTNOTES)
    told.answer.text(0, "Text")
    told.answer.annotation(0, 0, annotation)
    told.answer.whole_text(0, "Text")
    told.answer.finish("stop", usage=None, model=None)
    assert "".join(d.text for d in told.answer.take()) == "Text"
