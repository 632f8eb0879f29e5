"""Addresses that can't be bent from outside."""

from __future__ import annotations

import pytest

from litellm_azure_agents.core.endpoint import (
    Endpoint,
    check_agent,
    check_id,
    resolve_base,
    version_in,
)

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
BAD = ["../x", "a/b", "x?y", "a b", "a\nb", "", "a#b", "%2e%2e", "..", ".", "a\x00", "ü", "a" * 300,
       "a..b", "-x", "a\\b", "a;b", "a\r"]  # fmt: skip


@pytest.mark.parametrize("value", [*BAD, None, 7])
def test_bad_ids_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a valid id"):
        check_id(value, "thread_id")


@pytest.mark.parametrize("value", [*BAD, "a:b:c", "name:", ":1", "a:../b"])
def test_bad_agents_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="does not name an agent"):
        check_agent(value)


@pytest.mark.parametrize("value", ["asst_abc", "my-agent", "my-agent:3", "A.b_c", "gpt-4o"])
def test_good_agents_pass(value: str) -> None:
    assert check_agent(value) == value


@pytest.mark.parametrize(
    "given",
    [BASE, BASE + "/", f"  {BASE}//", BASE + "?", BASE + "?api-version=v1",
     BASE + "/?API-Version=v1", BASE + "#agents", BASE + "/?api-version=v1#agents",
     BASE + "/threads/runs?api-version=v1", BASE + "/assistants/asst_1/"],
)  # fmt: skip
def test_the_base_is_cleaned(given: str) -> None:
    assert resolve_base(given, {}) == BASE


@pytest.mark.parametrize(
    ("given", "version"),
    [(BASE, None), (BASE + "/?api-version=2025-05-01#x", "2025-05-01"),
     (BASE + "?Api-Version=v1", "v1"), (BASE + "?api-version=", None), (None, "v2")],
)  # fmt: skip
def test_the_version_of_a_whole_url(given: str | None, version: str | None) -> None:
    environment = {"AZURE_AI_PROJECT_ENDPOINT": BASE + "?api-version=v2"}
    assert version_in(given, environment) == version


def test_the_environment_names_the_base_in_order() -> None:
    both = {"AZURE_AI_API_BASE": BASE + "/1", "AZURE_AI_PROJECT_ENDPOINT": BASE + "/2"}
    assert resolve_base(None, both) == BASE + "/1"
    assert resolve_base(None, {"AZURE_AI_PROJECT_ENDPOINT": BASE + "/2/"}) == BASE + "/2"
    with pytest.raises(ValueError, match="AZURE_AI_PROJECT_ENDPOINT"):
        resolve_base(None, {})


@pytest.mark.parametrize("bad", ["acme.services.ai.azure.com", "ftp://x", BASE + "?a=b",
                                 "https://user:pw@host/p", "https://"])  # fmt: skip
def test_unusable_bases_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        resolve_base(bad, {})


def test_segments_are_encoded_and_the_version_always_sent() -> None:
    url = Endpoint(BASE).url("threads", "a/../b?c", "runs", query=[("limit", "5")])
    assert url == f"{BASE}/threads/a%2F..%2Fb%3Fc/runs?limit=5&api-version=v1"
    assert Endpoint(BASE, None).url("x") == f"{BASE}/x"
