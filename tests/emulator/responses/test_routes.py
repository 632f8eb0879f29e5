"""Routes of agents: traffic between versions, api-versions."""

from __future__ import annotations

from collections import Counter

from .client import Raw
from .support import VERSION


def test_traffic_is_shared_as_the_selector_says(raw: Raw) -> None:
    rules = [
        {"type": "FixedRatio", "agent_version": v, "traffic_percentage": share}
        for v, share in (("1", 30), ("2", 70))
    ]
    body = {"agent_endpoint": {"version_selector": {"version_selection_rules": rules}}}
    answer = raw.http.patch("/agents/echo", params=VERSION, json=body)
    assert answer.status_code == 200, answer.text
    path = "/agents/echo/endpoint/protocols/openai/responses"
    seen: Counter[str] = Counter()
    for _ in range(20):
        response = raw.post(path, {"input": "x"}, params=VERSION)
        seen[response["agent_reference"]["version"]] += 1
    assert set(seen) == {"1", "2"}
    assert 3 <= seen["1"] <= 9
    rules[0]["traffic_percentage"] = 20
    answer = raw.http.patch("/agents/echo", params=VERSION, json=body)
    assert answer.status_code == 400


def test_api_versions(raw: Raw) -> None:
    for path, params, code in (
        ("/agents", {}, "MissingApiVersionParameter"),
        ("/agents", {"api-version": "2025-05-01"}, "UnsupportedApiVersion"),
    ):
        answer = raw.http.get(path, params=params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    path = "/applications/echo/protocols/openai/responses"
    assert raw.refused({"input": "x"}, path=path + "?api-version=v1")
    assert raw.post(path + "?api-version=2025-11-15-preview", {"input": "x"})["store"] is False
