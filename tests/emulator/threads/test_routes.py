"""Routes of the classic protocol: refused requests, versions, pages, updates."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from ..wire import Wire, last_run

USER = {"role": "user", "content": "hi"}


RUN = "/threads/runs"


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        (RUN, {}, "assistant_id", "missing_required_parameter"),
        (RUN, {"assistant_id": 1}, "assistant_id", "invalid_type"),
        (RUN, {"assistant_id": "asst_echo", "reasoning_effort": "low"}, "reasoning_effort",
         "unknown_parameter"),
        (RUN, {"assistant_id": "asst_echo", "additional_instructions": "x"},
         "additional_instructions", "unknown_parameter"),
        (RUN, {"assistant_id": "asst_echo", "additional_messages": [USER]},
         "additional_messages", "unknown_parameter"),
        (RUN, {"assistant_id": "asst_echo", "temperature": 3}, "temperature", "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "temperature": "1"}, "temperature", "invalid_type"),
        (RUN, {"assistant_id": "asst_echo", "stream": "true"}, "stream", "invalid_type"),
        (RUN, {"assistant_id": "asst_echo", "max_completion_tokens": 255},
         "max_completion_tokens", "integer_below_min_value"),
        (RUN, {"assistant_id": "asst_echo", "tool_choice": "required"}, "tool_choice",
         "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "tool_choice": {"type": "function"}}, "tool_choice",
         "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "response_format": "none"}, "response_format",
         "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "tools": [{"type": "function",
         "function": {"name": "bad name"}}]}, "tools[0].function.name", "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "tools": [{"type": "magic"}]}, "tools[0]",
         "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "truncation_strategy": {"type": "last_messages"}},
         "truncation_strategy", "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "thread": {"messages": [{"role": "system",
         "content": "x"}]}}, "thread.messages[0].role", "invalid_value"),
        (RUN, {"assistant_id": "asst_echo", "thread": {"messages": [USER] * 33}},
         "thread.messages", "array_above_max_length"),
        ("/threads", {"messages": [{"role": "user", "content": ""}]}, "messages[0].content",
         "invalid_value"),
        ("/threads", {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "x" * 1_000_000}, {"type": "text", "text": "x" * 500_001}]}]},
         "messages[0].content", "invalid_value"),
        ("/threads", {"messages": [{"role": "user", "content": [{"type": "input_text",
         "text": "x"}]}]}, "messages[0].content[0]", "invalid_value"),
        ("/threads", {"metadata": {"k": 1}}, "metadata.k", "invalid_type"),
        ("/threads", {"metadata": {"k" * 65: "v"}}, "metadata", "invalid_value"),
        ("/assistants", {"name": "no model"}, "model", "missing_required_parameter"),
        ("/vector_stores", {"file_ids": "one"}, "file_ids", "invalid_type"),
    ],
)  # fmt: skip
def test_bad_bodies(wire: Wire, path: str, body: Any, param: str, code: str) -> None:
    error = wire.refused(path, body)
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"


def test_bad_json_and_lone_surrogates(wire: Wire) -> None:
    for body in (b"{", b"[1]", b'{"messages": [{"role": "user", "content": "\\ud83d"}]}'):
        answer = wire.http.post("/threads", content=body)
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/assistants/asst_nope", 404),
        ("GET", "/threads/thread_nope", 404),
        ("POST", "/threads/thread_nope/messages", 404),
        ("GET", "/nothing/here", 404),
        ("PUT", "/threads", 405),
    ],
)
def test_unknown_objects_are_not_found(wire: Wire, method: str, path: str, status: int) -> None:
    answer = wire.http.request(method, path, json=USER)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert answer.headers["x-request-id"].startswith("req_")


def test_api_version_is_required_and_known(wire: Wire, emulator: Emulator) -> None:
    headers = {"Authorization": "Bearer x"}
    url = emulator.endpoint + "/assistants/asst_echo"
    assert httpx.get(url, headers=headers).status_code == 400
    for version, status in [
        ("v1", 200), ("2025-05-01", 200), ("2025-05-15-preview", 200), ("2024-01-01", 400),
    ]:  # fmt: skip
        answer = httpx.get(url, headers=headers, params={"api-version": version})
        assert answer.status_code == status
    tool = {"type": "mcp", "server_label": "a", "server_url": "https://example.com"}
    for version, status in [("v1", 200), ("2025-05-01", 400), ("2025-05-15-preview", 200)]:
        answer = httpx.post(
            emulator.endpoint + "/assistants",
            headers=headers,
            params={"api-version": version},
            json={"model": "m", "tools": [tool]},
        )
        assert answer.status_code == status


def test_pages_both_ways(wire: Wire) -> None:
    thread = wire.post("/threads")["id"]
    path = f"/threads/{thread}/messages"
    ids = [wire.post(path, {"role": "user", "content": str(n)})["id"] for n in range(7)]
    for order, whole in (("asc", ids), ("desc", ids[::-1])):
        seen: list[str] = []
        page: Any = {"has_more": True, "last_id": ""}
        while page["has_more"]:
            page = wire.get(path, order=order, limit=3, after=page["last_id"])
            seen += [m["id"] for m in page["data"]]
            assert page["first_id"] == page["data"][0]["id"]
        assert seen == whole
        before = wire.get(path, order=order, limit=2, before=whole[4])
        assert [m["id"] for m in before["data"]] == whole[2:4]
        assert before["has_more"]
    assert wire.get("/assistants", limit=100)["has_more"] is False
    for query in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"order": "up"}, {"after": "no"}):
        answer = wire.http.get(path, params={"api-version": "v1", **query})
        assert answer.status_code == 400, query


def test_objects_are_updated_and_deleted(wire: Wire) -> None:
    agent = wire.post("/assistants", {"model": "m", "name": "a", "temperature": 0.5})
    changed = wire.post(f"/assistants/{agent['id']}", {"name": "b"})
    assert changed == {**agent, "name": "b"}
    thread = wire.post("/threads", {"metadata": {"a": "1"}})["id"]
    assert wire.post(f"/threads/{thread}", {"metadata": {"b": "2"}})["metadata"] == {"b": "2"}
    message = wire.post(f"/threads/{thread}/messages", USER)["id"]
    path = f"/threads/{thread}/messages/{message}"
    assert wire.post(path, {"metadata": {"c": "3"}})["metadata"] == {"c": "3"}
    for gone in (path, f"/threads/{thread}", f"/assistants/{agent['id']}"):
        assert wire.http.delete(gone).json()["deleted"] is True
        assert wire.http.delete(gone).status_code == 404


def test_message_parts_are_read_back(wire: Wire) -> None:
    parts = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
    ]
    thread = wire.post("/threads", {"messages": [{"role": "user", "content": parts}]})["id"]
    content = wire.get(f"/threads/{thread}/messages")["data"][0]["content"]
    assert content == [
        {"type": "text", "text": {"value": "what is this?", "annotations": []}},
        parts[1],
    ]
    run = {"assistant_id": "asst_echo"}
    message = last_run(wire.stream(f"/threads/{thread}/runs", run))
    answer = wire.get(f"/threads/{thread}/messages", run_id=message["id"])["data"][0]
    assert answer["content"][0]["text"]["value"].endswith("(with 1 image)")
