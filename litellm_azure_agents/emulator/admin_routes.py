"""Reset and seed over HTTP, for tests in another process: not a part of the service.

`POST {endpoint}/emulator/reset` with the project's token. The body may hold `agents` and `faults`,
as the files of `--agents` and `--faults` do; nothing happens unless all of it is in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .core.errors import bad_request
from .core.http import answer, project_of, read_body
from .core.store import Store
from .middleware.faults import Faults
from .seeds import seed_agents
from .seeds_new import named_versions, seed_new_agents
from .threads.schemas import Strict


class Reset(Strict):
    """The body of a reset."""

    agents: list[dict[str, Any]] = Field(default_factory=list)
    faults: list[dict[str, Any]] = Field(default_factory=list)


def routes() -> Sequence[BaseRoute]:
    """This group's routes."""
    return [Route("/emulator/reset", reset, methods=["POST"])]


async def reset(request: Request) -> Response:
    project = project_of(request)
    body = await read_body(request, Reset, optional=True)
    agents, faults = body.get("agents", []), body.get("faults", [])
    try:
        plant(Store(), Faults(), agents, faults)
    except (ValueError, TypeError) as error:
        raise bad_request(f"The emulator is not reset: {error}") from error
    await project.reset()
    plant(project.store, project.faults, agents, faults)
    return answer({"object": "emulator.reset", "agents": len(agents), "faults": len(faults)})


def plant(
    store: Store,
    rules: Faults,
    agents: Iterable[Mapping[str, Any]],
    faults: Iterable[Mapping[str, Any]],
) -> None:
    """Put in agents of both protocols, and fault rules."""
    given = list(agents)
    seed_agents(store, [agent for agent in given if "definition" not in agent])
    seed_new_agents(store, named_versions(agent for agent in given if "definition" in agent))
    for fault in faults:
        rules.add(**fault)
