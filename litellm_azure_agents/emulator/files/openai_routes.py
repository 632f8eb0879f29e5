"""Files, vector stores, containers below /openai/v1: classic handlers without api-version."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.http import answer, list_answer, project_of
from ..core.routing import Table, missing, table_routes
from ..core.store import Doc
from ..responses.objects import public
from . import routes as routes_files
from . import vector_store_routes as routes_vectors

OPENAI_PURPOSES = ("assistants", "vision", "user_data", "batch", "fine-tune", "evals")


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    store, container = "/vector_stores/{store}", "/containers/{container}"
    file, batch = store + "/files/{file}", store + "/file_batches/{batch}"
    kept = container + "/files/{file}"
    table: Table = [
        ("POST", "/files", upload),
        ("GET", "/files", list_files),
        ("GET", "/files/{file}", routes_files.get),
        ("DELETE", "/files/{file}", routes_files.delete),
        ("GET", "/files/{file}/content", routes_files.content),
        ("POST", "/vector_stores", routes_vectors.create),
        ("GET", "/vector_stores", routes_vectors.list_stores),
        ("GET", store, routes_vectors.get),
        ("POST", store, routes_vectors.update),
        ("DELETE", store, routes_vectors.delete),
        ("POST", store + "/files", routes_vectors.add_file),
        ("GET", store + "/files", routes_vectors.list_files),
        ("GET", file, routes_vectors.get_file),
        ("DELETE", file, routes_vectors.delete_file),
        ("POST", store + "/file_batches", routes_vectors.create_batch),
        ("GET", batch, routes_vectors.get_batch),
        ("POST", batch + "/cancel", routes_vectors.cancel_batch),
        ("GET", batch + "/files", routes_vectors.list_batch_files),
        ("GET", container, get_container),
        ("GET", container + "/files", list_container_files),
        ("GET", kept, get_container_file),
        ("GET", kept + "/content", container_file_content),
    ]
    return table_routes(table, "/openai/v1")


async def upload(request: Request) -> Response:
    request.state.purposes = OPENAI_PURPOSES
    return await routes_files.upload(request)


async def list_files(request: Request) -> Response:
    purpose = request.query_params.get("purpose")
    return answer(list_answer(request, "file", where={"purpose": purpose} if purpose else None))


# ---- containers -----------------------------------------------------------------------------


async def get_container(request: Request) -> Response:
    return answer(public(_container(request)))


async def list_container_files(request: Request) -> Response:
    return answer(list_answer(request, "container_file", _container(request)["id"]))


async def get_container_file(request: Request) -> Response:
    return answer(_file(request))


async def container_file_content(request: Request) -> Response:
    file = _file(request)
    data = project_of(request).store.blob(file["id"]) or b""
    name = urllib.parse.quote(file["path"].rpartition("/")[2], safe="")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _container(request: Request) -> Doc:
    id = request.path_params["container"]
    doc = project_of(request).store.get("container", id)
    if doc is None:
        raise missing("Container", id)
    return doc


def _file(request: Request) -> Doc:
    id, parent = request.path_params["file"], _container(request)["id"]
    doc = project_of(request).store.get("container_file", id, parent)
    if doc is None:
        raise missing("Container file", id)
    return doc
