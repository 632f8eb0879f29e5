"""Reset and seed over HTTP, for tests in another process. Not a part of the service.

`POST {endpoint}/emulator/reset` with the project's token. The body may hold `agents` and `faults`,
as the files of `--agents` and `--faults` do. A wrong one is refused, and nothing is reset.
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
from .core.schemas import Strict
from .core.store import Store
from .middleware.faults import Faults
from .seeds import add_agents


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
        _add(Store(), Faults(), agents, faults)
    except (ValueError, TypeError) as error:
        raise bad_request(f"The emulator is not reset: {error}") from error
    await project.reset()
    _add(project.store, project.faults, agents, faults)
    return answer({"object": "emulator.reset", "agents": len(agents), "faults": len(faults)})


def _add(
    store: Store,
    rules: Faults,
    agents: Iterable[Mapping[str, Any]],
    faults: Iterable[Mapping[str, Any]],
) -> None:
    add_agents(store, agents)
    for fault in faults:
        rules.add(**fault)
