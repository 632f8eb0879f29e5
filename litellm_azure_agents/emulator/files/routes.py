"""Routes of files: upload, listing, content."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..core.errors import ApiError, bad_request
from ..core.http import answer, deleted, download, project_of, require
from ..core.routing import Table, classic_routes
from ..core.store import Doc
from .objects import keep_file

PURPOSES = ("assistants", "vision")  # assistants_output is set by the service alone


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    table: Table = [
        ("POST", "/files", upload),
        ("GET", "/files", list_files),
        ("GET", "/files/{file}", get),
        ("DELETE", "/files/{file}", delete),
        ("GET", "/files/{file}/content", content),
    ]
    return classic_routes(table)


async def upload(request: Request) -> Response:
    return await store_upload(request, PURPOSES)


async def store_upload(request: Request, purposes: Sequence[str]) -> Response:
    """Store the file of a multipart body whose purpose is one of these. Raises the 400."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise bad_request("Files are uploaded as multipart/form-data.", param="file")
    try:
        form = await request.form(max_files=1, max_fields=4)
    except HTTPException as error:
        raise bad_request(f"The multipart body can't be read: {error.detail}") from error
    for name in form:
        if name not in ("file", "purpose", "filename"):
            raise bad_request(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    file, purpose = form.get("file"), form.get("purpose")
    if not isinstance(file, UploadFile):
        raise _missing("file")
    if not isinstance(purpose, str):
        raise _missing("purpose")
    if purpose not in purposes:
        known = " and ".join(f"'{name}'" for name in purposes)
        raise bad_request(
            f"Invalid value: '{purpose}'. Supported values are: {known}.",
            param="purpose",
            code="invalid_value",
        )
    name_field = form.get("filename")
    filename = name_field if isinstance(name_field, str) else file.filename
    data = await file.read()
    await form.close()
    return answer(keep_file(project_of(request).store, filename or "file", data, purpose))


async def list_files(request: Request) -> Response:
    purpose = request.query_params.get("purpose")
    files = project_of(request).store.all("file")[::-1]
    shown = [file for file in files if purpose in (None, "", file["purpose"])]
    return answer({"object": "list", "data": shown})


async def get(request: Request) -> Response:
    return answer(_file(request))


async def delete(request: Request) -> Response:
    id = _file(request)["id"]
    project_of(request).vectors.delete_file(id)
    return answer(deleted(id, "file"))


async def content(request: Request) -> Response:
    file = _file(request)
    return download(file["filename"], project_of(request).store.blob(file["id"]) or b"")


def _file(request: Request) -> Doc:
    return require(request, "file", request.path_params["file"])


def _missing(name: str) -> ApiError:
    return bad_request(
        f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
    )
