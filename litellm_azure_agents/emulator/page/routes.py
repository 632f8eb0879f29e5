"""The page at `/`: its files, and the API that it reads, below `/page/`.

Outermost in the application: what the page reads is not in the request log and has no faults. Its
files are public; the API requires the project's bearer token, and both require the emulator's own
host name. The chat uses the project's own routes, as any client does. Other origins can read
nothing here: no CORS, and scripts, styles and connections of this origin only.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import ApiError
from ..core.events import EventLog, dumps, frame
from ..core.http import answer, project_of
from ..core.store import UnknownCursor
from ..engine.live import Live
from ..middleware.gate import check_host, check_token
from . import data as page_data
from . import files as page_files
from .search import words_of

if TYPE_CHECKING:
    from ..project import Project

WEB = Path(__file__).parent / "web"
BELOW = "/page/"
API = "/page/api/"
LOOK_EVERY = 0.25  # seconds between two looks for changes
LOOK_EVENTS = 0.05
BEAT_EVERY = 15.0
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_IMAGES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
_HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; object-src"
    b" 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-cache",
}


class PageMiddleware:
    """Answers `/` and paths below `/page/`; other requests go on to the application."""

    def __init__(self, app: ASGIApp, project: Project) -> None:
        self.app = app
        self.settings = project.settings
        self.page = Starlette(
            routes=[
                Route("/", lambda request: _file("index.html")),
                Route(API + "overview", overview),
                Route(API + "live", live),
                Route(API + "{list:str}", rows),
                Route(API + "threads/{id}", thread),
                Route(API + "runs/{id}", run),
                Route(API + "runs/{id}/events", run_events),
                Route(API + "agents/{kind}/{id}", agent),
                Route(API + "requests/{id}", request_details),
                Route(API + "files/{id}", file),
                Route(API + "files/{id}/about", file_about),
                Route(API + "files/{id}/details", file_details),
                Route(API + "files/{id}/passages", file_passages),
                Route(BELOW + "{name}", lambda request: _file(request.path_params["name"])),
            ],
            exception_handlers={ApiError: _refused, HTTPException: _refused},
        )
        self.page.state.project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == "/" or path.startswith(BELOW)):
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        try:
            check_host(self.settings, scope)
            if path.startswith(API):
                check_token(self.settings, scope)
        except ApiError as error:
            refusal = JSONResponse(error.body(), error.status, error.headers)
            await refusal(scope, receive, send_guarded)
            return
        await self.page(scope, receive, send_guarded)


def _file(name: str) -> Response:
    path = WEB / name
    if path.suffix not in _TYPES or path.parent != WEB or not path.is_file():
        raise HTTPException(404)
    return Response(path.read_bytes(), media_type=_TYPES[path.suffix])


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = ApiError(error.status_code, error.detail, headers=error.headers)
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, error.headers)


# ---- the read API ---------------------------------------------------------------------------

_LISTS = {
    "threads": page_data.threads,
    "runs": page_data.runs,
    "agents": page_data.agents,
    "files": page_files.files,
    "requests": page_data.requests,
}


async def overview(request: Request) -> Response:
    return answer(page_data.overview(project_of(request)))


async def rows(request: Request) -> Response:
    listed = _LISTS.get(request.path_params["list"])
    if listed is None:
        raise HTTPException(404)
    query = request.query_params
    before, words = _number(query.get("before", "")), words_of(query.get("q", ""))
    return answer(listed(project_of(request), before, words, query.get("which", "")))


def _number(text: str) -> int | None:
    """A number that a row can have."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def _or_404(found: Mapping[str, Any] | None, request: Request) -> Response:
    if found is None:
        raise ApiError(404, f"There is no {request.path_params['id']} here (any more).")
    return answer(found)


async def thread(request: Request) -> Response:
    before = request.query_params.get("before")
    try:
        found = page_data.thread(project_of(request), request.path_params["id"], before)
    except UnknownCursor as error:
        raise ApiError(404, f"There is no {error} in it (any more).") from error
    return _or_404(found, request)


async def run(request: Request) -> Response:
    return _or_404(page_data.run(project_of(request), request.path_params["id"]), request)


async def agent(request: Request) -> Response:
    kind, id = request.path_params["kind"], request.path_params["id"]
    return _or_404(page_data.agent(project_of(request), kind, id), request)


async def request_details(request: Request) -> Response:
    return _or_404(page_data.request(project_of(request), request.path_params["id"]), request)


async def file(request: Request) -> Response:
    """A file's bytes. Only bitmaps have a type of their own: nothing here is ever a document."""
    data = project_of(request).store.blob(request.path_params["id"])
    if data is None:
        raise ApiError(404, f"The file {request.path_params['id']} is gone.")
    known = (type for start, type in _IMAGES.items() if data.startswith(start))
    return Response(data, media_type=next(known, "application/octet-stream"))


async def file_about(request: Request) -> Response:
    return _or_404(page_files.file(project_of(request), request.path_params["id"]), request)


async def file_details(request: Request) -> Response:
    return _or_404(page_files.details(project_of(request), request.path_params["id"]), request)


async def file_passages(request: Request) -> Response:
    return answer(page_files.passages(project_of(request), request.path_params["id"]))


# ---- live -----------------------------------------------------------------------------------


async def live(request: Request) -> Response:
    """An event whenever something has changed: the overview as it is then."""
    return _sse(_changes(project_of(request)))


async def _changes(project: Project) -> AsyncIterator[bytes]:
    sent: Mapping[str, Any] = {}
    beat = time.monotonic()
    while True:
        now = [project.store.changes, project.requests.changes]
        if sent.get("changes") != now:
            sent = page_data.overview(project)
            yield frame("changed", sent)
        elif time.monotonic() - beat > BEAT_EVERY:
            beat = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(LOOK_EVERY)


async def run_events(request: Request) -> Response:
    """A run's events from number `from` on, also those to come, until nothing more can come."""
    project, id = project_of(request), request.path_params["id"]
    start = _number(request.query_params.get("from", "")) or 0
    live = project.runs.recent.get(id) or project.responses.recent.get(id)
    if live is None:
        raise ApiError(404, f"The events of {id} are not kept any more.")
    return _sse(_events(live, start))


async def _events(live: Live, position: int) -> AsyncIterator[bytes]:
    log = live.log
    while True:
        last = live.finished.is_set()  # asked first: the last events come before it is set
        end = len(log)
        if end > position:
            yield b"".join(_event(log, number) for number in range(position, end))
            position = end
        if last:
            yield frame("end", {})
            return
        await asyncio.sleep(LOOK_EVENTS)


def _event(log: EventLog, number: int) -> bytes:
    raw = log.frames[number].split(b"\ndata: ", 1)[1].rstrip(b"\n").decode()
    data = raw if raw.startswith("{") else json.dumps(raw)
    head = dumps({"n": number, "at": round(log.times[number], 4), "name": log.names[number]})
    return frame("logged", f'{head[:-1]},"data":{data}}}')


def _sse(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream")
