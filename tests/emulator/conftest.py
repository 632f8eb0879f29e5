"""Fixtures of the emulator's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from litellm_azure_agents.emulator import Emulator, testing

from .browser import Browser
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


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """One browser window for the session."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser, emulator: Emulator) -> Iterator[Browser]:
    """The page, opened anew with a token; nothing in it may be refused or fail."""
    window.size(1280, 800)
    window.go("about:blank")
    window.go(emulator.url + "/#token=" + emulator.token)
    window.see("live", "#live")
    window.console()
    yield window
    assert window.console() == []
