"""The agents of a Foundry project, of both kinds, and a proxy's configuration for them.

>>> from litellm_azure_agents import agents
>>> for agent in agents.list(api_base="https://…"):  # doctest: +SKIP
...     print(agent.id, agent.model)

Each function that asks the service has an async twin with an ``a`` before its name, takes the
arguments of `connect`, and raises LiteLLM's exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .core import errors
from .core.actions import Actions, Gather, Job
from .core.endpoint import Endpoint, check_agent
from .core.exchange import read, read_all
from .core.json_values import Json, JsonObject, as_object, as_objects, as_text
from .drivers.connection import Connection, Requests
from .host.connection import connect

__all__ = ["Agent", "alist", "ashow", "list", "proxy_config", "show"]

Kind = Literal["classic", "new"]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent; ``raw`` is the service's own object (of a new agent, with its latest version)."""

    id: str
    """What model strings name: ``asst_…`` of a classic agent, the name of a new one."""
    kind: Kind
    name: str
    version: str | None = None
    """Of new agents: the version that was asked for, else the latest."""
    model: str | None = None
    description: str = ""
    tools: tuple[str, ...] = ()
    """The types of its tools; functions by their names."""
    raw: JsonObject = field(default_factory=dict, repr=False)

    @property
    def model_string(self) -> str:
        """The name for ``litellm.completion(model=…)``."""
        return f"azure_ai/agents/{self.id}"


def list(*, kind: Kind | None = None, **connection: Any) -> Sequence[Agent]:
    """The project's agents, classic ones first; of one kind if given."""
    at = connect(**connection)
    found: Sequence[Agent] = at.perform(_list(at, kind))
    return found


async def alist(*, kind: Kind | None = None, **connection: Any) -> Sequence[Agent]:
    """As `list`."""
    at = connect(**connection)
    found: Sequence[Agent] = await at.aperform(_list(at, kind))
    return found


def show(agent: str, **connection: Any) -> Agent:
    """One agent: ``asst_…``, ``name`` or ``name:version``."""
    at = connect(**connection)
    found: Agent = at.perform(_show(at, agent))
    return found


async def ashow(agent: str, **connection: Any) -> Agent:
    """As `show`."""
    at = connect(**connection)
    found: Agent = await at.aperform(_show(at, agent))
    return found


def proxy_config(agents: Iterable[Agent], *, api_base: str) -> JsonObject:
    """The configuration of a LiteLLM proxy that serves ``agents``, ready to be written as YAML.

    An agent is served under its name. Where two have the same, the later ones get their kind or
    number added.
    """
    models, taken = [], set[str]()
    for agent in agents:
        base = name = re.sub(r"[^\w.-]+", "-", agent.name or agent.id).strip("-").lower()
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{agent.kind}" if number == 2 else f"{base}-{number}"
        taken.add(name)
        params = {"model": agent.model_string, "api_base": api_base}
        models.append({"model_name": name, "litellm_params": params})
    handler = {"provider": "azure_agents", "custom_handler": "litellm_azure_agents.proxy.handler"}
    return {"model_list": models, "litellm_settings": {"custom_provider_map": [handler]}}


# -- jobs --------------------------------------------------------------------------------------


def _list(at: Connection, kind: Kind | None) -> Job:
    def run() -> Actions[Sequence[Agent]]:
        if kind is not None:
            return (yield from _of_kind(at, kind))
        results = yield Gather([_of_kind(at, "classic"), _of_kind(at, "new")])
        # A project that has no such route has no agents of the kind: classic ones retire.
        found = [result for result in results if not isinstance(result, errors.NotFoundError)]
        for result in found or results:
            if isinstance(result, Exception):
                raise result
        return [agent for result in found for agent in result]

    return Requests(run())


def _of_kind(at: Connection, kind: Kind) -> Actions[Sequence[Agent]]:
    endpoint, path = (
        (at.call.endpoint, "assistants") if kind == "classic" else (_new_agents(at), "agents")
    )
    items = yield from read_all(
        at.call,
        lambda query: endpoint.url(path, query=query),
        doing=f"list the {kind} agents",
    )
    return [_classic(item) if kind == "classic" else _new(item) for item in items]


def _show(at: Connection, agent: str) -> Job:
    try:
        check_agent(agent)
    except ValueError as error:
        raise errors.bad_request(at.call.context, str(error), param="agent") from None
    doing = f"read the agent {agent}"

    def run() -> Actions[Agent]:
        if agent.startswith("asst_"):
            url = at.call.endpoint.url("assistants", agent)
            return _classic((yield from read(at.call, url, doing=doing)))
        name, _, version = agent.partition(":")
        path = ("agents", name, "versions", version) if version else ("agents", name)
        url = _new_agents(at).url(*path)
        return _new((yield from read(at.call, url, doing=doing, having=("name",))))

    return Requests(run())


def _new_agents(at: Connection) -> Endpoint:
    return Endpoint(at.call.endpoint.base, "v1")


def _classic(item: JsonObject) -> Agent:
    id = as_text(item.get("id"))
    return Agent(
        id=id,
        kind="classic",
        name=as_text(item.get("name")) or id,
        model=as_text(item.get("model")) or None,
        description=as_text(item.get("description")),
        tools=_tools(item),
        raw=item,
    )


def _new(item: JsonObject) -> Agent:
    """An agent with its latest version, or a version."""
    latest = as_object(as_object(item.get("versions")).get("latest"))
    version = latest or item
    definition = as_object(version.get("definition"))
    name = as_text(item.get("name"))
    number = as_text(version.get("version")) or None
    return Agent(
        id=name if latest or number is None else f"{name}:{number}",
        kind="new",
        name=name,
        version=number,
        model=as_text(definition.get("model")) or None,
        description=as_text(version.get("description")),
        tools=_tools(definition) or _own_kind(definition),
        raw=item,
    )


def _tools(definition: Json) -> tuple[str, ...]:
    names = []
    for tool in as_objects(definition.get("tools")):
        own = as_text(as_object(tool.get("function")).get("name")) or as_text(tool.get("name"))
        label = as_text(tool.get("server_label"))
        names.append(own or (f"mcp:{label}" if label else as_text(tool.get("type"))))
    return tuple(names)


def _own_kind(definition: Json) -> tuple[str, ...]:
    """What stands for the tools of an agent that has no prompt: hosted, workflow …"""
    kind = as_text(definition.get("kind"))
    return (f"({kind})",) if kind not in ("", "prompt") else ()
