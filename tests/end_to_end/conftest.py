"""What is started once for all tests of this folder: a hosted agent, and one LiteLLM proxy."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest

from litellm_azure_agents.emulator import Emulator
from tests.support import hosting
from tests.support.litellm_proxy import KEY, running_proxy

TOKEN = "the-deployments-token"
ROUTES = ("azure_ai/agents/", "azure_agents/")
PROJECT_MODELS = {
    "echo": "azure_ai/agents/asst_echo",
    "echo-too": "azure_agents/asst_echo",
    "weather": "azure_ai/agents/asst_weather",
    "chain": "azure_agents/asst_chain",
    "fail": "azure_ai/agents/asst_fail",
    "fail-too": "azure_agents/asst_fail",
    **{
        route + agent: route + agent
        for route in ROUTES
        for agent in ("asst_search", "asst_code", "code", "web", "workflow")
    },
}
"""The proxy's names of the emulator's agents."""
HOSTED_MODELS = {
    "toy": {"model": "azure_ai/agents/toy"},
    "toy-too": {"model": "azure_agents/toy"},
    "known": {"model": "azure_ai/agents/toy", "user_identity": "key"},
}
"""The proxy's names of the hosted agent; with ``known``, it learns who the user is."""


@pytest.fixture(scope="session")
def hosted_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the agent of `hosted_agent.py`, on the real hosting SDK."""
    with hosting.agent(tmp_path_factory.mktemp("agent")) as url:
        yield url


@pytest.fixture(scope="session")
def project() -> Iterator[Emulator]:
    """The project behind the proxy."""
    with Emulator(token=TOKEN) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def proxy(
    project: Emulator, hosted_agent: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a LiteLLM proxy with two worker processes."""
    where = {"api_base": project.endpoint, "api_key": TOKEN}
    deployments = {name: {"model": model, **where} for name, model in PROJECT_MODELS.items()}
    deployments |= {name: {"api_base": hosted_agent, **p} for name, p in HOSTED_MODELS.items()}
    handler = {
        "provider": "azure_agents", "custom_handler": "litellm_azure_agents.proxy.handler"
    }  # fmt: skip
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": parameters}
            for name, parameters in deployments.items()
        ],
        "litellm_settings": {"custom_provider_map": [handler]},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    with running_proxy(tmp_path_factory.mktemp("proxy"), config, workers=2) as url:
        yield url


@pytest.fixture(scope="session")
def client(proxy: str) -> openai.OpenAI:
    """A client whose every request may reach another worker: no connection is kept."""
    http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=120)
    return openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0, http_client=http)
