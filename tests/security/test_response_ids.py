"""LiteLLM's proxy checks whose a response is by the field `previous_response_id` alone."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from litellm_azure_agents.emulator import Emulator

PROXY = {"url": "http://proxy/v1/responses", "method": "POST", "headers": {}, "body": {}}


def respond(emulator: Emulator, **given: Any) -> Any:
    return litellm.responses(
        model="azure_ai/agents/echo",
        input="hello",
        api_base=emulator.endpoint,
        api_key=emulator.token,
        **given,
    )


@pytest.mark.parametrize(
    "alias",
    [
        {"thread_id": "resp_1"},
        {"conversation_id": "resp_1"},
        {"extra_body": {"previous_response_id": "resp_1"}},
        {"extra_body": {"thread_id": "resp_1"}},
        {"extra_body": {"conversation": "resp_1"}},
        {"extra_body": {"conversation": {"id": "resp_1"}}},
    ],
)
def test_no_other_name_goes_round_the_check(emulator: Emulator, alias: dict[str, Any]) -> None:
    with pytest.raises(litellm.BadRequestError, match="previous_response_id"):
        respond(emulator, proxy_server_request=PROXY, **alias)
    assert not emulator.requests


def test_conversations_are_not_meant(emulator: Emulator) -> None:
    with pytest.raises(litellm.NotFoundError, match="conv_000000000000000000000000"):
        respond(emulator, proxy_server_request=PROXY, thread_id="conv_000000000000000000000000")


def test_a_developer_may_use_any_name(emulator: Emulator) -> None:
    """The service is asked, which knows no such response."""
    with pytest.raises(litellm.BadRequestError, match="previous_response_not_found"):
        respond(emulator, thread_id="resp_000000000000000000000000")
    assert emulator.requests
