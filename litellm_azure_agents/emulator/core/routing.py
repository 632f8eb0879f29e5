"""Tables of routes of both protocols: api-versions, preview features, and the shape of errors."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .context import context_of
from .errors import ApiError, FoundryError, bad_request
from .settings import KNOWN_API_VERSIONS

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


def classic_routes(table: Table) -> list[Route]:
    """Routes of the classic protocol: any known api-version, errors as they are raised."""

    def versioned(handler: Endpoint) -> Endpoint:
        @functools.wraps(handler)
        async def checked(request: Request) -> Response:
            api_version(request)
            return await handler(request)

        return checked

    return [Route(path, versioned(handler), methods=[method]) for method, path, handler in table]


def foundry_routes(table: Table, prefix: str = "", version: str | None = None) -> list[Route]:
    """Routes of the new protocol: errors in Foundry's shape.

    `version` is the only api-version accepted; with None the routes have no api-version at all.
    """

    def styled(handler: Endpoint) -> Endpoint:
        @functools.wraps(handler)
        async def restyled(request: Request) -> Response:
            try:
                if version is not None and (given := _given_version(request)) != version:
                    raise _unsupported(
                        f"API version '{given}' is not supported here. Supported: '{version}'."
                    )
                return await handler(request)
            except ApiError as error:
                raise _foundry_error(error, context_of(request.scope).request_id) from error

        return restyled

    return [
        Route(prefix + path, styled(handler), methods=[method]) for method, path, handler in table
    ]


def api_version(request: Request) -> str:
    """The api-version of a classic request. Raises the 400 of a missing or unknown one."""
    version = _given_version(request)
    if version not in KNOWN_API_VERSIONS:
        known = ", ".join(KNOWN_API_VERSIONS)
        raise _unsupported(f"API version '{version}' is not supported. Known: {known}.")
    return version


def _given_version(request: Request) -> str:
    version = request.query_params.get("api-version")
    if not version:
        raise bad_request(
            "The api-version query parameter (?api-version=) is required for all requests.",
            param="api-version",
            code="MissingApiVersionParameter",
        )
    return version


def _unsupported(message: str) -> ApiError:
    return bad_request(message, param="api-version", code="UnsupportedApiVersion")


def _foundry_error(error: ApiError, request_id: str) -> FoundryError:
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
        details=error.details,
    )
    restyled.request_id = request_id
    return restyled


# ---- previews -------------------------------------------------------------------------------

PREVIEW_KEYS = {
    "workflow": ("Workflow agents", "WorkflowAgents=V1Preview"),
    "external": ("External agents", "ExternalAgents=V1Preview"),
    "draft": ("Draft agents", "DraftAgents=V1Preview"),
}


def require_preview(request: Request, feature: str) -> None:
    """Raise the 403 if a request uses a preview feature without the header that opts in to it."""
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
