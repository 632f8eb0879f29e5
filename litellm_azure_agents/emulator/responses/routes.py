"""Routes of responses: below the project, below an agent's own endpoint, and of applications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from ..core.context import context_of
from ..core.errors import invalid
from ..core.events import SSE_HEADERS
from ..core.http import answer, deleted, included, page_of, project_of, read_body
from ..core.routing import APPLICATION_VERSION, Table, foundry_routes, require_preview
from ..core.store import Doc, public
from .agents import resolve, served
from .live import LiveResponse
from .objects import shown_response, with_includes
from .plan import Planner
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
        *foundry_routes(
            [("POST", "/responses", create), ("GET", "/responses", list_responses), *stored],
            "/openai/v1",
        ),
        *foundry_routes(
            [("POST", "/responses", create_at_endpoint), *stored], AGENT_ENDPOINT, "v1"
        ),
        *foundry_routes(
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
    plan = Planner(project.responses).plan(body, version, user=user, stateless=stateless)
    live = project.responses.begin(plan)
    session = live.response["agent_session_id"]
    headers = {"x-agent-session-id": session} if session else {}

    def disconnected() -> None:
        if not context_of(request.scope).hides_disconnect:
            project.responses.disconnected(live)

    if body.get("stream"):
        return _LiveStream(live, disconnected, headers=headers)
    if not body.get("background"):
        await _finished(request, live, disconnected)
    reply = answer(shown_response(live.response))
    reply.headers.update(headers)
    return reply


class _LiveStream(StreamingResponse):
    """The events of a response; calls `on_end` when the connection is done with them."""

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
    """Wait for the end of a response; calls `on_gone` if the client disconnects before."""
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


async def list_responses(request: Request) -> Response:
    query = request.query_params
    docs = project_of(request).responses.listed(
        user=request.headers.get(USER_HEADER),
        agent_name=query.get("agent_name"),
        conversation=query.get("conversation_id"),
    )
    return answer(page_of(request, [shown_response(doc) for doc in docs]))


async def get(request: Request) -> Response:
    doc = _stored(request)
    query, include = request.query_params, included(request)
    if include:
        doc = {**doc, "output": [with_includes(item, include) for item in doc["output"]]}
    if query.get("stream", "false").lower() not in ("true", "1"):
        return answer(shown_response(doc))
    after = query.get("starting_after", "-1")
    if not after.removeprefix("-").isdecimal():
        raise invalid("'starting_after' must be an integer.", "starting_after")
    live = project_of(request).responses.replay(doc)
    return _LiveStream(live, start=min(max(0, int(after) + 1), len(live.log)))


async def delete(request: Request) -> Response:
    doc = _stored(request)
    project_of(request).responses.delete(doc)
    return answer(deleted(doc["id"], "response"))


async def cancel(request: Request) -> Response:
    return answer(shown_response(await project_of(request).responses.cancel(_stored(request))))


async def input_items(request: Request) -> Response:
    items: list[dict[str, Any]] = _stored(request)["_given"]
    return answer(page_of(request, [public(item) for item in items]))
