"""pytest fixtures: `from litellm_azure_agents.emulator.testing import *` in a conftest.py.

`emulator_server` runs for the whole session; `emulator` is the same one, emptied before each test.
Override `emulator_options` (session scope) to give arguments to `Emulator`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .sdk import LocalCredential, client_options
from .server import Emulator

__all__ = [
    "LocalCredential",
    "client_options",
    "emulator",
    "emulator_options",
    "emulator_server",
]


@pytest.fixture(scope="session")
def emulator_options() -> dict[str, Any]:
    """Arguments of the session's `Emulator`."""
    return {}


@pytest.fixture(scope="session")
def emulator_server(emulator_options: dict[str, Any]) -> Iterator[Emulator]:
    """One emulator for the session."""
    with Emulator(**emulator_options) as running:
        yield running


@pytest.fixture
def emulator(emulator_server: Emulator) -> Emulator:
    """The session's emulator, as if just started."""
    emulator_server.reset()
    return emulator_server
