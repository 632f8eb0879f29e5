"""Routes of vector stores, their files and file batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import bad_request
from ..core.http import answer, deleted, project_of, read_body, require, stored_page
from ..core.routing import Table, classic_routes
from ..core.store import Doc, public
from .objects import check_files
from .schemas import BatchCreate, VectorStoreCreate, VectorStoreFileCreate, VectorStoreUpdate

FILE_STATUSES = ("in_progress", "completed", "failed", "cancelled")


def table() -> Table:
    """The routes of both protocols."""
    store = "/vector_stores/{store}"
    file, batch = store + "/files/{file}", store + "/file_batches/{batch}"
    return [
        ("POST", "/vector_stores", create),
        ("GET", "/vector_stores", list_stores),
        ("GET", store, get),
        ("POST", store, update),
        ("DELETE", store, delete),
        ("POST", store + "/files", add_file),
        ("GET", store + "/files", list_files),
        ("GET", file, get_file),
        ("DELETE", file, delete_file),
        ("POST", store + "/file_batches", create_batch),
        ("GET", batch, get_batch),
        ("POST", batch + "/cancel", cancel_batch),
        ("GET", batch + "/files", list_batch_files),
    ]


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    return classic_routes(table())


async def create(request: Request) -> Response:
    project = project_of(request)
    body = await read_body(request, VectorStoreCreate, optional=True)
    check_files(body.get("file_ids") or [], project.store)
    return answer(project.vectors.create(body))


async def list_stores(request: Request) -> Response:
    page = stored_page(request, "vector_store")
    page["data"] = [project_of(request).vectors.shown(doc) for doc in page["data"]]
    return answer(page)


async def get(request: Request) -> Response:
    return answer(project_of(request).vectors.shown(_store(request)))


async def update(request: Request) -> Response:
    doc = _store(request)
    body = await read_body(request, VectorStoreUpdate, optional=True)
    return answer(project_of(request).vectors.update(doc, body))


async def delete(request: Request) -> Response:
    doc = _store(request)
    project_of(request).vectors.delete(doc["id"])
    return answer(deleted(doc["id"], "vector_store.deleted"))


async def add_file(request: Request) -> Response:
    store_id = _store(request)["id"]
    project = project_of(request)
    body = await read_body(request, VectorStoreFileCreate)
    ids = [body["file_id"]] if body.get("file_id") is not None else []
    check_files(ids, project.store)
    sources = [body["data_source"]] if body.get("data_source") else []
    added = project.vectors.add(store_id, ids, sources, body.get("chunking_strategy"))
    return answer(public(added[0]))


async def list_files(request: Request) -> Response:
    return answer(_file_page(request, _store(request)["id"], {}))


async def get_file(request: Request) -> Response:
    return answer(public(_file(request)))


async def delete_file(request: Request) -> Response:
    doc = _file(request)
    project_of(request).vectors.remove_file(doc["vector_store_id"], doc["id"])
    return answer(deleted(doc["id"], "vector_store.file.deleted"))


async def create_batch(request: Request) -> Response:
    store_id = _store(request)["id"]
    project = project_of(request)
    body = await read_body(request, BatchCreate)
    check_files(body.get("file_ids") or [], project.store)
    return answer(project.vectors.create_batch(store_id, body))


async def get_batch(request: Request) -> Response:
    return answer(project_of(request).vectors.shown_batch(_batch(request)))


async def cancel_batch(request: Request) -> Response:
    return answer(project_of(request).vectors.cancel_batch(_batch(request)))


async def list_batch_files(request: Request) -> Response:
    batch = _batch(request)
    return answer(_file_page(request, batch["vector_store_id"], {"_batch": batch["id"]}))


def _store(request: Request) -> Doc:
    return require(request, "vector_store", request.path_params["store"])


def _file(request: Request) -> Doc:
    store_id = _store(request)["id"]
    return require(request, "vector_store_file", request.path_params["file"], store_id)


def _batch(request: Request) -> Doc:
    return require(request, "batch", request.path_params["batch"], _store(request)["id"])


def _file_page(request: Request, store_id: str, where: dict[str, str]) -> dict[str, Any]:
    status = request.query_params.get("filter")
    if status and status not in FILE_STATUSES:
        raise bad_request(
            f"Invalid value: '{status}'. Supported values are: {', '.join(FILE_STATUSES)}.",
            param="filter",
            code="invalid_value",
        )
    if status:
        where = {**where, "status": status}
    page = stored_page(request, "vector_store_file", store_id, where)
    page["data"] = [public(doc) for doc in page["data"]]
    return page
