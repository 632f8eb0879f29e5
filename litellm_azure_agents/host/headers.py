"""Where the headers that LiteLLM hands over come from, and which of them are sent.

LiteLLM merges the headers of a deployment, of a request's body and of the HTTP request itself into
one mapping. Its copy of the body says which names the client gave. Newer versions leave the fields
``headers`` and ``provider_specific_header`` out of that copy and name them beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import litellm

from ..core.headers import ClientHeaders, clients, developers
from ..core.json_values import as_object, as_objects
from ..core.options import Options

_ADDED_PREFIX = "x-litellm-"


def headers_to_send(
    headers: Mapping[Any, Any], options: Options, litellm_params: Mapping[str, Any]
) -> dict[str, str]:
    """The headers of a call, checked. Raises `HeaderError` for one that may not be given."""
    if getattr(litellm, "proxy_auth", None) is not None:
        # LiteLLM adds its credential for another LiteLLM proxy to the headers of every call.
        headers = {n: v for n, v in headers.items() if str(n).lower() != "authorization"}
    request = litellm_params.get("proxy_server_request")
    if not isinstance(request, Mapping):
        return developers(headers)
    return clients(headers, _origin(request), options.allowed_headers or ())


def _origin(request: Mapping[str, Any]) -> ClientHeaders:
    body = as_object(request.get("body"))
    left_out = request.get("credential_fields") or ()
    known = {name.lower() for name in as_object(body.get("headers")) if isinstance(name, str)}
    adds_its_own = getattr(litellm, "add_user_information_to_llm_headers", None) is True
    return ClientHeaders(
        named=frozenset(_named(body)),
        doubtful=None if {"headers", "provider_specific_header"} & {*left_out} else known,
        forwarded=as_object(request.get("headers")),
        added_prefix=_ADDED_PREFIX if adds_its_own else None,
    )


def _named(body: Mapping[str, Any]) -> Iterator[str]:
    """Names of the headers in the fields of a body that only a client fills."""
    specific = body.get("provider_specific_header")
    entries = as_objects(specific) if isinstance(specific, list) else [as_object(specific)]
    for headers in (body.get("extra_headers"), *(entry.get("extra_headers") for entry in entries)):
        yield from (str(name).lower() for name in as_object(headers))
