"""The agents that every emulator has from the start, under fixed ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from .core.errors import from_validation
from .core.schemas import Strict
from .core.store import Store
from .responses.agents import add_version
from .responses.schemas import AgentName, VersionCreate
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

SEEDED_CLASSIC: list[dict[str, Any]] = [
    {"id": "asst_echo", "description": "Repeats what the user says; remembers the conversation.",
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


# ---- new agents: they mirror the classic ones -------------------------------------------------

_MCP = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://example.com/mcp",
    "allowed_tools": ["search_docs", "read_page"],
    "require_approval": "always",
}
_REASONING = [
    {"think": "**Reading the question**\n\nThe user said: {user}",
     "text": "Nothing else is asked for, so an echo will do."},
    {"say": "After some thought: {user}"},
]  # fmt: skip
_CONSENT = [
    {"item": {"type": "oauth_consent_request", "server_label": "calendar",
              "consent_link": "https://example.com/consent?state=abc"}},
]  # fmt: skip
_WORKFLOW_METADATA = {
    "emulator_script": '[{"item": {"type": "workflow_action", "kind": "InvokeAgent",'
    ' "action_id": "ask", "status": "completed"}},'
    ' {"say": "The first step heard: {user}"},'
    ' {"item": {"type": "workflow_action", "kind": "SendActivity", "action_id": "send",',
    "emulator_script_2": ' "previous_action_id": "ask", "status": "completed"}},'
    ' {"item": {"type": "structured_outputs", "output": {"heard": true, "steps": 2}}},'
    ' {"say": "The workflow is done."}]',
}
_ORDER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["city", "count"],
    "additionalProperties": False,
}
OWN_KIND: dict[str, dict[str, Any]] = {
    "workflow": {"kind": "workflow", "workflow": "kind: Workflow"},
    "hosted": {
        "kind": "hosted",
        "cpu": "1",
        "memory": "2Gi",
        "protocol_versions": [{"protocol": "responses", "version": "2.0.0"}],
    },
}


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A classic tool in the flat form of the new protocol."""
    if tool["type"] == "function":
        return {"type": "function", **tool["function"], "strict": False}
    if tool["type"] == "mcp":
        return dict(_MCP)
    if tool["type"] == "file_search":
        return {"type": "file_search", "vector_store_ids": []}
    if tool["type"] == "code_interpreter":
        return {"type": "code_interpreter", "container": {"type": "auto"}}
    return dict(tool)


def _mirror(agent: Mapping[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = {"kind": "prompt", "model": MODEL}
    if agent.get("instructions"):
        definition["instructions"] = agent["instructions"]
    if agent.get("tools"):
        definition["tools"] = [_flat(tool) for tool in agent["tools"]]
    if agent.get("response_format"):
        definition["text"] = {"format": agent["response_format"]}
    body = {"definition": definition, "description": agent["description"]}
    return {**body, "metadata": agent["metadata"]} if agent.get("metadata") else body


def _prompt(description: str, script: Sequence[Mapping[str, Any]] = (), **fields: Any) -> Any:
    body: dict[str, Any] = {
        "definition": {"kind": "prompt", "model": MODEL, **fields},
        "description": description,
    }
    if script:
        body["metadata"] = {"emulator_script": json.dumps(script)}
    return body


def _seeds() -> list[tuple[str, dict[str, Any]]]:
    mirrored = [(str(a["id"]).removeprefix("asst_"), _mirror(a)) for a in SEEDED_CLASSIC]
    older = _prompt("An older echo.", [{"say": "Version 1 heard: {user}"}])
    return [
        ("echo", older),  # version 2, the latest, is the mirror of the classic one
        *mirrored,
        ("web", _prompt("Answers from the web: web_search_call and url citations.",
                        tools=[{"type": "web_search"}])),
        ("reasoning", _prompt("Thinks before it answers.", _REASONING)),
        ("refusal", _prompt("Refuses.", [{"refuse": "I'm sorry, I can't help with that."}])),
        ("consent", _prompt("Asks for consent to a connection.", _CONSENT)),
        ("images", _prompt("Makes images.",
                           tools=[{"type": "image_generation", "partial_images": 1}])),
        ("order", _prompt("Answers in JSON of a schema.",
                          text={"format": {"type": "json_schema", "name": "order",
                                           "schema": _ORDER, "strict": True}})),
        ("template", _prompt(
            "Has structured inputs in its instructions.",
            instructions="You help {{user_name}} at {{company}}.",
            structured_inputs={
                "user_name": {"description": "Who asks", "required": True},
                "company": {"default_value": "Contoso"},
            })),
        ("workflow", {"definition": OWN_KIND["workflow"], "metadata": _WORKFLOW_METADATA,
                      "description": "Workflow actions and structured outputs."}),
        ("hosted", {"definition": OWN_KIND["hosted"],
                    "description": "A hosted agent with sessions; echoes."}),
    ]  # fmt: skip


SEEDED_NEW = _seeds()


# ---- putting agents into a store --------------------------------------------------------------


class _Named(Strict):
    name: AgentName


def seed(store: Store) -> None:
    """Add the agents that every emulator has."""
    add_classic(store, SEEDED_CLASSIC)
    add_new(store, SEEDED_NEW)


def add_agents(store: Store, agents: Iterable[Mapping[str, Any]]) -> None:
    """Add agents of both protocols, unless there are agents of these ids or names already.

    An agent with a `definition` is a new one: the body of a version, and `name`. Others are
    classic: the body of POST /assistants, and `id`. Raises ValueError for an agent that is wrong.
    """
    given = list(agents)
    add_classic(store, [agent for agent in given if "definition" not in agent])
    versions: list[tuple[str, Mapping[str, Any]]] = []
    for agent in given:
        if "definition" not in agent:
            continue
        if "name" not in agent:
            raise ValueError("a new agent to seed needs a name")
        name = agent["name"]
        _check(_Named, {"name": name}, name)
        versions.append((name, {k: v for k, v in agent.items() if k != "name"}))
    add_new(store, versions)


def add_classic(store: Store, agents: Iterable[Mapping[str, Any]]) -> None:
    """Add classic agents under the ids that they have."""
    with store.transaction():
        for agent in agents:
            if not isinstance(agent.get("id"), str):
                raise ValueError("an agent to seed needs an id")
            fields = {"name": agent["id"], "model": MODEL, **agent}
            id = fields.pop("id")
            _check(AgentCreate, fields, id)
            if store.get("assistant", id) is None:
                store.put("assistant", agent_object(fields, id))


def add_new(store: Store, versions: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Add new agents: names, and bodies of their versions."""
    with store.transaction():
        existing = {agent["name"] for agent in store.all("agent")}
        for name, body in versions:
            _check(VersionCreate, body, name)
            if name not in existing:
                add_version(store, name, body)


def _check(schema: type[BaseModel], fields: Mapping[str, Any], name: str) -> None:
    """Raise a ValueError that says what is wrong with which agent."""
    try:
        schema.model_validate(fields)
    except ValidationError as error:
        raise ValueError(f"agent {name!r}: {from_validation(error).message}") from error
