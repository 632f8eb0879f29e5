"""Reset and seed over HTTP."""

from __future__ import annotations

from litellm_azure_agents.emulator import Emulator

from .wire import Wire


def test_reset_and_seed_by_one_call(emulator: Emulator, wire: Wire) -> None:
    old = wire.post("/assistants", {"model": "m"})["id"]
    bad = {"agents": [{"id": "asst_x", "model": 3}]}
    assert "not reset" in wire.refused("/emulator/reset", bad)["message"]
    wire.refused("/emulator/reset", {"agnets": []})
    wire.refused("/emulator/reset", {"faults": [{"explode": 1}]})
    assert wire.get(f"/assistants/{old}")["id"] == old
    agents = [
        {"id": "asst_mine", "instructions": "Mine."},
        {"name": "fresh", "definition": {"kind": "prompt", "model": "m"}},
    ]
    faults = [{"path_regex": "asst_mine", "times": 1, "status": 503}]
    reply = wire.post("/emulator/reset", {"agents": agents, "faults": faults})
    assert (reply["agents"], reply["faults"]) == (2, 1)
    assert wire.http.get(f"/assistants/{old}").status_code == 404
    assert wire.http.get("/assistants/asst_mine").status_code == 503
    assert wire.get("/assistants/asst_mine")["instructions"] == "Mine."
    assert wire.get("/agents/fresh")["name"] == "fresh"
    unknown = {"authorization": ""}
    assert wire.http.post("/emulator/reset", headers=unknown).status_code == 401
    emulator.reset(agents=agents[:1])
    assert wire.http.get("/agents/fresh").status_code == 404
    assert wire.get("/assistants/asst_mine")["id"] == "asst_mine"
