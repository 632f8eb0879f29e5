"""Agents with tools of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator

from .client import Raw

VERSION = {"api-version": "v1"}


@pytest.fixture
def raw(emulator: Emulator) -> Iterator[Raw]:
    client = Raw(emulator)
    yield client
    client.http.close()


def make(raw: Raw, name: str, **definition: Any) -> None:
    body = {"definition": {"kind": "prompt", "model": "m", **definition}}
    raw.post(f"/agents/{name}/versions", body, params=VERSION)
