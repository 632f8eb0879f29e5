"""One local project: puts the parts together, and starts, resets and stops them."""

from __future__ import annotations

from dataclasses import dataclass

from .core.settings import Settings
from .core.store import Store
from .engine.services import Services
from .engine.toolbox import Interpreter, Toolbox
from .files.search import Index
from .files.vector_stores import VectorStores
from .middleware.faults import Faults
from .middleware.request_log import RequestLog
from .models.base import Model
from .responses.engine import Responses
from .seeds import seed
from .threads.engine import Runs


@dataclass
class Project:
    """Everything behind the routes. Build it with `open_project`."""

    settings: Settings
    store: Store
    index: Index
    vectors: VectorStores
    runs: Runs
    responses: Responses
    faults: Faults
    requests: RequestLog

    async def reset(self) -> None:
        """Return to the state of a fresh start on an empty store."""
        await self.halt()
        await self.vectors.shutdown()
        self.runs.clear()
        self.responses.clear()
        self.store.clear()
        self.faults.clear()
        self.requests.clear()
        seed(self.store)

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
    settings: Settings, model: Model, interpreter: Interpreter | None = None
) -> Project:
    """Open the store, fail the runs that a crash interrupted, and add the seeded agents."""
    store = Store(settings.data)
    index = Index(store)
    vectors = VectorStores(store, index, settings.indexing_delay)
    services = Services(settings, store, model, Toolbox(store, index, interpreter), vectors)
    runs, responses = Runs(services), Responses(services)
    runs.recover()
    responses.recover()
    vectors.resume()
    seed(store)
    return Project(settings, store, index, vectors, runs, responses, Faults(), RequestLog())
