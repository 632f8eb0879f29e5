"""A project's connection by LiteLLM's arguments and settings, for requests beside completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import litellm

from ..core import errors
from ..core.call import Call, read_limits
from ..core.endpoint import API_VERSIONS, Endpoint, resolve_base, version_in
from ..core.headers import HeaderError, developers, merged
from ..drivers.connection import Connection, open_connection
from ..drivers.pool import HttpSettings
from ..responses.target import project_of
from .names import BUILTIN


def http_settings() -> HttpSettings:
    """LiteLLM's public settings for HTTP."""
    return HttpSettings(
        litellm.client_session,
        litellm.aclient_session,
        litellm.ssl_verify,
        aiohttp=not litellm.disable_aiohttp_transport,
    )


def connect(
    *,
    api_base: str | None = None,
    api_version: str | None = None,
    azure_scope: str | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
    protocol: Literal["threads", "responses"] = "threads",
    **credentials: Any,
) -> Connection:
    """A connection by the arguments and environment variables that completions take, too.

    ``credentials`` are `api_key`, `credential` and the others of `resolve_token_source`.
    ``protocol="responses"`` connects to the files of new agents, under ``/openai/v1``. Of an
    agent's own endpoint, the project is taken. Raises BadRequestError and AuthenticationError.
    """
    context = errors.Context(model=api_base or "", provider=BUILTIN, agent="")
    try:
        base, pasted = project_of(resolve_base(api_base)), version_in(api_base)
    except ValueError as error:
        raise errors.bad_request(context, str(error)) from None
    context = errors.Context(model=base, provider=BUILTIN, agent="")
    endpoint = Endpoint(base, api_version or pasted or API_VERSIONS[0])
    if protocol == "responses":
        endpoint = Endpoint(f"{base}/openai/v1", api_version)
    seconds, retries = read_limits(context, timeout, max_retries)
    try:
        headers = developers(extra_headers or {})
    except HeaderError as error:
        raise errors.bad_request(context, str(error), param="extra_headers") from None
    call = Call(
        agent="",
        endpoint=endpoint,
        context=context,
        timeout=seconds,
        max_retries=retries,
        headers=merged(headers, {"Accept": "application/json"}),
    )
    return open_connection(call, http_settings(), scope=azure_scope, **credentials)
