"""The ASGI application: middleware, route groups, and errors in the service's shape.

A route group is a function that returns Starlette routes relative to the project root; add one to
`GROUPS` (or give it to `create_app`) to serve another protocol. Routes outside `/api/projects/`
go into `extra_routes` and need no token. `/` and `/page/` belong to the page, see `page.routes`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount

from . import admin_routes
from .core.errors import ApiError
from .files import openai_routes, vector_store_routes
from .files import routes as file_routes
from .middleware.faults import FaultMiddleware
from .middleware.gate import PROJECTS, GateMiddleware
from .middleware.request_log import RequestLogMiddleware
from .page.routes import PageMiddleware
from .responses import agent_routes as new_agent_routes
from .responses import conversation_routes, session_routes
from .responses import routes as response_routes
from .threads import agent_routes, run_routes
from .threads import routes as thread_routes

if TYPE_CHECKING:
    from .project import Project

logger = logging.getLogger(__name__)

RouteGroup = Callable[[], Sequence[BaseRoute]]
GROUPS: list[RouteGroup] = [
    agent_routes.routes,
    run_routes.routes,  # before threads: /threads/runs is not the thread "runs"
    thread_routes.routes,
    file_routes.routes,
    vector_store_routes.routes,
    response_routes.routes,
    conversation_routes.routes,
    openai_routes.routes,
    session_routes.routes,
    new_agent_routes.routes,
    admin_routes.routes,
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
            Middleware(PageMiddleware, project=project),  # outermost: not in the log, no faults
            Middleware(RequestLogMiddleware, log=project.requests),
            Middleware(FaultMiddleware, faults=project.faults),
            Middleware(GateMiddleware, settings=project.settings),
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
