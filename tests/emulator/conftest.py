"""Fixtures of the emulator's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from litellm_azure_agents.emulator import Emulator, testing

from .wire import Wire

emulator_options = testing.emulator_options
emulator_server = testing.emulator_server
emulator = testing.emulator


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    """The project's routes on a fresh emulator."""
    client = Wire(emulator)
    yield client
    client.http.close()
