"""The users of a proxy under test, by LiteLLM's hook ``custom_auth``: its own keys need a database.

The proxy looks for this file beside its configuration, so it imports nothing of the tests.
"""

from __future__ import annotations

from typing import Any

from litellm.proxy._types import LitellmUserRoles, UserAPIKeyAuth

USERS = {"sk-ada": ("ada", "blue"), "sk-bob": ("bob", "blue"), "sk-nobody": (None, None)}
"""Key -> user and team."""


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:
    """Who has this key; any other one is taken for the master key."""
    if api_key not in USERS:
        return UserAPIKeyAuth(api_key=api_key, user_role=LitellmUserRoles.PROXY_ADMIN)
    user, team = USERS[api_key]
    return UserAPIKeyAuth(api_key=api_key, user_id=user, team_id=team)
