"""Routes of classic runs and their steps, streamed and not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ..core.errors import bad_request
from ..core.events import frame
from ..core.http import (
    answer,
    api_version,
    includes_search,
    list_answer,
    project_of,
    read_body,
    require,
)
from ..core.store import Doc
from ..engine.live import LiveRun
from ..project import Project
from .checks import check_messages, check_resources, check_run, check_tools, has_preview
from .objects import without_search_content
from .routes import add_messages, check_thread, make_thread
from .schemas import MetadataUpdate, RunCreate, SubmitToolOutputs, ThreadAndRunCreate

SSE_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    runs, run = "/threads/{thread}/runs", "/threads/{thread}/runs/{run}"
    return [
        Route("/threads/runs", create_thread_and_run, methods=["POST"]),
        Route(runs, create, methods=["POST"]),
        Route(runs, list_runs, methods=["GET"]),
        Route(run, get, methods=["GET"]),
        Route(run, update, methods=["POST"]),
        Route(run + "/submit_tool_outputs", submit, methods=["POST"]),
        Route(run + "/cancel", cancel, methods=["POST"]),
        Route(run + "/steps", list_steps, methods=["GET"]),
        Route(run + "/steps/{step}", get_step, methods=["GET"]),
    ]


async def create_thread_and_run(request: Request) -> Response:
    version = api_version(request)
    project = project_of(request)
    body = await read_body(request, ThreadAndRunCreate)
    agent = _checked_agent(request, body, version)
    thread_body = body.get("thread") or {}
    check_thread(project, thread_body, "thread.messages")
    instructions = _instructions(agent, body)
    with project.store.transaction():
        body = _settled(project, body)
        thread = make_thread(project, thread_body)
        live = project.runs.create(
            thread["id"], agent, body, instructions, lifetime=_lifetime(request)
        )
    project.runs.start(live, _lifetime(request))
    return _answer_run(live, body, first=frame("thread.created", thread))


async def create(request: Request) -> Response:
    version = api_version(request)
    project = project_of(request)
    thread = require(request, "thread", request.path_params["thread"])
    body = await read_body(request, RunCreate)
    include = includes_search(request)
    agent = _checked_agent(request, body, version)
    messages = body.get("additional_messages") or []
    check_messages(messages, "additional_messages", project.store, project.settings.strictness)
    project.runs.refuse_if_active(thread["id"], "run")
    with project.store.transaction():
        body = _settled(project, body)
        add_messages(project, thread, messages)
        live = project.runs.create(
            thread["id"],
            agent,
            body,
            _instructions(agent, body),
            lifetime=_lifetime(request),
            include_search_content=include,
        )
    project.runs.start(live, _lifetime(request))
    return _answer_run(live, body)


async def list_runs(request: Request) -> Response:
    api_version(request)
    thread = require(request, "thread", request.path_params["thread"])
    return answer(list_answer(request, "run", thread["id"]))


async def get(request: Request) -> Response:
    api_version(request)
    return answer(_run(request))


async def update(request: Request) -> Response:
    api_version(request)
    run = _run(request)
    body = await read_body(request, MetadataUpdate, optional=True)
    project = project_of(request)
    live = project.runs.active.get(run["thread_id"])
    if live is not None and live.run["id"] == run["id"]:
        run = live.run  # the task goes on writing its own copy
    if "metadata" in body:
        run["metadata"] = body["metadata"] or {}
    project.store.put("run", run, run["thread_id"])
    return answer(run)


async def submit(request: Request) -> Response:
    version = api_version(request)
    project = project_of(request)
    run = _run(request)
    body = await read_body(request, SubmitToolOutputs)
    approvals = body.get("tool_approvals")
    if approvals is not None and not has_preview(version, project.settings.strictness):
        raise bad_request(
            "Unknown parameter: 'tool_approvals'.",
            param="tool_approvals",
            code="unknown_parameter",
        )
    live, position = project.runs.submit(run, body.get("tool_outputs"), approvals)
    return _answer_run(live, body, start=position)


async def cancel(request: Request) -> Response:
    api_version(request)
    return answer(project_of(request).runs.cancel(_run(request)))


async def list_steps(request: Request) -> Response:
    api_version(request)
    include = includes_search(request)
    page = list_answer(request, "step", _run(request)["id"])
    page["data"] = [without_search_content(step, include) for step in page["data"]]
    return answer(page)


async def get_step(request: Request) -> Response:
    api_version(request)
    include = includes_search(request)
    step = require(request, "step", request.path_params["step"], _run(request)["id"])
    return answer(without_search_content(step, include))


def _run(request: Request) -> Doc:
    thread = require(request, "thread", request.path_params["thread"])
    return require(request, "run", request.path_params["run"], thread["id"])


def _checked_agent(request: Request, body: Mapping[str, Any], version: str) -> Doc:
    """The run's agent, once everything the body says about the run is allowed."""
    project = project_of(request)
    agent = require(request, "assistant", body["assistant_id"])
    tools = agent["tools"] if body.get("tools") is None else body["tools"]
    check_tools(body.get("tools") or [], version, project.settings.strictness)
    check_resources(body.get("tool_resources"), project.store)
    check_run({**body, "tools": tools}, project.settings.strictness)
    return agent


def _settled(project: Project, body: Doc) -> Doc:
    """The body with its inline vector stores made."""
    if not body.get("tool_resources"):
        return body
    return {**body, "tool_resources": project.vectors.settle(body["tool_resources"])}


def _instructions(agent: Doc, body: Mapping[str, Any]) -> str:
    """The run's instructions replace the agent's; additional ones are appended to either."""
    own = body.get("instructions")
    own = agent["instructions"] if own is None else own
    return "\n".join(filter(None, [own, body.get("additional_instructions")]))


def _lifetime(request: Request) -> float | None:
    """A lifetime of the run set by a fault."""
    value: float | None = request.scope.get("state", {}).get("run_expiry")
    return value


def _answer_run(
    live: LiveRun, body: Mapping[str, Any], *, start: int = 0, first: bytes = b""
) -> Response:
    """The run as it is now, or its events from `start` on."""
    if not body.get("stream"):
        return answer(live.run)

    async def frames() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for chunk in live.log.read(start):
            yield chunk

    return StreamingResponse(frames(), media_type="text/event-stream", headers=SSE_HEADERS)
