"""The project endpoint, agent names and ids -> URLs. Checks and encodes what comes from outside."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

API_VERSIONS = ("v1", "2025-05-01", "2025-05-15-preview")
"""Known versions of the classic protocol (protocols A1); the first is the default."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,255}")
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}(?::[A-Za-z0-9][A-Za-z0-9_.\-]{0,63})?")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_VERSION = "api-version"
_CLASSIC_RESOURCES = re.compile(r"(/api/projects/[^/]+)/(?:threads|assistants)(?:/.*)?$")
_BASE_VARIABLES = ("AZURE_AI_API_BASE", "AZURE_AI_PROJECT_ENDPOINT")


def check_id(value: object, what: str) -> str:
    """``value`` if it is a well-formed id. Raises ValueError if not."""
    if not isinstance(value, str) or not _ID.fullmatch(value) or ".." in value:
        raise ValueError(
            f"{what} {value!r} is not a valid id: ids have letters, digits, '_', '-' and '.' only"
        )
    return value


def check_agent(value: str) -> str:
    """``value`` if it is ``asst_…``, ``name`` or ``name:version``. Raises ValueError if not."""
    if not _AGENT.fullmatch(value) or ".." in value:
        raise ValueError(
            f"{value!r} does not name an agent: expected 'azure_ai/agents/<id>' with an id such as "
            "'asst_…', a name, or 'name:version'"
        )
    return value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Foundry project: base URL without a trailing slash, and the api-version of its calls."""

    base: str
    api_version: str | None = API_VERSIONS[0]

    def url(self, *segments: str, query: Sequence[tuple[str, str]] | None = None) -> str:
        """The URL of a resource. Encodes each segment, so that none can change the path."""
        path = "".join("/" + quote(segment, safe="") for segment in segments)
        pairs = [*(query or ())]
        if self.api_version:
            pairs.append(("api-version", self.api_version))
        return f"{self.base}{path}" + (f"?{urlencode(pairs, errors='replace')}" if pairs else "")

    @property
    def openai(self) -> Endpoint:
        """Where the project has its responses, conversations and their files (no api-version)."""
        return Endpoint(f"{self.base}/openai/v1", None)


def base_from_environment(environ: Mapping[str, str] = os.environ) -> str | None:
    """The endpoint in the environment variables, None if there is none."""
    return next((environ[n] for n in _BASE_VARIABLES if environ.get(n)), None)


def resolve_base(api_base: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The project endpoint from ``api_base`` or the environment. Raises ValueError if unusable.

    Whole URLs are taken too: `version_in` reads the api-version of their query, and a project's
    threads or agents at their end are left out.
    """
    base = api_base or base_from_environment(environ)
    if not base:
        raise ValueError(
            "no Foundry project endpoint: pass api_base="
            "'https://<account>.services.ai.azure.com/api/projects/<project>' or set "
            + " or ".join(_BASE_VARIABLES)
        )
    base = base.strip()
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.netloc and parts.port != 0
    except ValueError:  # brackets or a port that are none
        usable = False
    if not usable or _NOT_IN_URLS.search(base):
        raise ValueError(f"the project endpoint {base!r} is not an http(s) URL")
    other = [name for name, _ in parse_qsl(parts.query, True) if name.lower() != _VERSION]
    if other or parts.username:
        raise ValueError(
            "the project endpoint must not carry credentials, nor a query but for api-version"
        )
    path = _CLASSIC_RESOURCES.sub(r"\1", parts.path.rstrip("/"))
    return f"{parts.scheme}://{parts.netloc}{path}"


def version_in(api_base: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The api-version in the query of the endpoint that `resolve_base` reads, None if none."""
    query = urlsplit((api_base or base_from_environment(environ) or "").strip()).query
    return next((value for name, value in parse_qsl(query) if name.lower() == _VERSION), None)
