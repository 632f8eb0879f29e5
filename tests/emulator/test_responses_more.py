"""Responses: faults, mixed calls, custom tools, what includes show, shares of traffic, seeding."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.models.base import (
    Action,
    CallFunction,
    OutputFile,
    RunCode,
    Text,
    Turn,
    Usage,
)

from .responses_help import Raw, check_stream, events_of, reference, said, steps, wait_for_end

VERSION = {"api-version": "v1"}


@pytest.fixture
def raw(emulator: Emulator) -> Iterator[Raw]:
    client = Raw(emulator)
    yield client
    client.http.close()


def make(raw: Raw, name: str, **definition: Any) -> None:
    body = {"definition": {"kind": "prompt", "model": "m", **definition}}
    raw.post(f"/agents/{name}/versions", body, params=VERSION)


# ---- faults ---------------------------------------------------------------------------------


def test_error_events_are_flat_and_numbered(raw: Raw) -> None:
    headers = {"x-emulator-fault": "error-after-events=2;code=server_error;message=Broken."}
    body = raw.body("echo", "hi", stream=True)
    answer = raw.http.post("/openai/v1/responses", json=body, headers=headers)
    events = events_of(answer.text)
    assert steps(events) == ["created", "in_progress", "error"]
    assert events[-1] == {
        "type": "error", "sequence_number": 2, "code": "server_error", "message": "Broken.",
        "param": None,
    }  # fmt: skip


def test_refusals_by_fault_have_the_protocols_shape(emulator: Emulator, raw: Raw) -> None:
    emulator.faults.add(path_regex="/responses$", status=503, times=1)
    error = raw.refused(raw.body("echo", "hi"), 503)
    assert error["code"] == "server_error"
    assert raw.ask("echo", "hi")["status"] == "completed"


@pytest.mark.parametrize(("fault", "status"), [("", "cancelled"), (";unnoticed", "completed")])
def test_a_cut_response_stops_unless_the_cut_goes_unnoticed(
    emulator: Emulator, raw: Raw, fault: str, status: str
) -> None:
    headers = {"x-emulator-fault": f"cut-after-events=5{fault}"}
    body = raw.body("slow", "a b", stream=True)
    with pytest.raises(httpx.RemoteProtocolError):
        raw.http.post("/openai/v1/responses", json=body, headers=headers)
    (live,) = emulator.project.responses.recent.values()
    response = wait_for_end(raw, live.response["id"])
    assert response["status"] == status
    assert said(response) == ("You said: a b" if status == "completed" else "")


# ---- calls ----------------------------------------------------------------------------------


def test_approval_and_function_in_one_answer(raw: Raw) -> None:
    first = raw.ask("approval", "Search the docs, and the weather in Oslo?")
    kinds = [item["type"] for item in first["output"]]
    assert kinds == ["mcp_list_tools", "mcp_approval_request", "function_call"]
    answers = [
        {"type": "function_call_output", "call_id": first["output"][2]["call_id"],
         "output": "snow"},
        {"type": "mcp_approval_response", "approval_request_id": first["output"][1]["id"],
         "approve": True},
    ]  # fmt: skip
    after = {"previous_response_id": first["id"]}
    assert (
        "do not have an approval"
        in raw.refused(raw.body("approval", answers[:1], **after))["message"]
    )
    final = raw.ask("approval", answers, **after)
    assert [item["type"] for item in final["output"]] == ["mcp_call", "message"]
    assert "snow" in said(final)
    assert "docs.search_docs answered" in said(final)


def test_custom_tools_take_text(raw: Raw) -> None:
    make(raw, "custom", tools=[{"type": "custom", "name": "run_sql", "description": "Runs SQL"}])
    events = raw.stream("custom", "run sql please")
    assert "custom_tool_call_input.done" in steps(events)
    (call,) = check_stream(events)["output"]
    assert (call["type"], call["name"], call["input"]) == (
        "custom_tool_call", "run_sql", "run sql please",
    )  # fmt: skip
    after = {"previous_response_id": events[-1]["response"]["id"]}
    assert call["call_id"] in raw.refused(raw.body("custom", "x", **after))["message"]
    output = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "3 rows"}
    assert "3 rows" in said(raw.ask("custom", [output], **after))


def test_structured_outputs_and_other_hosted_tools(raw: Raw) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    outputs = {"name": "travel_plan", "description": "d", "schema": schema, "strict": True}
    tools = [
        {"type": "capture_structured_outputs", "outputs": outputs},
        {"type": "openapi", "openapi": {"name": "countries", "spec": {}, "auth": {}}},
        {"type": "sharepoint_grounding_preview", "sharepoint_grounding_preview": {}},
    ]
    make(raw, "tools", tools=tools)
    final = raw.ask("tools", "Plan the travel to Lima")
    assert [i["type"] for i in final["output"]] == ["structured_outputs", "message"]
    assert final["output"][0]["output"] == {"city": "Lima"}
    final = raw.ask("tools", "Which countries are there?")
    call, result, _ = final["output"]
    assert (call["type"], result["type"]) == ("openapi_call", "openapi_call_output")
    assert json.loads(call["arguments"]) == {"input": "Which countries are there?"}
    final = raw.ask("tools", "sharepoint_grounding, please")
    assert final["output"][0]["type"] == "sharepoint_grounding_preview_call"


def test_includes_are_for_reading_too(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})["id"]
    response = raw.ask("code", "sum of 1 2", conversation=conversation)
    assert response["output"][0]["outputs"] is None
    include = {"include[]": "code_interpreter_call.outputs"}
    read = raw.get(f"/openai/v1/responses/{response['id']}", **include)
    assert read["output"][0]["outputs"] == [{"type": "logs", "logs": "3\n"}]
    path = f"/openai/v1/conversations/{conversation}/items"
    items = raw.get(path, order="asc")["data"]
    assert items[1]["outputs"] is None
    assert raw.get(path, order="asc", **include)["data"][1]["outputs"]


def test_one_container_for_a_conversation(raw: Raw) -> None:
    conversation = raw.post("/openai/v1/conversations", {})["id"]
    ids = set()
    for text in ("plot 1 2", "plot 3 4"):
        response = raw.ask("code", text, conversation=conversation)
        ids.add(response["output"][0]["container_id"])
    (id,) = ids
    assert len(raw.get(f"/openai/v1/containers/{id}/files")["data"]) == 2
    assert raw.ask("code", "plot 5")["output"][0]["container_id"] not in ids


def test_unknown_files_are_refused(raw: Raw) -> None:
    content = [{"type": "input_file", "file_id": "assistant-none"}]
    error = raw.refused(raw.body("echo", [{"role": "user", "content": content}]))
    assert "assistant-none" in error["message"]


# ---- agents ---------------------------------------------------------------------------------


def test_traffic_is_shared_as_the_selector_says(raw: Raw) -> None:
    rules = [
        {"type": "FixedRatio", "agent_version": v, "traffic_percentage": share}
        for v, share in (("1", 30), ("2", 70))
    ]
    body = {"agent_endpoint": {"version_selector": {"version_selection_rules": rules}}}
    answer = raw.http.patch("/agents/echo", params=VERSION, json=body)
    assert answer.status_code == 200, answer.text
    path = "/agents/echo/endpoint/protocols/openai/responses"
    seen: Counter[str] = Counter()
    for _ in range(20):
        response = raw.post(path, {"input": "x"}, params=VERSION)
        seen[response["agent_reference"]["version"]] += 1
    assert set(seen) == {"1", "2"}
    assert 3 <= seen["1"] <= 9
    rules[0]["traffic_percentage"] = 20
    answer = raw.http.patch("/agents/echo", params=VERSION, json=body)
    assert answer.status_code == 400


def test_api_versions(raw: Raw) -> None:
    for path, params, code in (
        ("/agents", {}, "MissingApiVersionParameter"),
        ("/agents", {"api-version": "2025-05-01"}, "UnsupportedApiVersion"),
    ):
        answer = raw.http.get(path, params=params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    path = "/applications/echo/protocols/openai/responses"
    assert raw.refused({"input": "x"}, path=path + "?api-version=v1")
    assert raw.post(path + "?api-version=2025-11-15-preview", {"input": "x"})["store"] is False


def test_seeding_new_agents() -> None:
    classic = {"id": "asst_mine", "model": "m"}
    new = {"name": "mine", "definition": {"kind": "prompt", "model": "m", "instructions": "Go."}}
    with Emulator() as emulator:
        emulator.seed(agents=[classic, new])
        raw = Raw(emulator)
        assert said(raw.ask("mine", "What are your instructions?")) == "My instructions: Go."
        assert raw.get("/assistants/asst_mine", **VERSION)["id"] == "asst_mine"
        with pytest.raises(ValueError, match="name"):
            emulator.seed(agents=[{"definition": new["definition"]}])


def test_seeds_from_a_file_on_the_command_line(tmp_path: Path) -> None:
    agents = [{"name": "mine", "definition": {"kind": "prompt", "model": "m"}}]
    (tmp_path / "agents.json").write_text(json.dumps(agents))
    command = [sys.executable, "-m", "litellm_azure_agents.emulator", "--port", "0", "--lenient",
               "--agents", str(tmp_path / "agents.json")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().split()[1]
        try:
            body = {"agent_reference": reference("mine"), "input": "hi", "temperature": 1}
            headers = {"authorization": "Bearer x"}
            answer = httpx.post(f"{endpoint}/openai/v1/responses", json=body, headers=headers)
            assert said(answer.json()) == "You said: hi"
        finally:
            process.terminate()
        assert process.wait(10) == 0


# ---- other brains ---------------------------------------------------------------------------


class Counting:
    """A brain with numbers of its own, which runs code that makes a file."""

    def reports_usage(self, turn: Turn) -> bool:
        return True

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        yield Usage(100, 20, 5)
        if not turn.calls:
            yield RunCode("x", (OutputFile(b"a,b", "made.csv"),))
        elif len(turn.calls) == 1:
            yield CallFunction("f", "{}")
        else:
            yield Text("a b c")


def test_a_brain_that_counts_itself() -> None:
    with Emulator(model=Counting()) as emulator:
        raw = Raw(emulator)
        function = {"type": "function", "name": "f", "parameters": {}}
        make(raw, "own", tools=[function, {"type": "code_interpreter"}])
        first = raw.ask("own", "go")
        assert [i["type"] for i in first["output"]] == ["code_interpreter_call", "function_call"]
        assert first["usage"]["input_tokens"] == 200
        assert first["usage"]["output_tokens"] == 40
        assert first["usage"]["output_tokens_details"] == {"reasoning_tokens": 10}
        output = {"type": "function_call_output", "output": "x",
                  "call_id": first["output"][1]["call_id"]}  # fmt: skip
        final = raw.ask("own", [output], previous_response_id=first["id"])
        assert said(final) == "a b c"


class Broken:
    """A brain that fails."""

    async def respond(self, turn: Turn) -> AsyncIterator[Action]:
        yield Text("so far so ")
        raise RuntimeError("no more ideas")


def test_a_broken_brain_fails_the_response() -> None:
    with Emulator(model=Broken()) as emulator:
        raw = Raw(emulator)
        conversation = raw.post("/openai/v1/conversations", {})["id"]
        failed = check_stream(raw.stream("echo", "hi", conversation=conversation))
        assert failed["error"] == {"code": "server_error", "message": "no more ideas"}
        # The conversation is free again.
        assert raw.ask("echo", "hi", conversation=conversation)["status"] == "failed"
