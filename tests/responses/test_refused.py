"""Fields that the service refuses, and the headers of an identity."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_azure_agents.core.actions import Reply
from litellm_azure_agents.core.options import Options
from litellm_azure_agents.responses import refused
from litellm_azure_agents.responses.identity import agent_headers
from litellm_azure_agents.responses.target import resolve_target
from tests.support.new_agent import PROJECT


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        ({"message": "Not allowed when agent is specified.", "param": "text"}, ["text"]),
        ({"message": "Invalid payload", "param": None, "details": [
            {"message": "Not allowed when agent is specified.", "param": "temperature"},
            {"message": "Not allowed when agent is specified.", "param": "reasoning.effort"}]},
         ["temperature", "reasoning"]),
        ({"message": "Model must match the agent's model 'm' when agent is specified.",
          "param": "model"}, ["model"]),
        ({"message": "Not allowed", "param": "x"}, []),
    ],
)  # fmt: skip
def test_refused_fields_in_an_answer(error: Any, fields: list[str]) -> None:
    reply = Reply(400, {}, json.dumps({"error": error}).encode())
    assert refused.fields_in(reply) == fields


def test_the_table_says_what_is_refused_and_who_says_so() -> None:
    assert {"instructions", "temperature", "top_p", "tools", "text", "reasoning"} == refused.REFUSED
    assert refused.NEXT_TO_AGENT["tool_choice"].rule == "passes"
    assert all(field.source for field in refused.NEXT_TO_AGENT.values())


IDENTITY = {"user_api_key_hash": "h", "user_api_key_team_id": "t"}


@pytest.mark.parametrize(
    ("base", "option", "request_", "headers", "expected"),
    [
        (PROJECT, "off", None, {"x-ms-user-identity": "u"}, {"x-ms-user-identity": "u"}),
        (PROJECT, "off", {}, {"X-Ms-User-Identity": "u", "a": "b"}, {"a": "b"}),
        (PROJECT, "key", {}, {"x-ms-user-identity": "u"}, {"x-ms-user-identity": "h"}),
        ("http://c.test", "team", {}, {}, {"x-agent-user-id": "t"}),
        (PROJECT, "off", {"headers": {"X-Client-A": "1", "cookie": "c"}}, {}, {"X-Client-A": "1"}),
    ],
)
def test_identity_headers(
    base: str, option: Any, request_: Any, headers: Any, expected: dict[str, str]
) -> None:
    got = agent_headers(
        resolve_target(base, "bob"),
        Options(user_identity=option),
        headers,
        metadata=IDENTITY,
        request=request_,
    )
    assert got == expected


def test_an_identity_that_is_not_known_is_no_shared_one() -> None:
    with pytest.raises(ValueError, match="user_api_key_user_id"):
        agent_headers(
            resolve_target(PROJECT, "bob"),
            Options(user_identity="user"),
            {},
            metadata=IDENTITY,
            request={},
        )
