"""What every route does the same way: bodies, query parameters, pages, answers."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .errors import bad_request, from_validation, invalid, missing, not_found
from .events import SSE_HEADERS, dumps
from .json_body import parse_json
from .store import Doc, UnknownCursor

if TYPE_CHECKING:
    from ..project import Project

INCLUDE_SEARCH = "step_details.tool_calls[*].file_search.results[*].content"


def project_of(request: Request) -> Project:
    """The project that serves this request."""
    project: Project = request.app.state.project
    return project


# ---- what a request says --------------------------------------------------------------------


async def read_body(request: Request, model: type[BaseModel], *, optional: bool = False) -> Doc:
    """The body as it was sent, once the schema `model` accepts it. Raises the 400.

    With `optional`, an empty body reads as `{}`.
    """
    raw = await request.body()
    if not raw and optional:
        return {}
    try:
        data: Doc = parse_json(raw)
    except ValueError as error:
        raise bad_request(f"We could not parse the JSON body of your request: {error}") from error
    try:
        model.model_validate(data)
    except ValidationError as error:
        raise from_validation(error) from error
    return data


def limit_and_order(request: Request) -> tuple[int, str]:
    """How many objects a page may have, and `asc` or `desc`. Raises the 400."""
    limit = request.query_params.get("limit", "20")
    if not re.fullmatch("[1-9][0-9]?|100", limit):
        raise bad_request(
            f"Invalid 'limit': expected an integer from 1 to 100, but got '{limit}' instead.",
            param="limit",
            code="invalid_value",
        )
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise bad_request(
            f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'.",
            param="order",
            code="invalid_value",
        )
    return int(limit), order


def included(request: Request) -> list[str]:
    """The values of `include` and `include[]`."""
    query = request.query_params
    return [value for name in ("include", "include[]") for value in query.getlist(name)]


def includes_search(request: Request) -> bool:
    """Whether a classic request includes the passages of file searches. Raises the 400."""
    values = [value for joined in included(request) for value in joined.split(",")]
    for value in values:
        if value != INCLUDE_SEARCH:
            raise bad_request(
                f"Invalid value: '{value}'. Supported values are: '{INCLUDE_SEARCH}'.",
                param="include",
                code="invalid_value",
            )
    return bool(values)


def is_set(request: Request, name: str) -> bool:
    """Whether a query parameter is `true`."""
    return request.query_params.get(name, "false").lower() == "true"


# ---- objects --------------------------------------------------------------------------------


def require(request: Request, kind: str, id: str, parent: str = "") -> Doc:
    """An object of the store, or the classic protocol's 404."""
    doc = project_of(request).store.get(kind, id, parent)
    if doc is None:
        raise not_found(kind.replace("_", " "), id)
    return doc


def require_new(request: Request, what: str, kind: str, id: str, parent: str = "") -> Doc:
    """An object of the store, or the new protocol's 404, which calls it `what`."""
    doc = project_of(request).store.get(kind, id, parent)
    if doc is None:
        raise missing(what, id)
    return doc


# ---- answers --------------------------------------------------------------------------------


def answer(doc: Mapping[str, Any], status: int = 200) -> Response:
    """JSON."""
    return Response(dumps(doc), status, media_type="application/json")


def deleted(id: str, object: str) -> Doc:
    """The body that confirms a deletion."""
    return {"id": id, "object": object, "deleted": True}


def download(filename: str, data: bytes) -> Response:
    """A file's bytes under its name."""
    name = urllib.parse.quote(filename, safe="")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def event_stream(events: AsyncIterator[bytes]) -> Response:
    """Server-sent events."""
    return StreamingResponse(events, media_type="text/event-stream", headers=SSE_HEADERS)


def listing(data: Sequence[Doc], has_more: bool = False) -> Doc:
    """A page of objects."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def stored_page(
    request: Request, kind: str, parent: str = "", where: Mapping[str, str] | None = None
) -> Doc:
    """The page of stored objects that the query parameters ask for. Raises the 400."""
    query = request.query_params
    limit, order = limit_and_order(request)
    try:
        page = project_of(request).store.page(
            kind,
            parent,
            limit=limit,
            order=order,
            after=query.get("after") or None,
            before=query.get("before") or None,
            where=where,
        )
    except UnknownCursor as error:
        raise bad_request(f"No {kind} found with id '{error}'.", param="after") from error
    return listing(page.data, page.has_more)


def page_of(request: Request, oldest_first: Sequence[Doc]) -> Doc:
    """The page of these objects that `limit`, `order` and `after` ask for. Raises the 400."""
    limit, order = limit_and_order(request)
    docs = list(oldest_first) if order == "asc" else list(oldest_first)[::-1]
    after = request.query_params.get("after")
    if after:
        ids = [doc["id"] for doc in docs]
        if after not in ids:
            raise invalid(f"No item found with id '{after}'.", "after")
        docs = docs[ids.index(after) + 1 :]
    return listing(docs[:limit], len(docs) > limit)
