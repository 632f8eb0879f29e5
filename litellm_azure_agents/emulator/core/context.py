"""What the middleware knows of a request and its routes need, carried in the ASGI scope."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

_KEY = "litellm_azure_agents.emulator"


@dataclass
class RequestContext:
    """One request. The request log sets the id, the faults set the rest."""

    request_id: str = ""
    run_lifetime: float | None = None
    """Seconds until a run that this request creates expires; None for the usual time."""
    hides_disconnect: bool = False
    """Whether a foreground response goes on when its client disconnects."""


def context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """The context of a request; an empty one is created where there is none."""
    context: RequestContext = scope.setdefault(_KEY, RequestContext())
    return context
