"""Malformed requests are refused with a message: no 500, and no run that fails because of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import cycle
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator

from .wire import Wire

GARBAGE = [
    None, True, -1, 1.5, 10**30, "", "x", "\x00", "é\u2028", [], [None], [[]], {}, {"type": {}},
    {"type": "text"}, {"id": 1},
]  # fmt: skip


SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 2},
                   "b": {"type": "string", "enum": ["x"], "maxLength": 3}},
    "required": ["a", "b"],
    "$defs": {"n": {"type": "integer", "minimum": 3}},
}  # fmt: skip


FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


def bodies(wire: Wire) -> Iterator[tuple[str, Any]]:
    """Routes that take a body, each with one that is in order (but for what was done to it)."""
    upload = wire.http.post(
        "/files", files={"file": ("zoo.txt", b"The zoo opens at nine.")},
        data={"purpose": "assistants"},
    )  # fmt: skip
    file = upload.json()["id"]
    store = wire.post("/vector_stores", {"file_ids": [file]})["id"]
    thread = wire.post("/threads", {})["id"]
    waits = wire.post("/threads/runs", {"assistant_id": "asst_weather", "thread": {
        "messages": [{"role": "user", "content": "weather in Paris"}]}})  # fmt: skip
    conversation = wire.post("/openai/v1/conversations", {})["id"]
    function = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    message = {
        "role": "user",
        "content": [{"type": "text", "text": "call f"},
                    {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
                    {"type": "image_file", "image_file": {"file_id": file}}],
        "attachments": [{"file_id": file, "tools": [{"type": "file_search"}]}],
        "metadata": {"a": "b"},
    }  # fmt: skip
    resources = {
        "code_interpreter": {"file_ids": [file]}, "file_search": {"vector_store_ids": [store]},
        "mcp": [{"server_label": "l", "require_approval": {"never": {"tool_names": ["a"]}}}],
    }  # fmt: skip
    tools = [{"type": "function", "function": function},
             {"type": "file_search", "file_search": {"max_num_results": 3}},
             {"type": "mcp", "server_label": "l", "server_url": "http://x"}]  # fmt: skip
    yield "/assistants", {
        "model": "m", "name": "n", "tools": tools, "tool_resources": resources, "temperature": 1,
        "response_format": FORMAT, "metadata": {"k": "v"},
    }  # fmt: skip
    run = {
        "assistant_id": "asst_echo",
        "stream": True,
        "tools": [tools[0]],
        "response_format": FORMAT,
        "truncation_strategy": {"type": "auto"},
        "max_prompt_tokens": 300,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }
    yield "/threads/runs", {**run, "thread": {"messages": [message], "tool_resources": resources}}
    yield f"/threads/{thread}/runs", {**run, "additional_messages": [message]}
    yield f"/threads/{thread}/messages", message
    yield (
        f"/threads/{waits['thread_id']}/runs/{waits['id']}/submit_tool_outputs",
        {"tool_outputs": [{"tool_call_id": "call_x", "output": "x"}]},
    )
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 800,
                                             "chunk_overlap_tokens": 400}}  # fmt: skip
    yield "/vector_stores", {
        "name": "n", "file_ids": [file], "chunking_strategy": chunking,
        "expires_after": {"anchor": "last_active_at", "days": 1},
    }  # fmt: skip
    yield f"/vector_stores/{store}/file_batches", {"file_ids": [file]}
    for source in ({"file_id": file}, {"data_source": {"uri": "u", "type": "uri_asset"}}):
        yield f"/vector_stores/{store}/files", {**source, "chunking_strategy": chunking}
    flat = [{"type": "function", **function}, {"type": "custom", "name": "c"},
            {"type": "file_search", "vector_store_ids": [store], "max_num_results": 3},
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file]}},
            {"type": "mcp", "server_label": "a", "server_url": "u", "allowed_tools": ["x"],
             "require_approval": {"always": {"tool_names": ["x"]}}},
            {"type": "image_generation", "partial_images": 1}]  # fmt: skip
    answer = {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}
    yield "/agents/fuzz/versions", {
        "definition": {"kind": "prompt", "model": "m", "tools": flat, "text": answer,
                       "tool_choice": {"type": "function", "name": "f"},
                       "structured_inputs": {"n": {"default_value": "x"}}},
    }  # fmt: skip
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "zoo?"},
                                     {"type": "input_image", "image_url": "https://x"},
                                     {"type": "input_file", "filename": "a", "file_data": "x"}]},
        {"type": "message", "role": "assistant",
         "content": [{"type": "output_text", "text": "x"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c",
         "output": [{"type": "input_text", "text": "x"}]},
    ]  # fmt: skip
    yield f"/openai/v1/conversations/{conversation}/items", {"items": items}
    yield "/openai/v1/responses", {
        "model": "m", "input": items, "tools": flat, "text": answer, "stream": True,
    }  # fmt: skip
    yield "/openai/v1/responses", {
        "agent_reference": {"type": "agent_reference", "name": "echo"}, "input": items,
        "metadata": {"a": "b"}, "include": ["file_search_call.results"],
    }  # fmt: skip
    yield "/emulator/reset", {
        "agents": [{"id": "asst_mine", "model": "m"}, {"name": "mine", "definition": {
            "kind": "prompt", "model": "m"}}, None],
        "faults": [{"path_regex": "nowhere", "method": "GET", "times": 1, "status": 500}],
    }  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a body something can be replaced."""
    yield path
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in pairs:
            yield from places(part, (*path, key))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = part = deepcopy(body)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return changed


