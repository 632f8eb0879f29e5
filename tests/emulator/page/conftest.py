"""Fixtures of the page's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from litellm_azure_agents.emulator import Emulator

from .api import Page


@pytest.fixture
def page(emulator: Emulator) -> Iterator[Page]:
    client = Page(emulator)
    yield client
    client.http.close()
