"""Tools of new agents."""

from __future__ import annotations

import json

from .client import Raw, check_stream, said, steps
from .support import make


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
