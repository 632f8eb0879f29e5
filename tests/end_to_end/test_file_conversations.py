"""Conversations with classic agents about files, images and pages, in all ways."""

from __future__ import annotations

import base64
import csv
import io
import zlib
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import files, vector_stores
from litellm_azure_agents.emulator import Emulator, Strictness
from tests.support.ways import WAYS, Result, Way

FACTS = "The moon is made of green cheese. 😀 Paris is in France. Coffee costs 3 euros."


@pytest.fixture
def at(emulator: Emulator) -> dict[str, Any]:
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


def request(emulator: Emulator, method: str, path: str) -> Any:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    url = f"{emulator.endpoint}/{path}?api-version=v1"
    return httpx.request(method, url, headers=headers).json()


def everywhere(at: Any, **arguments: Any) -> Result:
    """The same question in all ways and modes; every answer says the same."""
    results = [
        Way(way).ask(**at, **arguments, run_mode=mode)
        for way in WAYS
        for mode in ("stream", "poll")
    ]
    for result in results:
        assert bare(result) == bare(results[0])
    return results[0]


def bare(result: Result) -> Any:
    """Without the ids that differ from run to run."""
    annotations = [
        {k: v for k, v in a[a["type"]].items() if k != "file_id"} for a in result.annotations
    ]
    steps = [
        {k: v for k, v in s.items() if not k.endswith("id") and k not in ("code_interpreter",)}
        for s in result.fields.get("run_steps", ())
        if s["type"] != "file_search"
    ]
    kinds = [s["type"] for s in result.fields.get("run_steps", ())]
    return result.text, result.finish_reason, annotations, result.images, steps, kinds


def ask_file(text: str, *parts: Any) -> Any:
    data = base64.b64encode(FACTS.encode()).decode()
    part = {"type": "file", "file": {"filename": "facts.txt",
                                     "file_data": f"data:text/plain;base64,{data}"}}  # fmt: skip
    return [{"role": "user", "content": [{"type": "text", "text": text}, part, *parts]}]


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("keep", "The moon is made of green cheese.【4:0†facts.txt】"),
        ("strip", "The moon is made of green cheese."),
        ("footnotes", "The moon is made of green cheese.[1]\n\n[1] facts.txt"),
    ],
)
def test_a_question_about_an_attached_file(at: Any, mode: str, text: str) -> None:
    result = everywhere(
        at, model="azure_ai/agents/asst_search", citations=mode, include_run_steps=True,
        messages=ask_file("What is the moon made of?"),
    )  # fmt: skip
    assert result.text == text
    [annotation] = result.annotations
    assert annotation["file_citation"]["filename"] == "facts.txt"
    assert annotation["file_citation"]["quote"] == "The moon is made of green cheese."
    [step] = result.fields["run_steps"]
    assert step["file_search"]["results"][0]["content"][0]["text"] == FACTS


def test_a_vector_store_by_its_id(at: Any) -> None:
    store = vector_stores.create([("facts.md", FACTS.encode())], **at)
    result = everywhere(
        at, model="azure_ai/agents/asst_search",
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        messages=[{"role": "user", "content": "What does coffee cost?"}],
    )  # fmt: skip
    assert "Coffee costs 3 euros." in result.text


def test_the_web_with_astral_characters(at: Any) -> None:
    result = everywhere(
        at, model="azure_ai/agents/asst_bing", citations="footnotes", include_run_steps=True,
        messages=[{"role": "user", "content": "😀👩‍👩‍👧 news"}],
    )  # fmt: skip
    [annotation] = result.annotations
    page = annotation["url_citation"]
    assert result.text[page["start_index"] : page["end_index"]] == "[1]"
    assert set(page) == {"url", "title", "start_index", "end_index"}
    assert result.text.endswith(f"[1] {page['title']}: {page['url']}")
    assert [s["type"] for s in result.fields["run_steps"]] == ["bing_grounding"]


def test_indices_in_utf16_units() -> None:
    with Emulator(strictness=Strictness(utf16_indices=True)) as running:
        at: Any = {"api_base": running.endpoint, "api_key": running.token}
        for mode in ("keep", "strip", "footnotes"):
            result = everywhere(
                at, model="azure_ai/agents/asst_bing", citations=mode,
                messages=[{"role": "user", "content": "😀👩‍👩‍👧 news"}],
            )  # fmt: skip
            page = result.annotations[0]["url_citation"]
            shown = result.text[page["start_index"] : page["end_index"]]
            assert shown == {"keep": "【3:0†source】", "strip": "", "footnotes": "[1]"}[mode]


