"""``python -m litellm_azure_agents.cli``: the same as the command."""

from __future__ import annotations

from . import main

main()
