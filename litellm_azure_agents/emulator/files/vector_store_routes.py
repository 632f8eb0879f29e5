"""Routes of vector stores, their files and file batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.errors import bad_request
from ..core.http import answer, api_version, list_answer, project_of, read_body, require
from ..core.store import Doc
from ..threads.checks import check_files
from ..threads.objects import deleted
from .schemas import BatchCreate, VectorStoreCreate, VectorStoreFileCreate, VectorStoreUpdate
from .vector_stores import visible

FILE_STATUSES = ("in_progress", "completed", "failed", "cancelled")


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    store = "/vector_stores/{store}"
    file, batch = store + "/files/{file}", store + "/file_batches/{batch}"
    return [
        Route("/vector_stores", create, methods=["POST"]),
        Route("/vector_stores", list_stores, methods=["GET"]),
        Route(store, get, methods=["GET"]),
        Route(store, update, methods=["POST"]),
        Route(store, delete, methods=["DELETE"]),
        Route(store + "/files", add_file, methods=["POST"]),
        Route(store + "/files", list_files, methods=["GET"]),
        Route(file, get_file, methods=["GET"]),
        Route(file, delete_file, methods=["DELETE"]),
        Route(store + "/file_batches", create_batch, methods=["POST"]),
        Route(batch, get_batch, methods=["GET"]),
        Route(batch + "/cancel", cancel_batch, methods=["POST"]),
        Route(batch + "/files", list_batch_files, methods=["GET"]),
    ]


async def create(request: Request) -> Response:
    api_version(request)
    project = project_of(request)
    body = await read_body(request, VectorStoreCreate, optional=True)
    check_files(body.get("file_ids") or [], project.store)
    return answer(project.vectors.create(body))


async def list_stores(request: Request) -> Response:
    api_version(request)
    page = list_answer(request, "vector_store")
    page["data"] = [project_of(request).vectors.shown(doc) for doc in page["data"]]
    return answer(page)


async def get(request: Request) -> Response:
    return answer(project_of(request).vectors.shown(_store(request)))


async def update(request: Request) -> Response:
    doc = _store(request)
    body = await read_body(request, VectorStoreUpdate, optional=True)
    doc.update(body)
    doc["metadata"] = doc["metadata"] or {}
    project = project_of(request)
    project.store.put("vector_store", doc)
    return answer(project.vectors.shown(doc))


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
    return answer(visible(added[0]))


async def list_files(request: Request) -> Response:
    return answer(_file_page(request, _store(request)["id"], {}))


async def get_file(request: Request) -> Response:
    return answer(visible(_file(request)))


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
    api_version(request)
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
    page = list_answer(request, "vector_store_file", store_id, where)
    page["data"] = [visible(doc) for doc in page["data"]]
    return page