def test_every_field_may_hold_garbage(wire: Wire) -> None:
    garbage = cycle(GARBAGE)
    seen: set[int] = set()
    for path, body in bodies(wire):
        for place in places(body):
            for value in (next(garbage), next(garbage)):
                bad = replaced(body, place, value)
                answer = wire.http.post(path, content=json.dumps(bad))
                details = (path, place, value, answer.text)
                assert answer.status_code < 500, details
                assert '"server_error"' not in answer.text, details
                if answer.status_code >= 400:
                    assert answer.json()["error"]["message"], details
                seen.add(answer.status_code)
    assert seen >= {200, 400, 404}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\x00", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a":' * 100_000,
        b"[" * 300 + b"]" * 300, b'{"model": NaN}', b'{"model": "m", "top_p": 1e999}',
        b'{"model": "m", "top_p": ' + b"9" * 5000 + b"}", b'{"model": "\\ud800"}',
        '{"model": "m"}'.encode("utf-16"),
    ],
    ids=lambda raw: str(raw[:12]),
)  # fmt: skip
def test_bodies_that_are_not_json(wire: Wire, raw: bytes) -> None:
    for path in ("/assistants", "/openai/v1/responses"):
        answer = wire.http.post(path, content=raw)
        assert answer.status_code == 400
        assert "could not parse the JSON" in answer.json()["error"]["message"]


def test_an_empty_id_names_nothing(wire: Wire) -> None:
    store = wire.post("/vector_stores", {})["id"]
    wire.refused(f"/vector_stores/{store}/files", {"file_id": ""}, 404)
    attached = {"attachments": [{"file_id": "", "tools": [{"type": "file_search"}]}]}
    wire.refused("/threads", {"messages": [{"role": "user", "content": "x", **attached}]}, 404)


def test_queries(wire: Wire) -> None:
    for path in ("/assistants", "/agents", "/openai/v1/conversations"):
        for limit in ("0", "101", "-1", "x", "1.0", "", "9" * 5000):
            answer = wire.http.get(path, params={"limit": limit, "api-version": "v1"})
            assert answer.status_code == 400, (path, limit)
            assert answer.json()["error"]["param"] == "limit"


@pytest.mark.parametrize("fault", ["nope", "status=abc", "status=99999", "mode=up", "delay=x"])
def test_faults(wire: Wire, emulator: Emulator, fault: str) -> None:
    answer = wire.http.get("/assistants", headers={"x-emulator-fault": fault})
    assert answer.status_code == 400
    assert "Fault" not in answer.json()["error"]["message"]
    assert wire.http.get("/assistants").status_code == 200


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "str"}, "'str' is not valid under any of the given schemas"),
        ({"type": "object", "properties": []}, "[] is not of type 'object'"),
        (
            {"properties": {"a": {"type": "object", "required": True}}},
            "True is not of type 'array'",
        ),
        ({"items": {"minimum": "3"}}, "'3' is not of type 'number'"),
        ({"anyOf": [{"minItems": -1}]}, "-1 is less than the minimum of 0"),
        ({"additionalProperties": 5}, "5 is not of type 'object', 'boolean'"),
    ],
)
def test_invalid_json_schemas_are_refused(wire: Wire, schema: Any, why: str) -> None:
    function = {"name": "f", "parameters": schema}
    error = wire.refused(
        "/assistants", {"model": "m", "tools": [{"type": "function", "function": function}]}
    )
    assert error["param"] == "tools[0].function.parameters"
    assert why in error["message"]
    definition = {"kind": "prompt", "model": "m", "tools": [{"type": "function", **function}]}
    answer = wire.http.post("/agents/mine/versions", json={"definition": definition})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "definition.prompt.tools[0].parameters"
