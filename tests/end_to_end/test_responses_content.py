"""What new agents say and take beside text: in all ways and modes one answer, as classic ones."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import files
from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.responses import checks as response_checks
from tests.support.project_content import (
    add_version,
    ask,
    asked,
    everywhere,
    posted,
    wait_for_index,
)
from tests.support.stream_service import PNG
from tests.support.ways import WAYS

PLOT = "Plot 3 1 2 and write a csv file"
FACTS = "The moon 😀 is made of green cheese."


@pytest.fixture
def at(emulator: Emulator) -> dict[str, Any]:
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


@pytest.fixture
def post(emulator: Emulator) -> Any:
    """Sends a request of one's own to the project; returns the JSON answered."""
    headers = {"Authorization": f"Bearer {emulator.token}"}

    def post(path: str, **content: Any) -> Any:
        reply = httpx.post(f"{emulator.endpoint}{path}", headers=headers, **content)
        return reply.raise_for_status().json()

    return post


@pytest.fixture
def searching(post: Any, emulator: Emulator) -> Any:
    """Gives the agent ``search`` a vector store with a file; the file's id."""
    upload = {"file": ("moon.txt", FACTS.encode())}
    file = post("/openai/v1/files", files=upload, data={"purpose": "assistants"})
    store = post("/openai/v1/vector_stores", json={"name": "s", "file_ids": [file["id"]]})
    tool = {"type": "file_search", "vector_store_ids": [store["id"]]}
    add_version(post, "search", tools=[tool])
    wait_for_index(emulator, store["id"])
    emulator.requests.clear()
    return file["id"]


# -- images and files that code makes ----------------------------------------------------------


def test_by_reference(at: Any, emulator: Emulator) -> None:
    result = everywhere(at, "code", PLOT)
    assert result.text == "Here is the plot. Download it here: sandbox:/mnt/data/values.csv"
    assert result.images == []
    assert not asked(emulator, "/content"), "nobody asked for the bytes"
    [image], [table] = result.fields["image_files"], result.fields["files"]
    for entry, name in ((image, "plot.png"), (table, "values.csv")):
        assert set(entry) == {"file_id", "container_id", "filename", "url"}
        assert entry["filename"] == name
        assert entry["url"] == (
            f"{emulator.endpoint}/openai/v1/containers/{entry['container_id']}"
            f"/files/{entry['file_id']}/content"
        )
        headers = {"Authorization": f"Bearer {emulator.token}"}
        where: Any = {"container_id": entry["container_id"], "protocol": "responses", **at}
        data = files.content(entry["file_id"], **where)
        assert data == asyncio.run(files.acontent(entry["file_id"], **where))
        assert data == httpx.get(entry["url"], headers=headers).content
        assert data.startswith(b"\x89PNG" if name == "plot.png" else b"index,value")


def test_annotations_of_made_files(at: Any) -> None:
    result = everywhere(at, "code", PLOT)
    assert [a["type"] for a in result.annotations] == ["container_file_citation"] * 2
    cited = result.annotations[1]["container_file_citation"]
    assert result.text[cited["start_index"] : cited["end_index"]] == cited["text"]
    assert cited["text"] == "sandbox:/mnt/data/values.csv"


def test_inline(at: Any, emulator: Emulator) -> None:
    reference = ask(at, "sync", "code", PLOT).fields["image_files"][0]
    where: Any = {"container_id": reference["container_id"], "protocol": "responses", **at}
    plot = files.content(reference["file_id"], **where)
    result = everywhere(at, "code", PLOT, include_images="inline")
    [image] = result.images
    head, data = image["image_url"]["url"].split(",")
    assert (image["type"], image["index"], head) == ("image_url", 0, "data:image/png;base64")
    assert base64.b64decode(data) == plot
    assert "image_files" not in result.fields
    assert [f["filename"] for f in result.fields["files"]] == ["values.csv"]


@pytest.fixture
def drawing(post: Any) -> str:
    """Its code draws, and its answer refers to nothing."""
    script = [{"code": "plot([1, 2])", "image": "plot"}, {"say": "Done."}]
    tool = {"type": "code_interpreter", "container": {"type": "auto"}}
    body = {
        "definition": {"kind": "prompt", "model": "gpt-4o-mini", "tools": [tool]},
        "metadata": {"emulator_script": json.dumps(script)},
    }
    post("/agents/drawing/versions?api-version=v1", json=body)
    return "drawing"


