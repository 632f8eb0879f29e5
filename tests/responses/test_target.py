"""Where the requests of a new agent go."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_azure_agents.responses.target import project_of, resolve_target
from tests.support.new_agent import AGENT, APPLICATION, PROJECT, PUBLISHED


@pytest.mark.parametrize(
    ("base", "agent", "options", "style", "url"),
    [
        (PROJECT, "bob", {}, "project", f"{PROJECT}/openai/v1/responses"),
        (f"{PROJECT}/openai/v1", "bob", {}, "project", f"{PROJECT}/openai/v1/responses"),
        (PROJECT, "bob", {"api_version": "x"}, "project",
         f"{PROJECT}/openai/v1/responses?api-version=x"),
        (PROJECT, "bob", {"style": "agent"}, "agent", f"{AGENT}/responses?api-version=v1"),
        (AGENT, "bob", {}, "agent", f"{AGENT}/responses?api-version=v1"),
        (f"{PROJECT}/agents/bob", "bob", {}, "agent", f"{AGENT}/responses?api-version=v1"),
        (f"{AGENT}/responses", "bob", {}, "agent", f"{AGENT}/responses?api-version=v1"),
        (AGENT, "bob", {"style": "project"}, "project", f"{PROJECT}/openai/v1/responses"),
        (APPLICATION, "any", {}, "application", PUBLISHED),
        (PROJECT, "shop", {"style": "application"}, "application", PUBLISHED),
        ("http://127.0.0.1:8088", "bob", {}, "container", "http://127.0.0.1:8088/responses"),
        ("http://127.0.0.1:8088/responses", "bob", {"style": "container"}, "container",
         "http://127.0.0.1:8088/responses"),
        ("https://gw.test/agents/one", "bob", {"style": "container"}, "container",
         "https://gw.test/agents/one/responses"),
    ],
)  # fmt: skip
def test_addresses(base: str, agent: str, options: Any, style: str, url: str) -> None:
    target = resolve_target(base, agent, **options)
    assert (target.style, target.url()) == (style, url)
    assert bool(target.reference) == (style == "project")
    assert ("Foundry-Features" in target.headers) == (style == "agent")


def test_where_the_definition_is() -> None:
    assert resolve_target(PROJECT, "bob:2").definition_url == (
        f"{PROJECT}/agents/bob/versions/2?api-version=v1"
    )
    assert resolve_target(AGENT, "bob").definition_url == f"{PROJECT}/agents/bob?api-version=v1"
    assert resolve_target(APPLICATION, "bob").definition_url is None
    assert resolve_target("http://c.test", "bob").definition_url is None


@pytest.mark.parametrize(
    ("base", "agent"), [(AGENT, "eve"), (AGENT, "bob:2"), (APPLICATION, "bob:2")]
)
def test_an_agents_endpoint_serves_that_agent(base: str, agent: str) -> None:
    with pytest.raises(ValueError, match=r"eve|version"):
        resolve_target(base, agent)


@pytest.mark.parametrize(
    "base",
    [PROJECT, f"{PROJECT}/openai/v1", AGENT, f"{AGENT}/responses", APPLICATION],
)
def test_the_project_of_an_endpoint(base: str) -> None:
    assert project_of(base) == PROJECT


@pytest.mark.parametrize("base", ["https://gw.test/foundry", "http://127.0.0.1:8088"])
def test_an_endpoint_of_another_form_is_its_own_project(base: str) -> None:
    assert project_of(base) == base
