"""Agents that an emulator is started or reset with."""

from __future__ import annotations

from litellm_azure_agents.emulator import Emulator

from .wire import Wire


def test_seeding(wire: Wire, emulator: Emulator) -> None:
    emulator.seed(agents=[{"id": "asst_mine", "instructions": "Mine."}])
    assert wire.get("/assistants/asst_mine")["instructions"] == "Mine."
    emulator.reset()
    assert wire.http.get("/assistants/asst_mine").status_code == 404
