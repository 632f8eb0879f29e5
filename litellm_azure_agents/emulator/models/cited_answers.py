"""Answers with citations: from file search, from the web, from search indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .base import Action, Annotation, CallItem, SearchHit, Text, ToolSpec, Turn
from .behaviours import words
from .code_answers import code_answer

_GROUNDING = frozenset({
    "bing_grounding", "bing_custom_search", "azure_ai_search", "sharepoint_grounding",
    "fabric_dataagent", "web_search",
})  # fmt: skip
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
MAX_CITED = 3
INDEX_SEARCH = "azure_ai_search"


def is_grounding(type: str) -> bool:
    """Whether answers with a tool of this type have url citations."""
    return type in _GROUNDING


def grounding_fields(tool: ToolSpec, text: str) -> dict[str, str]:
    """The fields of a hosted tool's call."""
    if tool.type in ("bing_grounding", "bing_custom_search"):
        query = re.sub(r"\W+", "+", text.strip())
        return {"requesturl": f"https://api.bing.microsoft.com/v7.0/search?q={query}"}
    if tool.type == INDEX_SEARCH:
        return {"input": text, "output": repr(index_output(text))}
    output = f"{tool.name or tool.type} answered: {text}"
    return {"input": text, "output": output}


def index_output(text: str) -> dict[str, Any]:
    """The output of a search in an index of one document, in the form of classic agents.

    Its citations name the document by number; the address stands here only.
    """
    address = f"https://search.example.com/indexes/manuals/docs/{_slug(text)}"
    return {
        "summary": "Retrieved 1 documents.",
        "metadata": {
            "urls": ["doc_0"],
            "titles": ["doc_0"],
            "get_urls": [f"{address}?api-version=2024-07-01"],
            "ids": [_slug(text)],
        },
    }


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-") or "page"


def cited_answer(turn: Turn) -> Iterator[Action] | None:
    """The answer to calls whose results can be cited; None if there are none."""
    last = turn.calls[-1]
    searches = [call for call in turn.calls if call.type == "file_search"]
    if last.type == "code_interpreter":
        return code_answer(turn, last)
    if last.type == "function" or last.type == "mcp":
        return None
    if searches:
        return _file_answer(turn.user_text, searches)
    if is_grounding(last.type):
        return _web_answer(turn.user_text, turn.calls)
    return None


def _file_answer(question: str, searches: Sequence[CallItem]) -> Iterator[Action]:
    hits = [hit for call in searches for hit in call.hits][:MAX_CITED]
    if not hits:
        yield from words("I found nothing about that in the files.")
        return
    for number, hit in enumerate(hits):
        quote = best_sentence(hit, question)
        yield from words(("" if number == 0 else " ") + quote)
        marker = f"【4:{number}†{hit.filename}】"
        # As in the service, the marker is split over several deltas; the last has the annotation.
        third = max(1, len(marker) // 3)
        yield Text(marker[:third])
        yield Text(marker[third : 2 * third])
        citation = Annotation("file_citation", marker, file_id=hit.file_id, quote=quote)
        yield Text(marker[2 * third :], (citation,))


def best_sentence(hit: SearchHit, question: str) -> str:
    """The sentence of a passage that has most words of the question."""
    asked = set(re.findall(r"\w+", question.lower()))
    sentences: list[str] = [s.strip() for s in _SENTENCE.findall(hit.text) if s.strip()]
    if not sentences:
        return hit.text.strip()
    return max(sentences, key=lambda s: len(asked & set(re.findall(r"\w+", s.lower()))))


def _web_answer(question: str, calls: Sequence[CallItem]) -> Iterator[Action]:
    yield from words(f"According to the web, about “{question}”: there is a page on it")
    for number, call in enumerate(calls):
        marker = f"【{number + 3}:0†source】"
        half = len(marker) // 2
        url = f"https://example.com/{_slug(question)}"
        title = f"{call.type.replace('_', ' ').title()}: {question[:80]}"
        if call.type == INDEX_SEARCH:
            url = title = "doc_0"
        yield Text(marker[:half])
        citation = Annotation("url_citation", marker, url=url, title=title)
        yield Text(marker[half:], (citation,))
    yield Text(".")
