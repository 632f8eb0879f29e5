"""Routes of hosted agents' sessions and the files in them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import ApiError
from ..core.events import dumps
from ..core.http import answer, project_of, read_body
from ..core.ids import new_id, now
from ..core.pages import page_of
from ..core.routing import Table, invalid, missing, table_routes
from ..core.store import Doc
from .agents import latest, require_agent, require_version
from .objects import session_object
from .schemas import SessionCreate


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    sessions = "/agents/{agent}/endpoint/sessions"
    one = sessions + "/{session}"
    table: Table = [
        ("POST", sessions, create),
        ("GET", sessions, list_sessions),
        ("POST", one + ":stop", stop),
        ("GET", one, get),
        ("DELETE", one, delete),
        ("GET", one + "/files", list_files),
        ("DELETE", one + "/files", delete_file),
        ("GET", one + "/files/content", download),
        ("PUT", one + "/files/content", upload),
    ]
    return table_routes(table, version="v1")


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
    return Response(dumps(doc), 201, media_type="application/json")


async def list_sessions(request: Request) -> Response:
    sessions = project_of(request).store.all("session", _hosted(request)["name"])
    return answer(page_of(request, sessions))


async def get(request: Request) -> Response:
    return answer(_session(request))


async def stop(request: Request) -> Response:
    session = _session(request)
    session.update(status="idle", last_accessed_at=now())
    project_of(request).store.put("session", session, request.path_params["agent"])
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    session, store = _session(request), project_of(request).store
    with store.transaction():
        for file in store.all("session_file", session["id"]):
            store.delete_blob(file["_blob"])
        store.delete_children("session_file", session["id"])
        store.delete("session", session["id"], request.path_params["agent"])
    return Response(status_code=204)


# ---- files ----------------------------------------------------------------------------------


async def upload(request: Request) -> Response:
    session, path, store = _session(request), _path(request), project_of(request).store
    data = await request.body()
    known = store.get("session_file", path, session["id"])
    blob = known["_blob"] if known else new_id("sfile_")
    with store.transaction():
        store.put_blob(blob, data)
        doc = {"id": path, "size": len(data), "modified_time": now(), "_blob": blob}
        store.put("session_file", doc, session["id"])
    written = {"path": path, "bytes_written": len(data)}
    return Response(dumps(written), 201, media_type="application/json")


async def download(request: Request) -> Response:
    session, path, store = _session(request), _path(request), project_of(request).store
    doc = store.get("session_file", path, session["id"])
    if doc is None:
        raise missing("Session file", path)
    return Response(store.blob(doc["_blob"]) or b"", media_type="application/octet-stream")


async def list_files(request: Request) -> Response:
    session, store = _session(request), project_of(request).store
    folder = _path(request, required=False)
    entries: dict[str, Doc] = {}
    for file in store.all("session_file", session["id"]):
        relative = posixpath.relpath(file["id"], folder or ".")
        if relative.startswith(".."):
            continue
        name, _, rest = relative.partition("/")
        entries[name] = {
            "name": name,
            "size": 0 if rest else file["size"],
            "is_directory": bool(rest),
            "modified_time": file["modified_time"],
        }
    return answer({"path": folder or ".", "entries": list(entries.values()), "last_id": None})


async def delete_file(request: Request) -> Response:
    session, path, store = _session(request), _path(request), project_of(request).store
    recursive = request.query_params.get("recursive", "false").lower() == "true"
    found = [
        file
        for file in store.all("session_file", session["id"])
        if file["id"] == path or (recursive and file["id"].startswith(path + "/"))
    ]
    if not found:
        raise missing("Session file", path)
    with store.transaction():
        for file in found:
            store.delete_blob(file["_blob"])
            store.delete("session_file", file["id"], session["id"])
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
    doc = project_of(request).store.get("session", id, name)
    if doc is None:
        raise missing("Session", id)
    return doc


def _path(request: Request, *, required: bool = True) -> str:
    """A path inside the session's home."""
    given = request.query_params.get("path", "")
    path = posixpath.normpath(given.lstrip("/")) if given.strip("/") else ""
    if path.startswith("..") or (required and path in ("", ".")):
        raise invalid("'path' must name a file inside the session's home.", "path")
    return "" if path == "." else path
