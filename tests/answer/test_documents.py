"""Citations that name a document of a search by its number get its address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_azure_agents.answer.answer import Answer
from litellm_azure_agents.answer.documents import Documents
from tests.answer.test_citations import Told, url_citation

ADDRESSES = [f"https://s.test/indexes/i/docs/{n}?api-version=2024-07-01" for n in "abc"]
NUMBERS = ["doc_0", "doc_1", "doc_2"]
CLASSIC = {
    "summary": "Retrieved 3 documents.",
    "metadata": {"urls": NUMBERS, "titles": NUMBERS, "get_urls": ADDRESSES, "ids": ["a", "b", "c"]},
}
NEW = {"documents": [{"id": "a", "url": "https://s.test/"}], "get_urls": ADDRESSES}


@pytest.mark.parametrize(
    "output",
    [
        CLASSIC,
        json.dumps(CLASSIC),
        repr(CLASSIC),  # as the service was seen to send it
        json.dumps(NEW),
        {"metadata": {"urls": ADDRESSES}},
        {"documents": [{"url": address} for address in ADDRESSES]},
    ],
)
def test_outputs(output: Any) -> None:
    documents = Documents()
    assert documents.found(output)
    citation = {"url": "doc_1", "title": "doc_1"}
    documents.resolve(citation)
    assert citation == {"url": ADDRESSES[1], "title": "doc_1"}


@pytest.mark.parametrize(
    "output",
    [None, "", "x", 7, [], "[1]", "{", "{'a': open('x')}", "{" * 500, "{'metadata': 1}",
     {"metadata": {"urls": NUMBERS, "titles": NUMBERS}}, {"get_urls": ["", None, 3]}],
)  # fmt: skip
def test_what_names_no_document(output: Any) -> None:
    documents = Documents()
    assert not documents.found(output)
    citation = {"url": "doc_0", "title": "T"}
    documents.resolve(citation)
    assert citation == {"url": "doc_0", "title": "T"}


@pytest.mark.parametrize(
    ("citation", "resolved"),
    [
        ({"url": "doc_0"}, {"url": ADDRESSES[0], "title": "A manual"}),
        ({"url": "#doc_0"}, {"url": ADDRESSES[0], "title": "A manual"}),
        ({"url": "doc_0", "title": "doc_0"}, {"url": ADDRESSES[0], "title": "A manual"}),
        ({"url": "doc_0", "title": "Own"}, {"url": ADDRESSES[0], "title": "Own"}),
        ({"url": "doc_9"}, {"url": "doc_9"}),
        # New agents put the search service's address beside the number.
        ({"url": "https://s.test/", "title": "doc_0"}, {"url": ADDRESSES[0], "title": "A manual"}),
        ({"url": "https://other.test/", "title": "doc_0"}, None),
        ({"url": "https://a.test/doc_0", "title": "T"}, None),
        ({"url": "https://a.test/", "title": "T"}, None),
    ],
)
def test_citations(citation: dict[str, Any], resolved: dict[str, Any] | None) -> None:
    documents = Documents()
    documents.found({"metadata": {"get_urls": ADDRESSES, "titles": ["A manual"]}})
    expected = dict(citation) if resolved is None else resolved
    documents.resolve(citation)
    assert citation == expected


def test_the_latest_search_with_the_number_counts() -> None:
    documents = Documents()
    documents.found({"get_urls": ADDRESSES})
    documents.found({"get_urls": ["https://s.test/later"]})
    first, third = {"url": "doc_0"}, {"url": "doc_2"}
    documents.resolve(first)
    documents.resolve(third)
    assert (first["url"], third["url"]) == ("https://s.test/later", ADDRESSES[2])


TEXT = "Green【3:0†source】, old【3:1†source】, green【3:0†source】."
NOTES = [url_citation(TEXT.index(m, at), TEXT.index(m, at) + len(m), url, title="", text=m)
         for m, at, url in [("【3:0†source】", 0, "doc_0"), ("【3:1†source】", 0, "doc_1"),
                            ("【3:0†source】", 30, "doc_0")]]  # fmt: skip


def told(mode: Any, when: str) -> Told:
    """The answer of a search whose output comes before, amid or after the message, or never."""
    answer = Told(Answer(citations=mode))
    if when == "before":
        answer.answer.search_output(CLASSIC)
    answer.answer.text(0, TEXT[:20])
    answer.answer.annotation(0, 0, NOTES[0])
    answer.take()
    if when == "amid":
        answer.answer.search_output(CLASSIC)
    answer.answer.text(0, TEXT[20:])
    answer.answer.whole_text(0, TEXT)
    for number, note in enumerate(NOTES):
        answer.answer.annotation(0, number, note)
    answer.take()
    assert answer.answer.needs.addresses == (when in ("after", "never"))
    if when == "after":
        answer.answer.search_output(CLASSIC)
    answer.answer.finish("stop", usage=None, model=None)
    answer.take()
    return answer


@pytest.mark.parametrize("when", ["before", "amid", "after"])
def test_whenever_the_output_comes(when: str) -> None:
    answer = told("keep", when)
    assert [note["url"] for note in answer.annotations] == [ADDRESSES[n] for n in (0, 1, 0)]
    assert [note["title"] for note in answer.annotations] == [ADDRESSES[n] for n in (0, 1, 0)]
    assert answer.cited == ["【3:0†source】", "【3:1†source】", "【3:0†source】"]
    assert told("footnotes", when).text == (
        f"Green[1], old[2], green[1].\n\n[1] {ADDRESSES[0]}\n[2] {ADDRESSES[1]}"
    )


def test_without_the_output_the_number_stays() -> None:
    assert [note["url"] for note in told("keep", "never").annotations] == [
        "doc_0",
        "doc_1",
        "doc_0",
    ]
