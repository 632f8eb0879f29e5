"""The object that a LiteLLM proxy's configuration names; importing this registers both routes::

litellm_settings:
  custom_provider_map:
    - {provider: azure_agents, custom_handler: litellm_azure_agents.proxy.handler}
"""

from __future__ import annotations

from .host.registration import handler, register

register()

__all__ = ["handler"]
