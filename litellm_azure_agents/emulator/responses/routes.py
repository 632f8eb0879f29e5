"""Routes of responses: below the project, below an agent's own endpoint, and of applications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from ..core.http import answer, project_of, read_body
from ..core.pages import page_of
from ..core.routing import APPLICATION_VERSION, Table, invalid, require_preview, table_routes
from ..core.store import Doc
from ..threads.run_routes import SSE_HEADERS
from .agents import resolve, served
from .checks import make_plan
from .objects import public, session_object, with_includes
from .rounds import LiveResponse
from .schemas import ResponseCreate

AGENT_ENDPOINT = "/agents/{agent}/endpoint/protocols/openai"
APPLICATION = "/applications/{application}/protocols/openai"
USER_HEADER = "x-ms-user-identity"


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    stored: Table = [
        ("GET", "/responses/{response}", get),
        ("DELETE", "/responses/{response}", delete),
        ("POST", "/responses/{response}/cancel", cancel),
        ("GET", "/responses/{response}/input_items", input_items),
    ]
    return [
        *table_routes([("POST", "/responses", create), *stored], "/openai/v1"),
        *table_routes([("POST", "/responses", create_at_endpoint), *stored], AGENT_ENDPOINT, "v1"),
        *table_routes(
            [("POST", "/responses", create_at_application)], APPLICATION, APPLICATION_VERSION
        ),
    ]


# ---- creating -------------------------------------------------------------------------------


async def create(request: Request) -> Response:
    body = await read_body(request, ResponseCreate)
    version = None
    if body.get("agent_reference") is not None:
        reference = body["agent_reference"]
        version = resolve(project_of(request).store, reference["name"], reference.get("version"))
    return await _respond(request, body, version)


async def create_at_endpoint(request: Request) -> Response:
    project, name = project_of(request), request.path_params["agent"]
    body = await read_body(request, ResponseCreate)
    reference = body.get("agent_reference")
    if reference is not None and reference["name"] != name:
        raise invalid(f"This endpoint serves the agent '{name}' only.", "agent_reference")
    if reference is not None and reference.get("version"):
        version = resolve(project.store, name, reference["version"])
    else:
        version = served(project.store, name, project.responses.count())
    require_preview(request, version["definition"]["kind"])
    return await _respond(request, body, version)


async def create_at_application(request: Request) -> Response:
    body = await read_body(request, ResponseCreate)
    version = resolve(project_of(request).store, request.path_params["application"], None)
    return await _respond(request, body, version, stateless=True)


async def _respond(
    request: Request, body: Doc, version: Doc | None, *, stateless: bool = False
) -> Response:
    project = project_of(request)
    user = request.headers.get(USER_HEADER)
    plan = make_plan(project, body, version, user=user, stateless=stateless)
    session = plan.response["agent_session_id"]
    if session and version and not project.store.get("session", session, version["name"]):
        doc = session_object(session, version["version"])
        project.store.put("session", doc, version["name"])
    live = project.responses.begin(plan)
    headers = {"x-agent-session-id": session} if session else {}

    def release() -> None:
        if not request.scope.get("state", {}).get("unnoticed"):  # a fault may hide the loss
            project.responses.release(live)

    if body.get("stream"):
        return _LiveStream(live, release, headers=headers)
    if not body.get("background"):
        await _finished(request, live, release)
    reply = answer(public(live.response))
    reply.headers.update(headers)
    return reply


class _LiveStream(StreamingResponse):
    """A response's events; tells when the connection is done with it, for whatever reason."""

    def __init__(
        self,
        live: LiveResponse,
        on_end: Callable[[], None] = lambda: None,
        *,
        start: int = 0,
        headers: dict[str, str] | None = None,
    ) -> None:
        events: AsyncIterator[bytes] = live.log.read(start)
        super().__init__(
            events, media_type="text/event-stream", headers={**SSE_HEADERS, **(headers or {})}
        )
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def _finished(request: Request, live: LiveResponse, on_gone: Callable[[], None]) -> None:
    """Wait for the end of a response, or for the client to go away."""
    ended = asyncio.ensure_future(live.finished.wait())
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            on_gone()
            await ended
    finally:
        for task in (ended, gone):
            task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


# ---- stored responses -----------------------------------------------------------------------


def _stored(request: Request) -> Doc:
    user = request.headers.get(USER_HEADER)
    return project_of(request).responses.find(request.path_params["response"], user)


async def get(request: Request) -> Response:
    doc = _stored(request)
    query = request.query_params
    include = [v for name in ("include", "include[]") for v in query.getlist(name)]
    if include:
        doc = {**doc, "output": [with_includes(item, include) for item in doc["output"]]}
    if query.get("stream", "false").lower() not in ("true", "1"):
        return answer(public(doc))
    after = query.get("starting_after", "-1")
    if not after.removeprefix("-").isdecimal():
        raise invalid("'starting_after' must be an integer.", "starting_after")
    responses = project_of(request).responses
    log = responses.replay(doc)
    start = min(max(0, int(after) + 1), len(log))
    return _LiveStream(responses.recent[doc["id"]], start=start)


async def delete(request: Request) -> Response:
    doc = _stored(request)
    project_of(request).responses.delete(doc)
    return answer({"id": doc["id"], "object": "response", "deleted": True})


async def cancel(request: Request) -> Response:
    return answer(public(await project_of(request).responses.cancel(_stored(request))))


async def input_items(request: Request) -> Response:
    items: list[dict[str, Any]] = _stored(request)["_given"]
    return answer(page_of(request, [public(item) for item in items]))
