"""What every route does the same way: bodies, query parameters, pages, answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from ..project import Project
from .errors import bad_request, from_validation, not_found
from .events import dumps
from .json_body import parse_json
from .settings import KNOWN_API_VERSIONS
from .store import Doc, UnknownCursor

INCLUDE_SEARCH = "step_details.tool_calls[*].file_search.results[*].content"


def project_of(request: Request) -> Project:
    """The project that serves this request."""
    project: Project = request.app.state.project
    return project


def api_version(request: Request) -> str:
    """The version asked for; raises the 400 of a missing or unknown one."""
    fixed: str | None = request.scope.get("state", {}).get("api_version")
    if fixed is not None:  # a route without versions that shares a handler
        return fixed
    version = request.query_params.get("api-version")
    if not version:
        raise bad_request(
            "The api-version query parameter (?api-version=) is required for all requests.",
            param="api-version",
            code="MissingApiVersionParameter",
        )
    if version not in KNOWN_API_VERSIONS:
        raise bad_request(
            f"API version '{version}' is not supported. Known: {', '.join(KNOWN_API_VERSIONS)}.",
            param="api-version",
            code="UnsupportedApiVersion",
        )
    return version


async def read_body(request: Request, model: type[BaseModel], *, optional: bool = False) -> Doc:
    """The body as it was sent, once its model has nothing against it (strict: nothing changes)."""
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


def answer(doc: Mapping[str, Any]) -> Response:
    """A 200 with JSON."""
    return Response(dumps(doc), media_type="application/json")


def list_answer(
    request: Request, kind: str, parent: str = "", where: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One page of a listing, as the list query parameters ask."""
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
    return {
        "object": "list",
        "data": page.data,
        "first_id": page.data[0]["id"] if page.data else None,
        "last_id": page.data[-1]["id"] if page.data else None,
        "has_more": page.has_more,
    }


def limit_and_order(request: Request) -> tuple[int, str]:
    """How many objects a page may have, and `asc` or `desc`; raises the 400."""
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


def require(request: Request, kind: str, id: str, parent: str = "") -> Doc:
    """The object, or the service's 404."""
    doc = project_of(request).store.get(kind, id, parent)
    if doc is None:
        raise not_found(kind.replace("_", " "), id)
    return doc


def includes_search(request: Request) -> bool:
    """Whether `include[]` asks for the passages of file searches."""
    wanted = [
        value
        for name in ("include[]", "include")
        for joined in request.query_params.getlist(name)
        for value in joined.split(",")
    ]
    for value in wanted:
        if value != INCLUDE_SEARCH:
            raise bad_request(
                f"Invalid value: '{value}'. Supported values are: '{INCLUDE_SEARCH}'.",
                param="include",
                code="invalid_value",
            )
    return bool(wanted)