def test_what_no_text_refers_to(at: Any, emulator: Emulator, drawing: str) -> None:
    [shown] = everywhere(at, drawing, "1 2").fields["image_files"]
    assert (shown["filename"], "note" in shown) == ("plot.png", False)
    data = httpx.get(shown["url"], headers={"Authorization": f"Bearer {emulator.token}"}).content
    assert data.startswith(b"\x89PNG")
    [image] = everywhere(at, drawing, "1 2", include_images="inline").images
    assert base64.b64decode(image["image_url"]["url"].partition(",")[2]) == data


def test_of_a_conversation_only_what_is_new(at: Any, post: Any, drawing: str) -> None:
    conversation = post("/openai/v1/conversations", json={})["id"]
    first = ask(at, "sync", drawing, "1", conversation_id=conversation)
    time.sleep(1.1)  # its clock counts in seconds
    second = ask(at, "sync", drawing, "2", conversation_id=conversation)
    [a], [b] = first.fields["image_files"], second.fields["image_files"]
    assert a["container_id"] == b["container_id"]
    assert a["file_id"] != b["file_id"]


def test_an_image_above_the_limit_is_referred_to(at: Any) -> None:
    result = everywhere(at, "code", PLOT, include_images="inline", max_image_bytes=100)
    assert (result.images, result.finish_reason) == ([], "stop")
    [entry] = result.fields["image_files"]
    assert "max_image_bytes" in entry["note"]
    assert entry["filename"] == "plot.png"


@pytest.mark.parametrize("fault", [{"status": 404}, {"drop": True}], ids=["gone", "lost"])
def test_an_image_that_cannot_be_had_is_referred_to(
    at: Any, emulator: Emulator, fault: Any
) -> None:
    emulator.faults.add(path_regex="/content$", **fault)
    for way in WAYS:
        result = ask(at, way, "code", PLOT, include_images="inline")
        assert (result.images, result.finish_reason) == ([], "stop")
        [entry] = result.fields["image_files"]
        assert ("status 404" if "status" in fault else "no answer") in entry["note"]


