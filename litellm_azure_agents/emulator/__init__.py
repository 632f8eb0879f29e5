"""A local Foundry project: what Azurite is to Azure Storage, for Foundry agents.

    with Emulator() as emulator:
        ...  # any client, pointed at emulator.endpoint with emulator.token

or `python -m litellm_azure_agents.emulator`. Needs the extra `[emulator]`. It imports nothing of
the adapter, and the adapter nothing of it.
"""

from __future__ import annotations

try:
    import starlette as _starlette
    import uvicorn as _uvicorn
except ImportError as error:  # pragma: no cover - depends on the installation
    raise ImportError(
        "the emulator needs more packages: pip install 'litellm-azure-agents[emulator]'"
    ) from error

from .core.settings import Settings, Strictness
from .models.base import Model
from .server import Emulator

del _starlette, _uvicorn

__all__ = ["Emulator", "Model", "Settings", "Strictness"]
