"""What all tests share: LiteLLM without network, the emulator, and the ways of making a call."""

from __future__ import annotations

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else LiteLLM's import asks the network
for name in list(os.environ):
    if name.startswith(("AZURE_", "OPENAI_", "LITELLM_MASTER")):
        del os.environ[name]

from collections.abc import Iterator

import litellm
import pytest

import litellm_azure_agents
from litellm_azure_agents.drivers.shared_replies import replies
from litellm_azure_agents.emulator.testing import *  # noqa: F403
from tests.support.ways import WAYS, Way

litellm.suppress_debug_info = True

STARTED_ONCE = {"proxy": "proxy", "hosted_agent": "hosted agent", "window": "browser"}
"""Fixtures of the session that start a process -> the group of the tests that use one."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, the tests of a group run in one worker: one proxy serves all."""
    for item in items:
        for fixture, group in STARTED_ONCE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(group))
                break


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail if pytest-xdist ignores the groups, as it does on pytest 9.2: each would start twice."""
    if not session.config.getoption("loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError("pytest-xdist ignores xdist_group: see pyproject.toml")


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The plugin is registered for every test, and LiteLLM given back after it."""
    litellm_azure_agents.register()
    yield
    litellm_azure_agents.unregister()


@pytest.fixture(autouse=True)
def no_shared_replies() -> None:
    """No test has what another one read: agents' definitions, uploads, files' names."""
    replies.clear()


@pytest.fixture(autouse=True)
def quick_retries() -> Iterator[None]:
    """Waits between retries are short: the tests say when a failure ends."""
    with pytest.MonkeyPatch.context() as patch:  # its own: tests rely on when theirs is undone
        patch.setattr("litellm_azure_agents.core.exchange.LOOKS", (0.0, 0.01))
        patch.setattr("litellm_azure_agents.core.exchange.RECOVERY_PATIENCE", 0.5)
        patch.setattr("litellm_azure_agents.host.arguments.PATIENCE", 0.5)
        yield


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """A way of making a call: sync or async, streamed or whole."""
    return Way(request.param)
