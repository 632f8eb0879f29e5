"""Routes of hosted agents' sessions and the files in them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import ApiError, invalid
from ..core.http import answer, is_set, page_of, project_of, read_body, require_new
from ..core.ids import new_id, now
from ..core.routing import Table, foundry_routes
from ..core.store import Doc
from . import sessions
from .agents import latest, require_agent, require_version
from .objects import session_object
from .schemas import SessionCreate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    every = "/agents/{agent}/endpoint/sessions"
    one = every + "/{session}"
    table: Table = [
        ("POST", every, create),
        ("GET", every, list_sessions),
        ("POST", one + ":stop", stop),
        ("GET", one, get),
        ("DELETE", one, delete),
        ("GET", one + "/files", list_files),
        ("DELETE", one + "/files", delete_file),
        ("GET", one + "/files/content", download),
        ("PUT", one + "/files/content", upload),
    ]
    return foundry_routes(table, version="v1")


async def create(request: Request) -> Response:
    project, name = project_of(request), _hosted(request)["name"]
    body = await read_body(request, SessionCreate, optional=True)
    id = body.get("agent_session_id") or new_id("sess_")
    if project.store.get("session", id, name) is not None:
        raise ApiError(409, f"Session '{id}' exists already.", code="conflict")
    asked = (body.get("version_indicator") or {}).get("agent_version")
    found = require_version(project.store, name, asked) if asked else latest(project.store, name)
    assert found is not None
    doc = session_object(id, found["version"])
    project.store.put("session", doc, name)
    return answer(doc, 201)


async def list_sessions(request: Request) -> Response:
    found = project_of(request).store.all("session", _hosted(request)["name"])
    return answer(page_of(request, found))


async def get(request: Request) -> Response:
    return answer(_session(request))


async def stop(request: Request) -> Response:
    session = _session(request)
    session.update(status="idle", last_accessed_at=now())
    project_of(request).store.put("session", session, request.path_params["agent"])
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    id = _session(request)["id"]
    sessions.delete_session(project_of(request).store, request.path_params["agent"], id)
    return Response(status_code=204)


# ---- files ----------------------------------------------------------------------------------


async def upload(request: Request) -> Response:
    id, path = _session(request)["id"], _path(request)
    data = await request.body()
    sessions.write_file(project_of(request).store, id, path, data)
    return answer({"path": path, "bytes_written": len(data)}, 201)


async def download(request: Request) -> Response:
    id, path = _session(request)["id"], _path(request)
    data = sessions.read_file(project_of(request).store, id, path)
    return Response(data, media_type="application/octet-stream")


async def list_files(request: Request) -> Response:
    id, folder = _session(request)["id"], _path(request, required=False)
    entries = sessions.list_files(project_of(request).store, id, folder)
    return answer({"path": folder or ".", "entries": entries, "last_id": None})


async def delete_file(request: Request) -> Response:
    id, path = _session(request)["id"], _path(request)
    recursive = is_set(request, "recursive")
    sessions.delete_files(project_of(request).store, id, path, recursive=recursive)
    return Response(status_code=204)


def _hosted(request: Request) -> Doc:
    store = project_of(request).store
    agent = require_agent(store, request.path_params["agent"])
    found = latest(store, agent["name"])
    if found is None or found["definition"]["kind"] != "hosted":
        raise invalid(f"Agent '{agent['name']}' is not a hosted agent.", "agent_name")
    return agent


def _session(request: Request) -> Doc:
    name, id = _hosted(request)["name"], request.path_params["session"]
    return require_new(request, "Session", "session", id, name)


def _path(request: Request, *, required: bool = True) -> str:
    """A path inside the session's home."""
    given = request.query_params.get("path", "")
    path = posixpath.normpath(given.lstrip("/")) if given.strip("/") else ""
    if path.startswith("..") or (required and path in ("", ".")):
        raise invalid("'path' must name a file inside the session's home.", "path")
    return "" if path == "." else path
