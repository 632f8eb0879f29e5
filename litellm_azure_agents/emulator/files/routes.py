"""Routes of files: upload, listing, content."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.errors import ApiError, bad_request
from ..core.http import answer, api_version, project_of, require
from ..core.ids import new_id
from ..engine.toolbox import file_object
from ..threads.objects import deleted

PURPOSES = ("assistants", "vision")  # assistants_output is set by the service alone


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    return [
        Route("/files", upload, methods=["POST"]),
        Route("/files", list_files, methods=["GET"]),
        Route("/files/{file}", get, methods=["GET"]),
        Route("/files/{file}", delete, methods=["DELETE"]),
        Route("/files/{file}/content", content, methods=["GET"]),
    ]


async def upload(request: Request) -> Response:
    api_version(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise bad_request("Files are uploaded as multipart/form-data.", param="file")
    project = project_of(request)
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
    purposes = request.scope.get("state", {}).get("purposes", PURPOSES)
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
    doc = file_object(new_id("assistant-"), filename or "file", data, purpose)
    with project.store.transaction():
        project.store.put_blob(doc["id"], data)
        project.store.put("file", doc)
    return answer(doc)


async def list_files(request: Request) -> Response:
    api_version(request)
    purpose = request.query_params.get("purpose")
    files = project_of(request).store.all("file")[::-1]
    shown = [file for file in files if purpose in (None, "", file["purpose"])]
    return answer({"object": "list", "data": shown})


async def get(request: Request) -> Response:
    api_version(request)
    return answer(require(request, "file", request.path_params["file"]))


async def delete(request: Request) -> Response:
    api_version(request)
    project = project_of(request)
    file = require(request, "file", request.path_params["file"])
    with project.store.transaction():
        project.vectors.forget_file(file["id"])
        project.store.delete_blob(file["id"])
        project.store.delete("file", file["id"])
    return answer(deleted(file["id"], "file"))


async def content(request: Request) -> Response:
    api_version(request)
    file = require(request, "file", request.path_params["file"])
    data = project_of(request).store.blob(file["id"]) or b""
    name = urllib.parse.quote(file["filename"], safe="")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _missing(name: str) -> ApiError:
    return bad_request(
        f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
    )
