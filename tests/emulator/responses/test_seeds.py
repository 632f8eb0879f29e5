"""New agents that an emulator is started with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator

from .client import Raw, reference, said
from .support import VERSION


def test_seeding_new_agents() -> None:
    classic = {"id": "asst_mine", "model": "m"}
    new = {"name": "mine", "definition": {"kind": "prompt", "model": "m", "instructions": "Go."}}
    with Emulator() as emulator:
        emulator.seed(agents=[classic, new])
        raw = Raw(emulator)
        assert said(raw.ask("mine", "What are your instructions?")) == "My instructions: Go."
        assert raw.get("/assistants/asst_mine", **VERSION)["id"] == "asst_mine"
        with pytest.raises(ValueError, match="name"):
            emulator.seed(agents=[{"definition": new["definition"]}])


def test_seeds_from_a_file_on_the_command_line(tmp_path: Path) -> None:
    agents = [{"name": "mine", "definition": {"kind": "prompt", "model": "m"}}]
    (tmp_path / "agents.json").write_text(json.dumps(agents))
    command = [sys.executable, "-m", "litellm_azure_agents.emulator", "--port", "0", "--lenient",
               "--agents", str(tmp_path / "agents.json")]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().split()[1]
        try:
            body = {"agent_reference": reference("mine"), "input": "hi", "temperature": 1}
            headers = {"authorization": "Bearer x"}
            answer = httpx.post(f"{endpoint}/openai/v1/responses", json=body, headers=headers)
            assert said(answer.json()) == "You said: hi"
        finally:
            process.terminate()
        assert process.wait(10) == 0
