"""The agents that every emulator has from the start, under fixed ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from .core.errors import from_validation
from .core.store import Store
from .threads.objects import agent_object
from .threads.schemas import AgentCreate

MODEL = "gpt-4o-mini"


def _function(name: str, description: str, properties: Mapping[str, Any], *required: str) -> Any:
    parameters = {"type": "object", "properties": dict(properties), "required": list(required)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


_LOCATION = {"type": "string", "description": "City, such as Paris"}
_WEATHER = _function(
    "get_weather",
    "The weather, temperature or forecast at a place",
    {"location": _LOCATION, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "location",
)
_TIME = _function("get_time", "The local time at a place", {"location": _LOCATION}, "location")
_STEP = {"input": {"type": "string"}}
_CHAIN = [
    {"call": "step_one"},
    {"call": "step_two"},
    {"say": "Both steps are done: {results}"},
]
_BING = {"search_configurations": [{"connection_id": "bing"}]}

SEEDED: list[dict[str, Any]] = [
    {"id": "asst_echo", "description": "Says back what it hears; remembers the conversation.",
     "instructions": "Say back what the user says."},
    {"id": "asst_weather", "description": "Calls get_weather and get_time.",
     "instructions": "Answer questions about weather and time.", "tools": [_WEATHER, _TIME]},
    {"id": "asst_chain", "description": "Calls step_one, and with its result step_two.",
     "metadata": {"emulator_script": json.dumps(_CHAIN)},
     "tools": [_function("step_one", "First step", _STEP, "input"),
               _function("step_two", "Second step", _STEP, "input")]},
    {"id": "asst_approval", "description": "Asks before it uses an MCP tool.",
     "tools": [{"type": "mcp", "server_label": "docs", "server_url": "https://example.com/mcp",
                "allowed_tools": ["search_docs", "read_page"]}, _WEATHER],
     "tool_resources": {"mcp": [{"server_label": "docs", "require_approval": "always"}]}},
    {"id": "asst_slow", "description": "Starts late and speaks slowly.",
     "metadata": {"emulator_start_delay_ms": "300", "emulator_delay_ms": "150"}},
    {"id": "asst_long", "description": "Says 2000 words, or as many as it is told.",
     "metadata": {"emulator_behaviour": "many"}},
    {"id": "asst_fail", "description": "Fails; \"fail with CODE: message [after text]\".",
     "metadata": {"emulator_behaviour": "fail"}},
    {"id": "asst_incomplete", "description": "Stops early; say content_filter for that reason.",
     "metadata": {"emulator_behaviour": "incomplete"}},
    {"id": "asst_multi", "description": "Writes two messages of several parts.",
     "metadata": {"emulator_behaviour": "multi"}},
    {"id": "asst_json", "description": "Answers in JSON that fits the response_format.",
     "response_format": {"type": "json_object"}},
    {"id": "asst_unicode", "description": "Speaks in difficult characters.",
     "metadata": {"emulator_behaviour": "unicode"}},
    {"id": "asst_search", "description": "Answers from files, with citations.",
     "tools": [{"type": "file_search"}]},
    {"id": "asst_code", "description": "Uses code interpreter: logs, plots, CSV files.",
     "tools": [{"type": "code_interpreter"}]},
    {"id": "asst_bing", "description": "Answers from the web, with url citations.",
     "tools": [{"type": "bing_grounding", "bing_grounding": _BING}]},
]  # fmt: skip


def check_seed(model: type[BaseModel], fields: Mapping[str, Any], name: str) -> None:
    """Raise a ValueError that says what is wrong with which agent."""
    try:
        model.model_validate(fields)
    except ValidationError as error:
        raise ValueError(f"agent {name!r}: {from_validation(error).message}") from error


def seed_agents(store: Store, agents: Iterable[Mapping[str, Any]] = SEEDED) -> None:
    """Put agents in under the ids they carry, unless they are there already (a data file)."""
    with store.transaction():
        for agent in agents:
            if not isinstance(agent.get("id"), str):
                raise ValueError("an agent to seed needs an id")
            fields = {"name": agent["id"], "model": MODEL, **agent}
            id = fields.pop("id")
            check_seed(AgentCreate, fields, id)
            if store.get("assistant", id) is None:
                store.put("assistant", agent_object(fields, id))
