"""Which of LiteLLM's dictionaries says who calls, and what a client can't put there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from litellm.proxy._types import UserAPIKeyAuth

from litellm_azure_agents.core.options import OptionError
from litellm_azure_agents.host.caller import authenticated, chat_ids, find_owner, owner_of_chats


def proxys(name: str) -> dict[str, Any]:
    """Metadata as the proxy makes it."""
    return {
        "user_api_key_hash": name,
        "user_api_key_user_id": name,
        "user_api_key_auth": UserAPIKeyAuth(api_key="sk-1", user_id=name),
    }


FORGED = {"user_api_key_hash": "eve", "user_api_key_auth": {"user_id": "eve"}}
LOGGING = SimpleNamespace(litellm_params={"litellm_metadata": proxys("ada")})


@pytest.mark.parametrize(
    ("litellm_params", "given", "logging"),
    [
        ({"metadata": proxys("ada")}, proxys("ada"), None),
        ({"metadata": FORGED, "litellm_metadata": proxys("ada")}, FORGED, None),
        ({"metadata": proxys("ada"), "litellm_metadata": FORGED}, FORGED, None),
        ({"metadata": None, "litellm_metadata": proxys("ada")}, None, None),
        ({"metadata": FORGED}, None, LOGGING),  # cancelling with LiteLLM 1.110
    ],
)
def test_the_proxys_own_is_found(litellm_params: Any, given: Any, logging: Any) -> None:
    found = authenticated(litellm_params, given, logging)
    assert found["user_api_key_hash"] == "ada"


def test_without_an_authentication_it_is_the_routes_own() -> None:
    given = {"user_api_key_hash": "ada"}
    assert authenticated({"litellm_metadata": FORGED}, given) == given
    assert authenticated({"litellm_metadata": FORGED}, None) == {}


def test_a_secret_may_come_from_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm.proxy.proxy_server as server

    monkeypatch.setattr(server, "master_key", None)
    with pytest.raises(OptionError, match="AZURE_AGENTS_SECRET"):
        find_owner("key", proxys("ada"))
    owners = []
    monkeypatch.setattr(server, "master_key", "sk-master")
    owners.append(find_owner("key", proxys("ada")))
    monkeypatch.setenv("LITELLM_SALT_KEY", "sk-salt")
    owners.append(find_owner("key", proxys("ada")))
    monkeypatch.setenv("AZURE_AGENTS_SECRET", "secret")
    owners.append(find_owner("key", proxys("ada")))
    assert len({owner.tag for owner in owners if owner}) == 3
    assert find_owner("off", {}) is None


def test_chats_of_different_callers_are_apart() -> None:
    names = ("user_api_key_hash", "user_api_key_user_id", "user_api_key_team_id",
             "user_api_key_end_user_id")  # fmt: skip
    assert len({owner_of_chats(m) for m in [{}, *({name: "x"} for name in names)]}) == 5


def test_a_clients_names_for_its_chat() -> None:
    request = {"headers": {"x-openwebui-chat-id": "1"}}
    params = {"proxy_server_request": request, "litellm_session_id": "2"}
    names = ["X-OpenWebUI-Chat-Id", "x-litellm-session-id", "metadata.session_id", "x-none"]
    assert chat_ids(names, params, {"session_id": 3}) == ["1", "2", "3", ""]
