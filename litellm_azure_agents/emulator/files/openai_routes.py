"""Files, vector stores, containers below /openai/v1: the classic handlers, and containers."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.http import answer, download, project_of, require_new, stored_page
from ..core.routing import Table, foundry_routes
from ..core.store import Doc, public
from . import routes as file_routes
from . import vector_store_routes

OPENAI_PURPOSES = ("assistants", "vision", "user_data", "batch", "fine-tune", "evals")


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    container = "/containers/{container}"
    kept = container + "/files/{file}"
    table: Table = [
        ("POST", "/files", upload),
        ("GET", "/files", list_files),
        ("GET", "/files/{file}", file_routes.get),
        ("DELETE", "/files/{file}", file_routes.delete),
        ("GET", "/files/{file}/content", file_routes.content),
        *vector_store_routes.table(),
        ("GET", container, get_container),
        ("GET", container + "/files", list_container_files),
        ("GET", kept, get_container_file),
        ("GET", kept + "/content", container_file_content),
    ]
    return foundry_routes(table, "/openai/v1")


async def upload(request: Request) -> Response:
    return await file_routes.store_upload(request, OPENAI_PURPOSES)


async def list_files(request: Request) -> Response:
    purpose = request.query_params.get("purpose")
    return answer(stored_page(request, "file", where={"purpose": purpose} if purpose else None))


# ---- containers -----------------------------------------------------------------------------


async def get_container(request: Request) -> Response:
    return answer(public(_container(request)))


async def list_container_files(request: Request) -> Response:
    return answer(stored_page(request, "container_file", _container(request)["id"]))


async def get_container_file(request: Request) -> Response:
    return answer(_file(request))


async def container_file_content(request: Request) -> Response:
    file = _file(request)
    data = project_of(request).store.blob(file["id"]) or b""
    return download(file["path"].rpartition("/")[2], data)


def _container(request: Request) -> Doc:
    return require_new(request, "Container", "container", request.path_params["container"])


def _file(request: Request) -> Doc:
    id, parent = request.path_params["file"], _container(request)["id"]
    return require_new(request, "Container file", "container_file", id, parent)
