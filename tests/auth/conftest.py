"""Every test of this folder begins with an empty cache of tokens, and its own clock."""

from __future__ import annotations

import pytest

from litellm_azure_agents.auth import cache as token_cache
from tests.support.credentials import Clock


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(token_cache, "clock", clock)
    token_cache._kept.clear()
    return clock
