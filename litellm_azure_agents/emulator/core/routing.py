"""What the new protocol's routes do alike: versions, preview keys, errors in Foundry's shape."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .errors import ApiError, bad_request

Endpoint = Callable[[Request], Awaitable[Response]]
Table = Sequence[tuple[str, str, Endpoint]]
"""Method, path and handler."""

APPLICATION_VERSION = "2025-11-15-preview"
_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
}
_SCHEMA_CODES = frozenset(
    {"unknown_parameter", "missing_required_parameter", "invalid_type", "invalid_value"}
)


class FoundryError(ApiError):
    """An error as the new protocol words it: a code always, details and the request's id."""

    request_id = ""

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "param": self.param,
                "type": self.type,
                "details": [],
                "additionalInfo": {"request_id": self.request_id},
            }
        }


def invalid(message: str, param: str | None = None, code: str = "invalid_payload") -> ApiError:
    """A 400."""
    return ApiError(400, message, param=param, code=code)


def missing(what: str, id: str) -> ApiError:
    """A 404."""
    return ApiError(404, f"{what} with id '{id}' not found.", code="not_found")


def table_routes(table: Table, prefix: str = "", version: str | None = None) -> list[Route]:
    """Routes below a prefix. `version` None: the routes carry no api-version at all."""
    return [
        Route(prefix + path, _styled(handler, version), methods=[method])
        for method, path, handler in table
    ]


def _styled(handler: Endpoint, version: str | None) -> Endpoint:
    """The handler with its api-version checked and its errors in Foundry's shape."""

    @functools.wraps(handler)
    async def styled(request: Request) -> Response:
        try:
            if version is not None:
                _check_version(request, version)
            request.state.api_version = "v1"  # what handlers shared with the classic routes see
            return await handler(request)
        except ApiError as error:
            raise _restyled(error, request) from error

    return styled


def _check_version(request: Request, version: str) -> None:
    given = request.query_params.get("api-version")
    if not given:
        raise bad_request(
            "The api-version query parameter (?api-version=) is required for all requests.",
            param="api-version",
            code="MissingApiVersionParameter",
        )
    if given != version:
        raise bad_request(
            f"API version '{given}' is not supported here. Supported: '{version}'.",
            param="api-version",
            code="UnsupportedApiVersion",
        )


def _restyled(error: ApiError, request: Request) -> FoundryError:
    code = error.code or _CODES.get(error.status, "invalid_payload")
    if code in _SCHEMA_CODES:
        code = "invalid_payload"
    restyled = FoundryError(
        error.status,
        error.message,
        code=code,
        param=error.param,
        type=error.type,
        headers=error.headers,
    )
    restyled.request_id = str(request.scope.get("state", {}).get("request_id", ""))
    return restyled


# ---- previews -------------------------------------------------------------------------------

PREVIEW_KEYS = {
    "workflow": ("Workflow agents", "WorkflowAgents=V1Preview"),
    "external": ("External agents", "ExternalAgents=V1Preview"),
    "draft": ("Draft agents", "DraftAgents=V1Preview"),
}


def require_preview(request: Request, feature: str) -> None:
    """Refuse a preview kind of agent to a client that has not opted in to it by header."""
    if feature not in PREVIEW_KEYS:
        return
    name, key = PREVIEW_KEYS[feature]
    given = {k.strip() for k in request.headers.get("foundry-features", "").split(",")}
    if key not in given:
        raise ApiError(
            403,
            f"{name} is in preview. This operation requires the following opt-in preview"
            f" feature(s): {key}. Include the 'Foundry-Features: {key}' header in your request.",
            code="preview_feature_required",
            param="Foundry-Features",
        )