def test_results_that_the_service_refuses_to_include(
    at: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asked for the field `include`, so the call goes on without it."""
    monkeypatch.setitem(response_checks.WITH_AGENT, "include", ("refused", "this test"))
    result = everywhere(at, "code", PLOT, include_run_steps=True, include_images="inline")
    assert len(result.images) == 1
    [step] = result.fields["run_steps"]
    assert step["code_interpreter"]["outputs"] == []
    with pytest.raises(litellm.BadRequestError, match="'include'"):
        ask(at, "sync", "code", PLOT, include=["code_interpreter_call.outputs"])


def test_no_text_waits_for_an_image(at: Any) -> None:
    result = ask(at, "async stream", "code", PLOT, include_images="inline")
    kinds = [
        "text" if c.choices[0].delta.content else "image" if c.choices[0].delta.get("images")
        else "" for c in result.chunks if c.choices
    ]  # fmt: skip
    assert kinds.index("image") > max(n for n, kind in enumerate(kinds) if kind == "text")


def test_at_the_agents_own_endpoint(at: Any) -> None:
    result = everywhere(at, "code", PLOT, include_images="inline", endpoint_style="agent")
    assert len(result.images) == 1
    assert result.fields["files"][0]["filename"] == "values.csv"
    reference = everywhere(at, "code", PLOT, endpoint_style="agent").fields["image_files"][0]
    assert reference["url"].startswith(f"{at['api_base']}/openai/v1/containers/cntr_")


def test_where_there_are_no_files(at: Any) -> None:
    """A published application serves none: a reference without an address."""
    result = ask(at, "sync", "code", PLOT, include_images="inline", endpoint_style="application")
    [image] = result.fields["image_files"]
    assert "no files" in image["note"]
    assert "url" not in image


def test_generated_images(at: Any) -> None:
    result = everywhere(at, "images", "Make an image of 1 2 3", include_run_steps=True)
    [image] = result.images
    assert base64.b64decode(image["image_url"]["url"].partition(",")[2]) == PNG
    [step] = result.fields["run_steps"]
    assert (step["type"], step["status"], "result" in step) == (
        "image_generation", "completed", False,
    )  # fmt: skip


# -- citations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "text", "marker"),
    [
        ("keep", FACTS + "【4:0†moon.txt】", "【4:0†moon.txt】"),
        ("strip", FACTS, ""),
        ("footnotes", FACTS + "[1]\n\n[1] moon.txt", "[1]"),
    ],
)
def test_citations_of_files(at: Any, searching: str, mode: str, text: str, marker: str) -> None:
    result = everywhere(at, "search", "What is the moon made of?", citations=mode)
    assert result.text == text
    [annotation] = result.annotations
    cited = annotation["file_citation"]
    start, end = cited["start_index"], cited["end_index"]
    assert (start, text[start:end]) == (len(FACTS), marker)
    assert cited == {
        "file_id": searching, "filename": "moon.txt", "text": "【4:0†moon.txt】",
        "start_index": start, "end_index": end,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "marker"), [("keep", "【3:0†source】"), ("strip", ""), ("footnotes", "[1]")]
)
def test_citations_of_the_web(at: Any, mode: str, marker: str) -> None:
    result = everywhere(at, "web", "😀👩‍👩‍👧 news", citations=mode)
    assert result.text.count("†") == (mode == "keep")
    [annotation] = result.annotations
    page = annotation["url_citation"]
    assert set(page) == {"url", "title", "start_index", "end_index"}
    assert result.text[page["start_index"] : page["end_index"]] == marker
    assert result.text[page["start_index"] - 2 : page["start_index"]] == "it"
    if mode == "footnotes":
        assert result.text.endswith(f"[1] {page['title']}: {page['url']}")


# -- traces ------------------------------------------------------------------------------------


def test_traces_of_code(at: Any, emulator: Emulator) -> None:
    result = everywhere(at, "code", PLOT, include_run_steps=True)
    [step] = result.fields["run_steps"]
    code = step["code_interpreter"]
    assert (step["type"], step["status"]) == ("code_interpreter", "completed")
    assert code["input"].startswith("values = [3.0, 1.0, 2.0]")
    assert code["outputs"][0] == {"type": "logs", "logs": "6\n"}
    assert [output["type"] for output in code["outputs"]] == ["logs", "image"]
    assert "base64" not in str(step), "the picture is given by reference"
    assert result.images == []
    assert len(result.fields["image_files"]) == 1


def test_code_is_streamed_as_it_is_written(at: Any) -> None:
    result = ask(at, "async stream", "code", PLOT, include_run_steps=True)
    written, lists = "", []
    for chunk in result.chunks:
        fields = chunk.choices[0].delta.provider_specific_fields if chunk.choices else None
        lists += (fields or {}).get("run_steps") or []
    for entry in lists:
        written += entry.get("delta", {}).get("code_interpreter", {}).get("input", "")
    assert written == lists[-1]["code_interpreter"]["input"]
    assert sum("delta" in entry for entry in lists) >= 1
    assert lists[0]["status"] == "in_progress"


def test_traces_of_a_search(at: Any, searching: str) -> None:
    result = everywhere(at, "search", "What is the moon made of?", include_run_steps=True)
    [step] = result.fields["run_steps"]
    assert step["type"] == "file_search"
    [hit] = step["file_search"]["results"]
    assert (hit["file_id"], hit["file_name"]) == (searching, "moon.txt")
    assert hit["content"] == [{"type": "text", "text": FACTS}]
    assert step["file_search"]["queries"] == ["What is the moon made of?"]


def test_both_kinds_of_agents_tell_the_same(at: Any) -> None:
    new = ask(at, "sync", "code", PLOT, include_images="inline", include_run_steps=True)
    old = ask(at, "sync", "asst_code", PLOT, include_images="inline", include_run_steps=True)
    assert new.text == old.text
    assert new.images == old.images
    [new_step], [old_step] = new.fields["run_steps"], old.fields["run_steps"]
    assert {"id", "type", "status", "code_interpreter"} <= set(new_step) & set(old_step)
    assert new_step["code_interpreter"]["input"] == old_step["code_interpreter"]["input"]
    assert new_step["code_interpreter"]["outputs"][0] == old_step["code_interpreter"]["outputs"][0]
    [new_file], [old_file] = new.fields["files"], old.fields["files"]
    assert set(new_file) - {"container_id"} == set(old_file)
    assert new_file["filename"] == old_file["filename"]


def test_no_traces_and_no_more_asked_for_unless_wanted(at: Any, emulator: Emulator) -> None:
    assert "run_steps" not in everywhere(at, "code", PLOT).fields
    assert "include" not in posted(emulator)
