"""What agents say and take beside text, seen by clients of a real LiteLLM proxy on both routes."""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest

from litellm_azure_agents import files
from litellm_azure_agents.emulator import Emulator
from tests.end_to_end.conftest import ROUTES

FACTS = b"The moon is made of green cheese. Coffee costs 3 euros."
FILE = {"type": "file", "file": {
    "filename": "facts.pdf",
    "file_data": "data:application/pdf;base64," + base64.b64encode(FACTS).decode()}}  # fmt: skip


def ask(client: openai.OpenAI, model: str, content: Any, *, stream: bool, **options: Any) -> Any:
    """(text, annotations, images, provider-specific fields) as the client has them."""
    arguments: Any = {"model": model, "messages": [{"role": "user", "content": content}],
                      "extra_body": options}  # fmt: skip
    if not stream:
        message = client.chat.completions.create(**arguments).choices[0].message
        more = message.model_extra or {}
        notes = [a.model_dump(exclude_none=True) for a in message.annotations or ()]
        return message.content, notes, more.get("images") or [], more["provider_specific_fields"]
    text, annotations, images, fields = "", [], [], {}
    for chunk in client.chat.completions.create(**arguments, stream=True):
        for choice in chunk.choices:
            more = choice.delta.model_extra or {}
            text += choice.delta.content or ""
            annotations += more.get("annotations") or []
            images += more.get("images") or []
            fields |= more.get("provider_specific_fields") or {}  # the last list has all
    return text, annotations, images, fields


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_a_question_about_a_file(client: openai.OpenAI, route: str, stream: bool) -> None:
    content = [{"type": "text", "text": "What is the moon made of?"}, FILE]
    text, annotations, _, fields = ask(
        client, route + "asst_search", content, stream=stream, citations="footnotes",
        include_run_steps=True,
    )  # fmt: skip
    assert text == "The moon is made of green cheese.[1]\n\n[1] facts.pdf"
    [annotation] = annotations
    cited = annotation["file_citation"]
    assert text[cited["start_index"] : cited["end_index"]] == "[1]"
    assert (cited["filename"], cited["quote"]) == (
        "facts.pdf", "The moon is made of green cheese.",
    )  # fmt: skip
    [step] = fields["run_steps"]
    assert step["file_search"]["results"][0]["content"][0]["text"] == FACTS.decode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_a_plot_and_a_file(
    client: openai.OpenAI, project: Emulator, route: str, stream: bool
) -> None:
    text, annotations, images, fields = ask(
        client, route + "asst_code", "Plot 3 1 2 and write a csv file", stream=stream,
        include_images="inline", include_run_steps=True,
    )  # fmt: skip
    assert text.startswith("Here is the plot.")
    url = images[0]["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    path = annotations[0]["file_path"]
    assert text[path["start_index"] : path["end_index"]] == "sandbox:/mnt/data/values.csv"
    [made] = fields["files"]
    assert made["filename"] == "values.csv"
    at = {"api_base": project.endpoint, "api_key": project.token}
    assert files.content(made["file_id"], **at).startswith(b"index,value")
    [step] = fields["run_steps"]
    assert step["status"] == "completed"
    assert step["code_interpreter"]["outputs"][0]["logs"] == "6\n"


def test_the_openai_clients_stream_helper(client: openai.OpenAI) -> None:
    """It joins the deltas itself, lists by the index of their entries."""
    question = "Plot 3 1 2 and write a csv file"
    with client.chat.completions.stream(
        model=ROUTES[0] + "asst_code",
        messages=[{"role": "user", "content": question}],
        extra_body={"include_run_steps": True},
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    fields = message.provider_specific_fields  # type: ignore[attr-defined]
    assert [f["filename"] for f in fields["files"]] == ["values.csv"]
    assert fields["run_steps"][-1]["code_interpreter"]["outputs"][0]["logs"] == "6\n"
    texts = {"moon.txt": b"The moon is made of cheese.", "sun.txt": b"The sun is made of butter."}
    parts = [
        {"type": "file", "file": {"filename": n, "file_data": base64.b64encode(data).decode()}}
        for n, data in texts.items()
    ]
    content: Any = [{"type": "text", "text": "What are the moon and the sun made of?"}, *parts]
    with client.chat.completions.stream(
        model=ROUTES[0] + "asst_search", messages=[{"role": "user", "content": content}]
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    cited = [a.model_dump()["file_citation"] for a in message.annotations or ()]
    assert {c["filename"] for c in cited} == set(texts)
    for c in cited:
        assert (message.content or "")[c["start_index"] : c["end_index"]] == c["text"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_what_new_agents_say(client: openai.OpenAI, route: str, stream: bool) -> None:
    text, annotations, images, fields = ask(
        client, route + "code", "Plot 3 1 2 and write a csv file", stream=stream,
        include_images="inline", include_run_steps=True,
    )  # fmt: skip
    url = images[0]["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    cited = annotations[-1]["container_file_citation"]
    assert text[cited["start_index"] : cited["end_index"]] == "sandbox:/mnt/data/values.csv"
    [made] = fields["files"]
    assert (made["filename"], made["container_id"]) == ("values.csv", cited["container_id"])
    [step] = fields["run_steps"]
    assert step["code_interpreter"]["outputs"][0]["logs"] == "6\n"
    text, [annotation], _, _ = ask(client, route + "web", "who", stream=stream)
    found = annotation["url_citation"]
    assert text[found["start_index"] : found["end_index"]] == "【3:0†source】"
    _, _, _, fields = ask(client, route + "workflow", "go", stream=stream)
    kinds = [item["type"] for item in fields["items"]]
    assert kinds == ["workflow_action", "workflow_action", "structured_outputs"]


def test_what_cannot_be_taken_is_a_400(client: openai.OpenAI) -> None:
    program = {"type": "file", "file": {"filename": "a.exe", "file_data": "TVo="}}
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=r"a\.exe"):
            ask(client, ROUTES[0] + "asst_search", [program], stream=stream)
    with pytest.raises(openai.BadRequestError, match="max_image_bytes"):
        ask(client, ROUTES[0] + "asst_code", "Plot", stream=False, max_image_bytes=1)
