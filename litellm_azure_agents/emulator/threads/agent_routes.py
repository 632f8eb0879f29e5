"""Routes of classic agents: /assistants."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.http import answer, api_version, list_answer, project_of, read_body, require
from ..core.store import Doc
from .checks import check_format, check_resources, check_tools
from .objects import agent_object, deleted
from .schemas import AgentCreate, AgentUpdate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    return [
        Route("/assistants", create, methods=["POST"]),
        Route("/assistants", list_agents, methods=["GET"]),
        Route("/assistants/{agent}", get, methods=["GET"]),
        Route("/assistants/{agent}", update, methods=["POST"]),
        Route("/assistants/{agent}", delete, methods=["DELETE"]),
    ]


async def create(request: Request) -> Response:
    version = api_version(request)
    agent = agent_object(await read_body(request, AgentCreate))
    _check(request, agent, version)
    _keep(request, agent)
    return answer(agent)


async def list_agents(request: Request) -> Response:
    api_version(request)
    return answer(list_answer(request, "assistant"))


async def get(request: Request) -> Response:
    api_version(request)
    return answer(require(request, "assistant", request.path_params["agent"]))


async def update(request: Request) -> Response:
    version = api_version(request)
    agent = require(request, "assistant", request.path_params["agent"])
    body = await read_body(request, AgentUpdate, optional=True)
    fresh = agent_object({**agent, **body}, agent["id"])
    agent = {**fresh, "created_at": agent["created_at"]}
    _check(request, agent, version)
    _keep(request, agent)
    return answer(agent)


async def delete(request: Request) -> Response:
    api_version(request)
    agent = require(request, "assistant", request.path_params["agent"])
    project_of(request).store.delete("assistant", agent["id"])
    return answer(deleted(agent["id"], "assistant.deleted"))


def _check(request: Request, agent: Doc, version: str) -> None:
    project = project_of(request)
    strictness = project.settings.strictness
    check_tools(agent["tools"], version, strictness)
    check_resources(agent["tool_resources"], project.store)
    check_format(agent["response_format"], agent["tools"], strictness)


def _keep(request: Request, agent: Doc) -> None:
    project = project_of(request)
    with project.store.transaction():
        agent["tool_resources"] = project.vectors.settle(agent["tool_resources"])
        project.store.put("assistant", agent)
