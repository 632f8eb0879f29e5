"""Headers that tell a hosted agent its user; only the operator may set them (protocols B6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.headers import CLIENT_PREFIX, IDENTITY, well_formed
from ..core.options import Options
from .target import Target

FIELDS = {
    "key": "user_api_key_hash",
    "user": "user_api_key_user_id",
    "team": "user_api_key_team_id",
}
"""What identifies a caller -> the field of the proxy's metadata, which no client can set
(protocols D11)."""


def agent_headers(
    target: Target,
    options: Options,
    headers: Mapping[str, str],
    *,
    metadata: Any,
    request: Any,
) -> dict[str, str]:
    """The headers of a call: the endpoint's, the caller's, and the user's identity if wanted.

    ``metadata`` is the proxy's own (protocols D11), ``request`` the ``proxy_server_request``.
    Behind a proxy, identity headers of the request are dropped, since its client sent them. Raises
    ValueError if the operator wants an identity and the proxy has none, and for a header that can't
    be sent.
    """
    client: Mapping[str, Any] = {}
    given = dict(headers)
    if isinstance(request, Mapping):
        client = request.get("headers") or {}
        given = {n: v for n, v in given.items() if n.lower() not in IDENTITY}
    passed = {
        name: value
        for name, value in client.items()
        if str(name).lower().startswith(CLIENT_PREFIX) and not _has(given, name)
    }
    own = {name: value for name, value in target.headers.items() if not _has(given, name)}
    merged = {**own, **passed, **given}
    identity = _identity(options, metadata)
    if identity is not None:
        header = "x-agent-user-id" if target.style == "container" else "x-ms-user-identity"
        merged = {n: v for n, v in merged.items() if n.lower() not in IDENTITY}
        merged[header] = identity
    return well_formed(merged)


def _identity(options: Options, metadata: Any) -> str | None:
    if options.user_identity == "off":
        return None
    key = FIELDS[options.user_identity]
    value = metadata.get(key) if isinstance(metadata, Mapping) else None
    if not value:
        raise ValueError(
            f"user_identity is {options.user_identity!r}, but the proxy gives no {key} for this "
            "caller; without it the agent could not tell callers apart"
        )
    return str(value)


def _has(headers: Mapping[str, str], name: str) -> bool:
    return any(known.lower() == name.lower() for known in headers)
