"""Routes of new agents: /agents, their versions, enabling, which version their endpoint serves."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import ApiError
from ..core.http import answer, project_of, read_body
from ..core.pages import page_of
from ..core.routing import Table, invalid, require_preview, table_routes
from ..core.store import Doc
from .agents import add_version, latest, require_agent, require_version, shown_agent
from .schemas import AgentName, AgentUpdate, VersionCreate
from .tools import check_tools, tool_choice

_NAME = TypeAdapter(AgentName)
KINDS = ("prompt", "workflow", "hosted", "external")


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    agent, versions = "/agents/{agent}", "/agents/{agent}/versions"
    table: Table = [
        ("POST", agent + ":enable", enable),
        ("POST", agent + ":disable", disable),
        ("GET", "/agents", list_agents),
        ("GET", agent, get),
        ("PATCH", agent, update),
        ("DELETE", agent, delete),
        ("POST", versions, create_version),
        ("GET", versions, list_versions),
        ("GET", versions + "/{version}", get_version),
        ("DELETE", versions + "/{version}", delete_version),
    ]
    return table_routes(table, version="v1")


async def list_agents(request: Request) -> Response:
    kind = request.query_params.get("kind")
    store = project_of(request).store
    if kind and kind not in KINDS:
        raise invalid(f"Invalid value: '{kind}'. Supported: {', '.join(KINDS)}.", "kind")
    agents = [shown_agent(store, agent) for agent in store.all("agent")]
    if kind:
        agents = [a for a in agents if a["versions"]["latest"]["definition"]["kind"] == kind]
    return answer(page_of(request, agents))


async def get(request: Request) -> Response:
    return answer(shown_agent(project_of(request).store, _agent(request)))


async def update(request: Request) -> Response:
    agent, store = _agent(request), project_of(request).store
    body = await read_body(request, AgentUpdate)
    endpoint = body.get("agent_endpoint") or {}
    rules = (endpoint.get("version_selector") or {}).get("version_selection_rules") or []
    for rule in rules:
        require_version(store, agent["name"], rule["agent_version"])
    if rules and sum(rule["traffic_percentage"] for rule in rules) != 100:
        raise invalid("The traffic percentages must add up to 100.", "agent_endpoint")
    for name, value in body.items():
        agent[name] = {**(agent[name] or {}), **value} if isinstance(value, dict) else value
    store.put("agent", agent)
    return answer(shown_agent(store, agent))


async def delete(request: Request) -> Response:
    agent, store = _agent(request), project_of(request).store
    _refuse_with_sessions(request, agent["name"])
    with store.transaction():
        store.delete_children("agent_version", agent["name"])
        store.delete_children("session", agent["name"])
        store.delete("agent", agent["name"])
    return answer({"object": "agent.deleted", "name": agent["name"], "deleted": True})


async def enable(request: Request) -> Response:
    return _set_state(request, "enabled")


async def disable(request: Request) -> Response:
    return _set_state(request, "disabled")


def _set_state(request: Request, state: str) -> Response:
    agent = _agent(request)
    project_of(request).store.put("agent", {**agent, "state": state})
    return Response(status_code=204)


# ---- versions -------------------------------------------------------------------------------


async def create_version(request: Request) -> Response:
    name = request.path_params["agent"]
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        raise invalid(
            "An agent's name has at most 63 letters, digits and hyphens, and begins and ends with"
            " a letter or digit.",
            "agent_name",
        ) from error
    body = await read_body(request, VersionCreate)
    definition = body["definition"]
    require_preview(request, definition["kind"])
    if body.get("draft"):
        require_preview(request, "draft")
    check_tools(definition.get("tools") or [], "definition.tools")
    if definition.get("tool_choice") is not None:
        tool_choice(definition["tool_choice"])
    return answer(add_version(project_of(request).store, name, body))


async def list_versions(request: Request) -> Response:
    agent = _agent(request)
    drafts = request.query_params.get("include_drafts", "false").lower() == "true"
    versions = project_of(request).store.all("agent_version", agent["name"])
    return answer(page_of(request, [v for v in versions if drafts or not v["draft"]]))


async def get_version(request: Request) -> Response:
    return answer(_version(request))


async def delete_version(request: Request) -> Response:
    version, store = _version(request), project_of(request).store
    name = version["name"]
    _refuse_with_sessions(request, name, version["version"])
    with store.transaction():
        store.delete("agent_version", version["id"], name)
        if latest(store, name) is None:
            store.delete("agent", name)
    return answer(
        {
            "object": "agent.version.deleted",
            "name": name,
            "version": version["version"],
            "deleted": True,
        }
    )


def _agent(request: Request) -> Doc:
    return require_agent(project_of(request).store, request.path_params["agent"])


def _version(request: Request) -> Doc:
    agent = _agent(request)
    return require_version(project_of(request).store, agent["name"], request.path_params["version"])


def _refuse_with_sessions(request: Request, name: str, version: str | None = None) -> None:
    """Without `force`, an agent whose sessions are active stays."""
    if request.query_params.get("force", "false").lower() == "true":
        return
    for session in project_of(request).store.all("session", name):
        used = session["version_indicator"]["agent_version"]
        if session["status"] == "active" and version in (None, used):
            raise ApiError(
                409,
                f"Agent '{name}' has active sessions. Use force=true to delete it anyway.",
                code="active_sessions",
            )
