"""Routes of classic agents: /assistants."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.http import answer, deleted, project_of, read_body, require, stored_page
from ..core.routing import Table, api_version, classic_routes
from ..core.store import Doc
from .checks import check_agent
from .objects import agent_object
from .schemas import AgentCreate, AgentUpdate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    table: Table = [
        ("POST", "/assistants", create),
        ("GET", "/assistants", list_agents),
        ("GET", "/assistants/{agent}", get),
        ("POST", "/assistants/{agent}", update),
        ("DELETE", "/assistants/{agent}", delete),
    ]
    return classic_routes(table)


async def create(request: Request) -> Response:
    return _save(request, agent_object(await read_body(request, AgentCreate)))


async def list_agents(request: Request) -> Response:
    return answer(stored_page(request, "assistant"))


async def get(request: Request) -> Response:
    return answer(_agent(request))


async def update(request: Request) -> Response:
    agent = _agent(request)
    body = await read_body(request, AgentUpdate, optional=True)
    fresh = agent_object({**agent, **body}, agent["id"])
    return _save(request, {**fresh, "created_at": agent["created_at"]})


async def delete(request: Request) -> Response:
    agent = _agent(request)
    project_of(request).store.delete("assistant", agent["id"])
    return answer(deleted(agent["id"], "assistant.deleted"))


def _agent(request: Request) -> Doc:
    return require(request, "assistant", request.path_params["agent"])


def _save(request: Request, agent: Doc) -> Response:
    """Store an agent whose references and options are allowed, and answer with it."""
    project = project_of(request)
    check_agent(agent, project.store, api_version(request), project.settings.strictness)
    with project.store.transaction():
        agent["tool_resources"] = project.vectors.settle(agent["tool_resources"])
        project.store.put("assistant", agent)
    return answer(agent)
