"""What the engines of both protocols work with."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.settings import Settings
from ..core.store import Store
from ..files.vector_stores import VectorStores
from ..models.base import Model
from .toolbox import Toolbox


@dataclass(frozen=True)
class Services:
    """The parts of a project that runs need."""

    settings: Settings
    store: Store
    model: Model
    toolbox: Toolbox
    vectors: VectorStores
