"""The ASGI application: middleware, the project's route groups, and errors in the service's shape.

A route group is a function that returns Starlette routes relative to the project root; add one to
`GROUPS` (or hand it to `create_app`) to serve another protocol beside the classic one. Routes
outside `/api/projects/` go into `extra_routes` and ask for no token. `/` and `/page/` are the
page's, see `routes_page`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount

from . import admin_routes as routes_admin
from .core.errors import ApiError
from .files import openai_routes as routes_openai
from .files import routes as routes_files
from .files import vector_store_routes as routes_vectors
from .middleware.faults import FaultMiddleware
from .middleware.gate import PROJECTS, GateMiddleware
from .middleware.request_log import RequestLogMiddleware
from .page.routes import PageMiddleware
from .project import Project
from .responses import agent_routes as routes_versions
from .responses import conversation_routes as routes_conversations
from .responses import routes as routes_responses
from .responses import session_routes as routes_sessions
from .threads import agent_routes as routes_agents
from .threads import routes as routes_threads
from .threads import run_routes as routes_runs

logger = logging.getLogger(__name__)

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
    routes_admin.routes,
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
