"""How requests name an agent."""

from __future__ import annotations

from typing import Any

from .client import reference

MODEL = "gpt-4o-mini"


def agent(name: str, version: str | None = None) -> dict[str, Any]:
    return {"agent_reference": reference(name, version)}
