"""The four kinds of endpoint that a new agent can have (protocols B1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from ..core.endpoint import Endpoint

Style = Literal["project", "agent", "application", "container"]

AGENT_API_VERSION = "v1"
"""For an agent's own endpoint, and for reading agents and their versions."""
APPLICATION_API_VERSION = "2025-11-15-preview"
FOUNDRY_FEATURES = (
    "WorkflowAgents=V1Preview,ExternalAgents=V1Preview,DraftAgents=V1Preview,"
    "AgentsOptimization=V2Preview"
)
"""Header by which the official SDK uses previews; without it some agents answer 403."""

_TAIL = re.compile(r"/responses$|/openai(?:/v1)?(?:/responses)?$")
_AGENT_PATH = re.compile(r"^(?P<project>.*)/agents/(?P<name>[^/]+)(?:/endpoint(?:/protocols)?)?$")
_APPLICATION_PATH = re.compile(
    r"^(?P<project>.*)/applications/(?P<name>[^/]+)(?:/endpoint)?(?:/protocols)?$"
)


@dataclass(frozen=True, slots=True)
class Target:
    """An agent and its endpoint."""

    style: Style
    name: str
    version: str | None
    endpoint: Endpoint
    """Under it are ``/responses`` and, at a project, ``/conversations``."""
    project: Endpoint | None = None
    """Under it are ``/agents``: where the definition can be read, if it can."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def url(self, *segments: str, query: Sequence[tuple[str, str]] | None = None) -> str:
        """The URL of ``/responses/…``."""
        return self.endpoint.url("responses", *segments, query=query)

    @property
    def reference(self) -> dict[str, Any]:
        """The body fields that name the agent; the other styles name it in the path."""
        if self.style != "project":
            return {}
        reference = {"type": "agent_reference", "name": self.name}
        if self.version:
            reference["version"] = self.version
        return {"agent_reference": reference}

    @property
    def definition_url(self) -> str | None:
        """The URL of the agent's definition, None if it can't be read."""
        if self.project is None:
            return None
        if self.version:
            return self.project.url("agents", self.name, "versions", self.version)
        return self.project.url("agents", self.name)

    @property
    def files(self) -> Endpoint | None:
        """Where ``/files`` and ``/containers`` are; None if there are none (protocols B1, B7)."""
        if self.style == "project":
            return self.endpoint
        if self.style == "agent" and self.project is not None:
            return self.project.openai
        return None

    @property
    def takes_settings(self) -> bool:
        """Whether the endpoint takes tools, instructions and the like with a call (protocols C)."""
        return self.style == "container"

    @property
    def is_stateless(self) -> bool:
        """Whether the endpoint keeps nothing between calls (published applications)."""
        return self.style == "application"


def resolve_target(
    base: str,
    agent: str,
    *,
    style: Style | None = None,
    api_version: str | None = None,
    pasted_version: str | None = None,
) -> Target:
    """The endpoint for ``base`` and ``style``. Raises ValueError if they contradict each other.

    ``pasted_version`` comes from a URL that was given whole. It counts where an api-version is
    needed; a project's ``/openai/v1`` takes none (protocols B1).
    """
    name, _, version = agent.partition(":")
    parts = urlsplit(base)
    origin, path = f"{parts.scheme}://{parts.netloc}", _TAIL.sub("", parts.path.rstrip("/"))
    of_agent, of_application = _AGENT_PATH.match(path), _APPLICATION_PATH.match(path)
    if style is None:
        style = _recognise(path, of_agent, of_application)
    if style == "container":
        plain = origin + parts.path.rstrip("/").removesuffix("/responses")
        return Target(style, name, version or None, Endpoint(plain, api_version))
    found = of_agent or of_application
    root = origin + (found["project"] if found else path)
    project = Endpoint(root, AGENT_API_VERSION)
    if style == "project":
        return Target(
            style, name, version or None, Endpoint(f"{root}/openai/v1", api_version), project
        )
    if style == "agent":
        if version:
            raise ValueError(
                f"the agent's own endpoint serves the version that it is set to; leave out "
                f"':{version}', or give the project endpoint as api_base"
            )
        if of_agent and unquote(of_agent["name"]) != name:
            raise ValueError(
                f"api_base is the endpoint of the agent {of_agent['name']!r}, the model names "
                f"{name!r}"
            )
        endpoint = Endpoint(
            project.url("agents", name, "endpoint", "protocols", "openai").partition("?")[0],
            api_version or pasted_version or AGENT_API_VERSION,
        )
        return Target(style, name, None, endpoint, project, {"Foundry-Features": FOUNDRY_FEATURES})
    if version:
        raise ValueError(
            f"a published application serves the version that was published; leave out ':{version}'"
        )
    published = unquote(of_application["name"]) if of_application else name
    endpoint = Endpoint(
        project.url("applications", published, "protocols", "openai").partition("?")[0],
        api_version or pasted_version or APPLICATION_API_VERSION,
    )
    return Target(style, name, None, endpoint)


def project_of(base: str) -> str:
    """The project that an endpoint belongs to: the base of an agent's own endpoint, of a published
    application's, or of ``/openai/v1``; any other one as it is."""
    parts = urlsplit(base)
    path = _TAIL.sub("", parts.path.rstrip("/"))
    found = _AGENT_PATH.match(path) or _APPLICATION_PATH.match(path)
    return f"{parts.scheme}://{parts.netloc}{found['project'] if found else path}"


def _recognise(
    path: str, of_agent: re.Match[str] | None, of_application: re.Match[str] | None
) -> Style:
    if not path:
        return "container"
    if of_agent:
        return "agent"
    return "application" if of_application else "project"
