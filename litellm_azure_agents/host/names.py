"""Which model strings name an agent."""

from __future__ import annotations

PROVIDER = "azure_agents"
"""Our provider in LiteLLM: ``azure_agents/<agent>``."""
BUILTIN = "azure_ai"
"""LiteLLM's own provider for Foundry, whose route ``azure_ai/agents/<agent>`` we serve."""
ROUTE = "agents/"
"""What a model of the provider ``azure_ai`` begins with when it names an agent."""
_PREFIXES = (f"{BUILTIN}/{ROUTE}", f"{PROVIDER}/", ROUTE)


def agent_in(model: object, provider: object = None) -> str | None:
    """The agent that ``model`` names, None if it names a model.

    ``provider`` is LiteLLM's, where it is known: LiteLLM has taken it off ``model`` then.
    """
    text = str(model or "")
    if provider in (None, BUILTIN, PROVIDER):
        for prefix in _PREFIXES:
            if text.startswith(prefix):
                return text.removeprefix(prefix)
    return text if provider == PROVIDER else None
