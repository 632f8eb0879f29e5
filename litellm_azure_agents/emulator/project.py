"""One local project: its store, its runs, and what routes share."""

from __future__ import annotations

from dataclasses import dataclass

from .brain import Brain
from .faults import Faults
from .request_log import RequestLog
from .responses import Responses
from .runs import Runs
from .search import Index
from .seeds import seed_agents
from .seeds_new import seed_new_agents
from .settings import Settings
from .store import Store
from .toolbox import Interpreter, Toolbox
from .vectors import VectorStores


@dataclass
class Project:
    """Everything behind the routes. Build it with `open_project`."""

    settings: Settings
    store: Store
    index: Index
    toolbox: Toolbox
    vectors: VectorStores
    brain: Brain
    runs: Runs
    responses: Responses
    faults: Faults
    requests: RequestLog

    async def reset(self) -> None:
        """As if just started on an empty store."""
        await self.halt()
        await self.vectors.shutdown()
        self.runs.active.clear()
        self.runs.recent.clear()
        self.responses.clear()
        self.store.clear()
        self.faults.clear()
        self.requests.clear()
        seed_agents(self.store)
        seed_new_agents(self.store)

    async def halt(self) -> None:
        """End all runs, responses and streams."""
        await self.runs.shutdown()
        await self.responses.shutdown()

    async def close(self) -> None:
        """Stop runs and streams and close the store."""
        await self.halt()
        await self.vectors.shutdown()
        self.store.close()


def open_project(
    settings: Settings, brain: Brain, interpreter: Interpreter | None = None
) -> Project:
    """Open the store, fail what a crash interrupted, put in the agents that are always there."""
    store = Store(settings.data)
    index = Index(store)
    vectors = VectorStores(store, index, settings.indexing_delay)
    toolbox = Toolbox(store, index, interpreter)
    runs = Runs(store, brain, toolbox, vectors, settings)
    responses = Responses(store, brain, toolbox, vectors, settings)
    runs.recover()
    responses.recover()
    vectors.resume()
    seed_agents(store)
    seed_new_agents(store)
    return Project(
        settings, store, index, toolbox, vectors, brain, runs, responses, Faults(), RequestLog()
    )
