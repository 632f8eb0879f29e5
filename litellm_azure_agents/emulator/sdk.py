"""Options for Microsoft's own clients, which refuse to send bearer tokens over plain http.

    AgentsClient(endpoint=emulator.endpoint, **client_options(emulator.token))
    AIProjectClient(endpoint=emulator.endpoint, **client_options(emulator.token))

The same options work for the clients in the `aio` modules. azure-core's bearer policy insists on
https; its key policy, given the Authorization header, sends the very same header over http.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

TOKEN_LIFETIME = 3600


class LocalCredential:
    """A TokenCredential that always gives one token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """The token, for any scope."""
        from azure.core.credentials import AccessToken

        return AccessToken(self._token, int(time.time()) + TOKEN_LIFETIME)


def client_options(token: str) -> dict[str, Any]:
    """Keyword arguments `credential` and `authentication_policy` for an Azure client."""
    from azure.core.credentials import AzureKeyCredential
    from azure.core.pipeline.policies import AzureKeyCredentialPolicy

    policy = AzureKeyCredentialPolicy(AzureKeyCredential(token), "Authorization", prefix="Bearer")
    return {"credential": LocalCredential(token), "authentication_policy": policy}
