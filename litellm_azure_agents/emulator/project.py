"""One local project: its store, its runs, and what routes share."""

from __future__ import annotations

from dataclasses import dataclass

from .core.settings import Settings
from .core.store import Store
from .engine.toolbox import Interpreter, Toolbox
from .files.search import Index
from .files.vector_stores import VectorStores
from .middleware.faults import Faults
from .middleware.request_log import RequestLog
from .models.base import Brain
from .responses.engine import Responses
from .seeds import seed_agents
from .seeds_new import seed_new_agents
from .threads.engine import Runs


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
