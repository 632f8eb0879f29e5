"""Routes of new agents: /agents, their versions, enabling, which version their endpoint serves."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import invalid
from ..core.http import answer, is_set, page_of, project_of, read_body
from ..core.routing import Table, foundry_routes, require_preview
from ..core.store import Doc
from . import agents
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
    return foundry_routes(table, version="v1")


async def list_agents(request: Request) -> Response:
    kind = request.query_params.get("kind")
    store = project_of(request).store
    if kind and kind not in KINDS:
        raise invalid(f"Invalid value: '{kind}'. Supported: {', '.join(KINDS)}.", "kind")
    found = [agents.shown_agent(store, agent) for agent in store.all("agent")]
    if kind:
        found = [a for a in found if a["versions"]["latest"]["definition"]["kind"] == kind]
    return answer(page_of(request, found))


async def get(request: Request) -> Response:
    return answer(agents.shown_agent(project_of(request).store, _agent(request)))


async def update(request: Request) -> Response:
    agent, store = _agent(request), project_of(request).store
    agents.update_agent(store, agent, await read_body(request, AgentUpdate))
    return answer(agents.shown_agent(store, agent))


async def delete(request: Request) -> Response:
    name = _agent(request)["name"]
    agents.delete_agent(project_of(request).store, name, force=is_set(request, "force"))
    return answer({"object": "agent.deleted", "name": name, "deleted": True})


async def enable(request: Request) -> Response:
    return _set_state(request, "enabled")


async def disable(request: Request) -> Response:
    return _set_state(request, "disabled")


def _set_state(request: Request, state: str) -> Response:
    project_of(request).store.put("agent", {**_agent(request), "state": state})
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
    return answer(agents.add_version(project_of(request).store, name, body))


async def list_versions(request: Request) -> Response:
    versions = project_of(request).store.all("agent_version", _agent(request)["name"])
    drafts = is_set(request, "include_drafts")
    return answer(page_of(request, [v for v in versions if drafts or not v["draft"]]))


async def get_version(request: Request) -> Response:
    return answer(_version(request))


async def delete_version(request: Request) -> Response:
    version = _version(request)
    agents.delete_version(project_of(request).store, version, force=is_set(request, "force"))
    return answer(
        {
            "object": "agent.version.deleted",
            "name": version["name"],
            "version": version["version"],
            "deleted": True,
        }
    )


def _agent(request: Request) -> Doc:
    return agents.require_agent(project_of(request).store, request.path_params["agent"])


def _version(request: Request) -> Doc:
    name, version = _agent(request)["name"], request.path_params["version"]
    return agents.require_version(project_of(request).store, name, version)