def test_a_plot_and_a_table(at: Any) -> None:
    arguments: Any = {
        "model": "azure_ai/agents/asst_code",
        "messages": [{"role": "user", "content": "Plot 3 1 2 and write a csv file"}],
    }
    inline = everywhere(at, include_images="inline", include_run_steps=True, **arguments)
    [image] = inline.images
    picture = base64.b64decode(image["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert pixels(picture) > 1000
    [code] = inline.fields["run_steps"]
    assert code["code_interpreter"]["input"].startswith("values = [3.0, 1.0, 2.0]")
    assert code["code_interpreter"]["outputs"][0] == {"type": "logs", "logs": "6\n"}
    result = everywhere(at, **arguments)
    [reference] = result.fields["image_files"]
    assert files.content(reference["file_id"], **at) == picture
    [table] = result.fields["files"]
    assert table["filename"] == "values.csv"
    rows = list(csv.reader(io.StringIO(files.content(table["file_id"], **at).decode())))
    assert rows == [["index", "value"], ["0", "3"], ["1", "1"], ["2", "2"]]
    headers = {"Authorization": f"Bearer {at['api_key']}"}
    assert httpx.get(reference["url"], headers=headers).content == picture


def pixels(png: bytes) -> int:
    """How many bytes of picture a PNG holds, decoded."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at = png.index(b"IDAT")
    length = int.from_bytes(png[at - 4 : at], "big")
    return len(zlib.decompress(png[at + 4 : at + 4 + length]))


def test_pictures_large_and_small_reach_the_agent(at: Any, emulator: Emulator) -> None:
    from litellm_azure_agents.emulator.models.code_answers import bar_chart

    url = "data:image/png;base64," + base64.b64encode(bar_chart([1, 2])).decode()
    for limit, kind in ((10_000_000, "image_url"), (100, "image_file")):
        result = everywhere(
            at, model="azure_ai/agents/asst_echo", max_data_url_bytes=limit,
            messages=[{"role": "user", "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}],
        )  # fmt: skip
        assert result.text == "You said: Hi (with 1 image)"
        thread = request(emulator, "GET", f"threads/{result.ids['thread_id']}/messages")
        parts = thread["data"][-1]["content"]
        assert [p["type"] for p in parts] == ["text", kind]
        assert parts[1][kind]["detail"] == "low"
    assert len(request(emulator, "GET", "files")["data"]) == 1


def test_an_uploaded_file_that_someone_deleted(at: Any, emulator: Emulator) -> None:
    arguments: Any = {"model": "azure_ai/agents/asst_search", **at}
    for way in WAYS:
        for file in request(emulator, "GET", "files")["data"]:
            files.delete(file["id"], **at)
        result = Way(way).ask(messages=ask_file("What does coffee cost?"), **arguments)
        assert "Coffee costs 3 euros." in result.text


@pytest.mark.parametrize("way", WAYS)
def test_ephemeral_files_leave_nothing(way: str, at: Any, emulator: Emulator) -> None:
    result = Way(way).ask(
        model="azure_ai/agents/asst_search", ephemeral_files=True,
        messages=ask_file("What is the moon?"), **at,
    )  # fmt: skip
    assert "cheese" in result.text
    assert request(emulator, "GET", "files")["data"] == []


def test_an_agent_without_tools_for_files(at: Any) -> None:
    with pytest.raises(litellm.BadRequestError, match="attach_files"):
        Way("sync").ask(model="azure_ai/agents/asst_echo", messages=ask_file("Hi"), **at)


def rounds(at: Any, way: str, mode: str, **arguments: Any) -> list[Result]:
    """A question, and the answer to the calls that it leads to."""
    question = [{"role": "user", "content": arguments.pop("content")}]
    answer = arguments.pop("answer")
    first = Way(way).ask(messages=question, run_mode=mode, **arguments, **at)
    history = [
        *question,
        first.assistant_message(),
        *({"role": "tool", "tool_call_id": c[0], "content": answer} for c in first.tool_calls),
    ]
    return [first, Way(way).ask(messages=history, run_mode=mode, **arguments, **at)]


@pytest.mark.parametrize("way", WAYS)
def test_after_results_nothing_is_told_again(way: str, at: Any) -> None:
    for mode in ("stream", "poll"):
        first, second = rounds(
            at, way, mode, model="azure_ai/agents/asst_weather", include_run_steps=True,
            content="Before you look, tell me: weather in Paris?", answer="Sunny",
        )  # fmt: skip
        assert first.text == "Let me check that for you."
        assert second.text.startswith("get_weather(")
        assert "Let me check" not in second.text
        assert "run_steps" not in {**first.fields, **second.fields}, "the caller's own functions"


@pytest.mark.parametrize("way", WAYS)
def test_traces_of_a_tool_that_was_approved(way: str, at: Any) -> None:
    seen = []
    for mode in ("stream", "poll"):
        first, second = rounds(
            at, way, mode, model="azure_ai/agents/asst_approval", include_run_steps=True,
            content="Search the docs for agents", answer='{"approve": true}',
        )  # fmt: skip
        listed, waiting = first.fields["run_steps"]
        assert (listed["type"], listed["server_label"]) == ("mcp_list_tools", "docs")
        assert set(listed["tools"]) == {"search_docs", "read_page"}
        [done] = second.fields["run_steps"]
        assert (waiting["type"], waiting["status"]) == ("mcp", "in_progress")
        assert (done["type"], done["status"]) == ("mcp", "completed")
        assert waiting["id"] == done["id"]
        assert done["output"].startswith("docs.search_docs found")
        seen.append([{k: v for k, v in s.items() if not k.endswith("id")} for s in (waiting, done)])
    assert seen[0] == seen[1]
