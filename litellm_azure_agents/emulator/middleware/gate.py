"""Checks of every request: host name, bearer token, size of the body."""

from __future__ import annotations

import hmac
import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import ApiError
from ..core.settings import Settings

PROJECTS = "/api/projects/"


class GateMiddleware:
    """Requires a bearer token below `/api/projects/` and bounds bodies."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PROJECTS):
            await self.app(scope, receive, send)
            return
        try:
            check_host(self.settings, scope)
            check_token(self.settings, scope)
            limit = self._body_limit(scope)
        except ApiError as error:
            await JSONResponse(error.body(), error.status, error.headers)(scope, receive, send)
            return
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, bounded, send)

    def _body_limit(self, scope: Scope) -> int:
        content_type = dict(scope["headers"]).get(b"content-type", b"")
        upload = content_type.startswith(b"multipart/")
        limit = self.settings.max_upload_bytes if upload else self.settings.max_body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        return limit


def check_host(settings: Settings, scope: Scope) -> None:
    """Raise the 403 for a host name that is not this emulator's (DNS rebinding)."""
    allowed = settings.allowed_hosts
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    if allowed is not None and name.lower() not in allowed:
        raise ApiError(403, f"This emulator is not {name!r}: it is on loopback only.")


def check_token(settings: Settings, scope: Scope) -> None:
    """Raise the 401 if the bearer token is missing or wrong."""
    header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    expected = settings.token
    if scheme.lower() != "bearer" or not token:
        message = "Access denied: a bearer token is required in the Authorization header."
    elif expected is not None and not hmac.compare_digest(token.encode(), expected.encode()):
        message = "Access denied due to an invalid or expired token."
    else:
        return
    raise ApiError(
        401,
        message,
        type="authentication_error",
        code="Unauthorized",
        headers={"www-authenticate": "Bearer"},
    )


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"The request body is larger than {limit} bytes.")
