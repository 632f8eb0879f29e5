"""The ASGI application: middleware, the project's route groups, and errors in the service's shape.

A route group is a function that returns Starlette routes relative to the project root; add one to
`GROUPS` (or hand it to `create_app`) to serve another protocol beside the classic one. Routes
outside `/api/projects/` (a page, say) go into `extra_routes` and ask for no token.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import (
    routes_agents,
    routes_conversations,
    routes_files,
    routes_openai,
    routes_responses,
    routes_runs,
    routes_sessions,
    routes_threads,
    routes_vectors,
    routes_versions,
)
from .errors import ApiError
from .faults import FaultMiddleware
from .project import Project
from .request_log import RequestLogMiddleware

logger = logging.getLogger(__name__)

PROJECTS = "/api/projects/"
RouteGroup = Callable[[], Sequence[BaseRoute]]
GROUPS: list[RouteGroup] = [
    routes_agents.routes,
    routes_runs.routes,  # before threads: /threads/runs is not the thread "runs"
    routes_threads.routes,
    routes_files.routes,
    routes_vectors.routes,
    routes_responses.routes,
    routes_conversations.routes,
    routes_openai.routes,
    routes_sessions.routes,
    routes_versions.routes,
]


def create_app(
    project: Project,
    *,
    groups: Sequence[RouteGroup] = (),
    extra_routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The whole emulator over an open project; closing the application closes the project."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await project.close()

    served = [route for group in (*GROUPS, *groups) for route in group()]
    app = Starlette(
        routes=[*extra_routes, Mount(PROJECTS + "{project}", routes=served)],
        middleware=[
            Middleware(RequestLogMiddleware, log=project.requests),
            Middleware(FaultMiddleware, faults=project.faults),
            Middleware(GateMiddleware, project=project),
        ],
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_error,
            Exception: _crash,
        },
        lifespan=lifespan,
    )
    app.state.project = project
    return app


class GateMiddleware:
    """Asks for a bearer token below `/api/projects/` and bounds bodies."""

    def __init__(self, app: ASGIApp, project: Project) -> None:
        self.app = app
        self.project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PROJECTS):
            await self.app(scope, receive, send)
            return
        try:
            self._check_host(scope)
            self._check_token(scope)
            limit = self._body_limit(scope)
        except ApiError as error:
            await JSONResponse(error.body(), error.status, error.headers)(scope, receive, send)
            return
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, bounded, send)

    def _check_host(self, scope: Scope) -> None:
        allowed = self.project.settings.allowed_hosts
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        if allowed is not None and name.lower() not in allowed:
            raise ApiError(403, f"This emulator is not {name!r}: it is on loopback only.")

    def _check_token(self, scope: Scope) -> None:
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        scheme, _, token = header.partition(" ")
        token = token.strip()
        expected = self.project.settings.token
        if scheme.lower() != "bearer" or not token:
            message = "Access denied: a bearer token is required in the Authorization header."
        elif expected is not None and not hmac.compare_digest(token.encode(), expected.encode()):
            message = "Access denied due to an invalid or expired token."
        else:
            return
        raise ApiError(
            401,
            message,
            type="authentication_error",
            code="Unauthorized",
            headers={"www-authenticate": "Bearer"},
        )

    def _body_limit(self, scope: Scope) -> int:
        settings = self.project.settings
        content_type = dict(scope["headers"]).get(b"content-type", b"")
        upload = content_type.startswith(b"multipart/")
        limit = settings.max_upload_bytes if upload else settings.max_body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        return limit


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"The request body is larger than {limit} bytes.")


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    messages = {
        404: f"Invalid URL ({request.method} {request.url.path})",
        405: f"Method {request.method} is not allowed for {request.url.path}",
    }
    answer = ApiError(error.status_code, messages.get(error.status_code, error.detail))
    return JSONResponse(answer.body(), error.status_code, dict(error.headers or {}))


async def _crash(request: Request, error: Exception) -> Response:
    logger.error("%s %s crashed", request.method, request.url.path, exc_info=error)
    answer = ApiError(500, "The emulator failed on this request.", type="server_error")
    return JSONResponse(answer.body(), 500)
