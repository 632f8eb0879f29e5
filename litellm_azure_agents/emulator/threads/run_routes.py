"""Routes of classic runs and their steps, streamed and not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.context import context_of
from ..core.errors import bad_request
from ..core.events import frame
from ..core.http import (
    answer,
    event_stream,
    includes_search,
    project_of,
    read_body,
    require,
    stored_page,
)
from ..core.routing import Table, api_version, classic_routes
from ..core.store import Doc
from .checks import check_messages, check_run, has_preview
from .live import LiveRun
from .messages import check_thread, make_thread
from .objects import without_search_content
from .routes import thread_of
from .schemas import MetadataUpdate, RunCreate, SubmitToolOutputs, ThreadAndRunCreate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    runs, run = "/threads/{thread}/runs", "/threads/{thread}/runs/{run}"
    table: Table = [
        ("POST", "/threads/runs", create_thread_and_run),
        ("POST", runs, create),
        ("GET", runs, list_runs),
        ("GET", run, get),
        ("POST", run, update),
        ("POST", run + "/submit_tool_outputs", submit),
        ("POST", run + "/cancel", cancel),
        ("GET", run + "/steps", list_steps),
        ("GET", run + "/steps/{step}", get_step),
    ]
    return classic_routes(table)


async def create_thread_and_run(request: Request) -> Response:
    project = project_of(request)
    body = await read_body(request, ThreadAndRunCreate)
    agent = _agent(request, body)
    thread_body = body.get("thread") or {}
    check_thread(thread_body, "thread.messages", project.store, project.settings.strictness)
    with project.store.transaction():
        thread = make_thread(thread_body, project.store, project.vectors)
        live = project.runs.create(
            thread, agent, body, lifetime=context_of(request.scope).run_lifetime
        )
    project.runs.start(live)
    return _run_answer(live, body, first=frame("thread.created", thread))


async def create(request: Request) -> Response:
    project, thread = project_of(request), thread_of(request)
    body = await read_body(request, RunCreate)
    include = includes_search(request)
    agent = _agent(request, body)
    messages = body.get("additional_messages") or []
    strictness = project.settings.strictness
    check_messages(messages, "additional_messages", project.store, strictness)
    project.runs.refuse_run_if_active(thread["id"])
    live = project.runs.create(
        thread,
        agent,
        body,
        lifetime=context_of(request.scope).run_lifetime,
        include_search_content=include,
    )
    project.runs.start(live)
    return _run_answer(live, body)


async def list_runs(request: Request) -> Response:
    return answer(stored_page(request, "run", thread_of(request)["id"]))


async def get(request: Request) -> Response:
    return answer(_run(request))


async def update(request: Request) -> Response:
    run = _run(request)
    body = await read_body(request, MetadataUpdate, optional=True)
    project = project_of(request)
    live = project.runs.active_run(run)
    if live is not None:
        run = live.run  # the task writes its own copy
    if "metadata" in body:
        run["metadata"] = body["metadata"] or {}
    project.store.put("run", run, run["thread_id"])
    return answer(run)


async def submit(request: Request) -> Response:
    project, run = project_of(request), _run(request)
    body = await read_body(request, SubmitToolOutputs)
    approvals = body.get("tool_approvals")
    preview = has_preview(api_version(request), project.settings.strictness)
    if approvals is not None and not preview:
        raise bad_request(
            "Unknown parameter: 'tool_approvals'.",
            param="tool_approvals",
            code="unknown_parameter",
        )
    live, position = project.runs.submit(run, body.get("tool_outputs"), approvals)
    return _run_answer(live, body, start=position)


async def cancel(request: Request) -> Response:
    return answer(project_of(request).runs.cancel(_run(request)))


async def list_steps(request: Request) -> Response:
    include = includes_search(request)
    page = stored_page(request, "step", _run(request)["id"])
    page["data"] = [without_search_content(step, include) for step in page["data"]]
    return answer(page)


async def get_step(request: Request) -> Response:
    include = includes_search(request)
    step = require(request, "step", request.path_params["step"], _run(request)["id"])
    return answer(without_search_content(step, include))


def _run(request: Request) -> Doc:
    return require(request, "run", request.path_params["run"], thread_of(request)["id"])


def _agent(request: Request, body: Mapping[str, Any]) -> Doc:
    """The run's agent, once the body is known to be allowed with it."""
    project = project_of(request)
    agent = require(request, "assistant", body["assistant_id"])
    check_run(body, agent, project.store, api_version(request), project.settings.strictness)
    return agent


def _run_answer(
    live: LiveRun, body: Mapping[str, Any], *, start: int = 0, first: bytes = b""
) -> Response:
    """The run as it is now; with `stream`, its events from number `start` on, after `first`."""
    if not body.get("stream"):
        return answer(live.run)

    async def frames() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for chunk in live.log.read(start):
            yield chunk

    return event_stream(frames())
