"""Who calls, as LiteLLM's proxy has authenticated him, and what he calls his chat."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ..continuity.isolation import owner_of
from ..core.json_values import as_object, as_text
from ..core.options import OptionError
from ..core.owner import Owner
from ..responses.identity import FIELDS

_END_USER = "user_api_key_end_user_id"
_AUTHENTICATION = "user_api_key_auth"
_MASTER_KEY = "litellm_proxy_master_key"
"""What LiteLLM has for the hash of its master key."""
_SECRETS = ("AZURE_AGENTS_SECRET", "LITELLM_SALT_KEY", "LITELLM_MASTER_KEY")
_METADATA = "metadata."
_SESSION_HEADER = "x-litellm-session-id"


def authenticated(
    litellm_params: Mapping[str, Any], given: Any = None, logging: Any = None
) -> Mapping[str, Any]:
    """The metadata in which the proxy says who calls.

    Which of LiteLLM's dictionaries that is differs by route and version, and the others may be the
    client's. The proxy's has the object of the authentication, which no request body can have. If
    none has, it is ``given``, where the route's own metadata is.
    """
    logged = as_object(getattr(logging, "litellm_params", None))
    names = ("litellm_metadata", "metadata")
    found = [given, *(litellm_params.get(n) for n in names), *(logged.get(n) for n in names)]
    for metadata in found:
        if _is_authentication(as_object(metadata).get(_AUTHENTICATION)):
            return as_object(metadata)
    return as_object(given)


def _is_authentication(value: Any) -> bool:
    return isinstance(value, BaseModel) and type(value).__name__ == "UserAPIKeyAuth"


# -- isolation ---------------------------------------------------------------------------------


def find_owner(mode: str, metadata: Mapping[str, Any]) -> Owner | None:
    """To whom belongs what the caller makes; None if isolation is off. Raises OptionError."""
    if mode == "off":
        return None
    name = FIELDS[mode]
    identity = as_text(metadata.get(name))
    if not identity or metadata.get(FIELDS["key"]) == _MASTER_KEY:
        who = "the master key is nobody's" if identity else f"the proxy gives no {name}"
        raise OptionError(
            f"thread_isolation is {mode!r}, but {who}: without an identity nobody could tell whose "
            f"a thread is. Call a proxy with a key that has a {mode if mode != 'key' else 'hash'}",
            "thread_isolation",
        )
    return owner_of(mode, identity, _secret())


def _secret() -> str:
    """What all workers and replicas of a proxy have in common, and no caller knows."""
    found = next((os.environ[n] for n in _SECRETS[:2] if os.environ.get(n)), "")
    # As the proxy has read it from its configuration; a script doesn't pay for the import.
    proxy = sys.modules.get("litellm.proxy.proxy_server")
    found = found or as_text(getattr(proxy, "master_key", None)) or os.environ.get(_SECRETS[2], "")
    if not found:
        raise OptionError(
            "thread_isolation needs a secret that all workers share: set " + " or ".join(_SECRETS),
            "thread_isolation",
        )
    return found


# -- chats -------------------------------------------------------------------------------------


def owner_of_chats(metadata: Mapping[str, Any]) -> str:
    """Whose chats a thread store keeps apart; of no one outside of a proxy with keys."""
    return repr([metadata.get(name) for name in (*FIELDS.values(), _END_USER)])


def chat_ids(
    names: Sequence[str], litellm_params: Mapping[str, Any], metadata: Mapping[str, Any]
) -> list[str]:
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
            value = metadata.get(name.removeprefix(_METADATA))
        else:
            value = headers.get(name.lower())
        found.append("" if value is None else str(value))
    return found
