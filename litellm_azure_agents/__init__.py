"""Azure AI Foundry agents as chat models for LiteLLM: SDK, Router and proxy.

>>> import litellm, litellm_azure_agents
>>> litellm_azure_agents.register()
>>> litellm.completion(model="azure_ai/agents/asst_…", messages=[…], api_base="https://…")
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import agents, conversations, doctor, files, proxy_config, runs, vector_stores
    from .core.options import Options
    from .host.handler import AzureAgents
    from .host.registration import RegistrationError, register, unregister
    from .tool_loop.loop import TooManyRounds, arun_tools, run_tools

try:
    __version__ = version("litellm-azure-agents")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

_HOMES = {
    "AzureAgents": "host.handler",
    "Options": "core.options",
    "RegistrationError": "host.registration",
    "TooManyRounds": "tool_loop.loop",
    "agents": "agents",
    "arun_tools": "tool_loop.loop",
    "conversations": "conversations",
    "doctor": "doctor",
    "files": "files",
    "proxy_config": "proxy_config",
    "register": "host.registration",
    "run_tools": "tool_loop.loop",
    "runs": "runs",
    "unregister": "host.registration",
    "vector_stores": "vector_stores",
}
"""Where the public names live; loaded when first used, so that the emulator needs no LiteLLM."""

__all__ = [
    "AzureAgents",
    "Options",
    "RegistrationError",
    "TooManyRounds",
    "__version__",
    "agents",
    "arun_tools",
    "conversations",
    "doctor",
    "files",
    "proxy_config",
    "register",
    "run_tools",
    "runs",
    "unregister",
    "vector_stores",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f".{_HOMES[name]}", __name__)
    return home if name == _HOMES[name] else getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
