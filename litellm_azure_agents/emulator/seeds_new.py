"""The new agents that every emulator has from the start; they mirror the classic ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .core.store import Store
from .responses.agents import add_version
from .responses.schemas import AgentName, VersionCreate
from .seeds import MODEL, SEEDED, check_seed
from .threads.schemas import Strict

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
    """A classic tool in the new, flat form."""
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
    mirrored = [(str(a["id"]).removeprefix("asst_"), _mirror(a)) for a in SEEDED]
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


class _Named(Strict):
    name: AgentName


def named_versions(
    agents: Iterable[Mapping[str, Any]],
) -> list[tuple[str, dict[str, Any]]]:
    """Bodies of versions that carry their agent's `name`, as `seed_new_agents` takes them."""
    found = []
    for agent in agents:
        if "name" not in agent:
            raise ValueError("a new agent to seed needs a name")
        name = agent["name"]
        check_seed(_Named, {"name": name}, name)
        found.append((name, {k: v for k, v in agent.items() if k != "name"}))
    return found


def seed_new_agents(
    store: Store, agents: Iterable[tuple[str, Mapping[str, Any]]] = SEEDED_NEW
) -> None:
    """Put in agents (name, body of a version) unless an agent of that name is there already."""
    with store.transaction():
        there = {agent["name"] for agent in store.all("agent")}
        for name, body in agents:
            check_seed(VersionCreate, body, name)
            if name not in there:
                add_version(store, name, body)
