"""New agents and their versions: created, found, updated, deleted; and their instructions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..core.errors import ApiError, invalid, missing
from ..core.store import Doc, Store, public
from .objects import agent_doc, version_object

_TEMPLATE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


def require_agent(store: Store, name: str) -> Doc:
    """An agent. Raises the 404."""
    agent = store.get("agent", name)
    if agent is None:
        raise missing("Agent", name)
    return agent


def require_version(store: Store, name: str, version: str) -> Doc:
    """A version. Raises the 404."""
    doc = store.get("agent_version", f"{name}:{version}", name)
    if doc is None:
        raise missing("Agent version", f"{name}:{version}")
    return doc


def latest(store: Store, name: str) -> Doc | None:
    """The newest version that is not a draft; a draft if there are only drafts."""
    versions = store.all("agent_version", name)
    released = [v for v in versions if not v["draft"]]
    return (released or versions)[-1] if versions else None


def resolve(store: Store, name: str, version: str | None) -> Doc:
    """The version that a reference means, the latest if it names none. Raises the 403 or 404."""
    agent = require_agent(store, name)
    if agent["state"] != "enabled":
        raise ApiError(403, f"Agent '{name}' is disabled.", code="agent_disabled")
    if version is not None:
        return require_version(store, name, version)
    found = latest(store, name)
    if found is None:
        raise missing("Agent", name)
    return found


def served(store: Store, name: str, number: int) -> Doc:
    """The version that the agent's own endpoint serves to its `number`-th request."""
    agent = require_agent(store, name)
    selector = (agent["agent_endpoint"] or {}).get("version_selector") or {}
    rules = selector.get("version_selection_rules") or []
    place = number * 37 % 100  # spreads the shares evenly, and each gets its exact part of 100
    for rule in rules:
        place -= rule["traffic_percentage"]
        if place < 0:
            return resolve(store, name, rule["agent_version"])
    return resolve(store, name, None)


def add_version(store: Store, name: str, body: Mapping[str, Any]) -> Doc:
    """Create the agent with its first version, or its next one."""
    with store.transaction():
        agent = store.get("agent", name) or agent_doc(name)
        version = version_object(name, agent["_next"], body)
        agent["_next"] += 1
        store.put("agent", agent)
        store.put("agent_version", version, name)
    return version


def shown_agent(store: Store, agent: Doc) -> Doc:
    """An agent for clients."""
    return {**public(agent), "versions": {"latest": latest(store, agent["name"])}}


def update_agent(store: Store, agent: Doc, body: Mapping[str, Any]) -> None:
    """Replace the fields that the body has. Raises the 400 or 404 of wrong traffic rules."""
    endpoint = body.get("agent_endpoint") or {}
    rules = (endpoint.get("version_selector") or {}).get("version_selection_rules") or []
    for rule in rules:
        require_version(store, agent["name"], rule["agent_version"])
    if rules and sum(rule["traffic_percentage"] for rule in rules) != 100:
        raise invalid("The traffic percentages must add up to 100.", "agent_endpoint")
    for name, value in body.items():
        agent[name] = {**(agent[name] or {}), **value} if isinstance(value, dict) else value
    store.put("agent", agent)


def delete_agent(store: Store, name: str, *, force: bool) -> None:
    """Delete an agent with its versions and sessions. Raises the 409: see `force`."""
    _refuse_active_sessions(store, name, None, force)
    with store.transaction():
        store.delete_children("agent_version", name)
        store.delete_children("session", name)
        store.delete("agent", name)


def delete_version(store: Store, version: Doc, *, force: bool) -> None:
    """Delete a version, and the agent with its last one. Raises the 409: see `force`."""
    name = version["name"]
    _refuse_active_sessions(store, name, version["version"], force)
    with store.transaction():
        store.delete("agent_version", version["id"], name)
        if latest(store, name) is None:
            store.delete("agent", name)


def _refuse_active_sessions(store: Store, name: str, version: str | None, force: bool) -> None:
    """Without `force`, an agent (or version) with active sessions can't be deleted."""
    for session in () if force else store.all("session", name):
        used = session["version_indicator"]["agent_version"]
        if session["status"] == "active" and version in (None, used):
            raise ApiError(
                409,
                f"Agent '{name}' has active sessions. Use force=true to delete it anyway.",
                code="active_sessions",
            )


def fill_templates(definition: Mapping[str, Any], given: Mapping[str, Any] | None) -> str | None:
    """The instructions with `{{name}}` replaced by structured inputs. Raises the 400."""
    inputs: Mapping[str, Any] = definition.get("structured_inputs") or {}
    values: dict[str, Any] = {}
    for name, declared in inputs.items():
        if given is not None and name in given:
            values[name] = given[name]
        elif declared.get("default_value") is not None:
            values[name] = declared["default_value"]
        elif declared.get("required"):
            raise invalid(f"Missing structured input '{name}'.", f"structured_inputs.{name}")
    for name in given or {}:
        if name not in inputs:
            raise invalid(f"Unknown structured input '{name}'.", f"structured_inputs.{name}")
    instructions: str | None = definition.get("instructions")
    if instructions is None or not inputs:
        return instructions

    def value(match: re.Match[str]) -> str:
        found = values.get(match.group(1), "")
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _TEMPLATE.sub(value, instructions)
