"""LiteLLM's first call in a process takes seconds; no test's clock should run meanwhile."""

from __future__ import annotations

import asyncio

import litellm
import pytest

import litellm_azure_agents
from litellm_azure_agents.emulator import Emulator


@pytest.fixture(scope="package", autouse=True)
def _warm(emulator_server: Emulator) -> None:
    litellm_azure_agents.register()
    for agent in ("asst_echo", "echo"):
        arguments = {
            "model": f"azure_ai/agents/{agent}",
            "messages": [{"role": "user", "content": "hello"}],
            "api_base": emulator_server.endpoint,
            "api_key": emulator_server.token,
        }
        litellm.completion(**arguments)
        list(litellm.completion(stream=True, **arguments))
        asyncio.run(litellm.acompletion(**arguments))
    litellm_azure_agents.unregister()


@pytest.fixture(autouse=True)
def quick_retries() -> None:
    """The package's own patience counts here."""
