"""Who calls, as LiteLLM's proxy has authenticated him, and what he calls his chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.json_values import as_object, as_text

KEY, USER, TEAM = "user_api_key_hash", "user_api_key_user_id", "user_api_key_team_id"
"""Fields of LiteLLM's metadata that a client's metadata can't set (protocols D11)."""
_METADATA = "metadata."
_SESSION_HEADER = "x-litellm-session-id"


def owner_of_chats(metadata: Any) -> str:
    """Whose chats a thread store keeps apart, "" outside of a proxy with keys."""
    return as_text(as_object(metadata).get(KEY))


def chat_ids(names: Sequence[str], litellm_params: Mapping[str, Any], metadata: Any) -> list[str]:
    """What the client calls its chat, by each of the operator's ``names``.

    A name is that of a header, or ``metadata.<name>`` for the client's metadata.
    """
    request = as_object(litellm_params.get("proxy_server_request"))
    headers = {str(n).lower(): str(v) for n, v in as_object(request.get("headers")).items()}
    session = as_text(litellm_params.get("litellm_session_id"))
    if session:
        headers.setdefault(_SESSION_HEADER, session)
    found = []
    for name in names:
        if name.startswith(_METADATA):
            value = as_object(metadata).get(name.removeprefix(_METADATA))
        else:
            value = headers.get(name.lower())
        found.append("" if value is None else str(value))
    return found
