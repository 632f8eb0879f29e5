"""The emulator as a process: command line, data file, kill -9, many streams at once."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.__main__ import parse
from litellm_azure_agents.emulator.core.store import StoreInUse

from .process import COMMAND, process
from .wire import PATIENCE, Wire, events_of, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line(number: int) -> None:
    with process("--token", "secret") as (running, client):
        assert client.get("/assistants/asst_echo").status_code == 200
        wrong = {"Authorization": "Bearer other"}
        assert client.get("/assistants/asst_echo", headers=wrong).status_code == 401
        running.send_signal(number)
        assert running.wait(timeout=PATIENCE) == 0
        assert running.stdout is not None
        assert running.stderr is not None
        assert "asst_weather" in running.stdout.read()
        assert running.stderr.read() == ""


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    data = str(tmp_path / "project.sqlite")
    acknowledged: list[tuple[str, str]] = []
    with process("--data", data) as (running, client):
        agent = client.post("/assistants", json={"model": "m", "name": "kept"}).json()
        upload = {"file": ("zoo.txt", b"Feeding time for lions is noon.")}
        file = client.post("/files", data={"purpose": "assistants"}, files=upload).json()["id"]
        store = client.post("/vector_stores", json={"file_ids": [file]}).json()["id"]
        slow = client.post(
            "/threads/runs",
            json={
                "assistant_id": "asst_slow",
                "thread": {"messages": [{"role": "user", "content": "x " * 500}]},
            },
        ).json()
        waiting = client.post(
            "/threads/runs",
            json={
                "assistant_id": "asst_weather",
                "thread": {"messages": [{"role": "user", "content": "weather in Rome"}]},
            },
        ).json()
        thread = client.post("/threads").json()["id"]
        killer = threading.Timer(0.8, running.kill)
        killer.start()
        try:
            while True:
                text = f"message {len(acknowledged)}"
                body = {"role": "user", "content": text}
                message = client.post(f"/threads/{thread}/messages", json=body).json()
                acknowledged.append((message["id"], text))
        except httpx.TransportError:
            pass
        killer.join()
    assert len(acknowledged) > 10
    with process("--data", data) as (_, client):
        assert client.get(f"/assistants/{agent['id']}").json() == agent
        kept: dict[str, str] = {}
        page: Any = {"has_more": True, "last_id": ""}
        while page["has_more"]:
            query = {"limit": 100, "order": "asc", "after": page["last_id"]}
            page = client.get(f"/threads/{thread}/messages", params=query).json()
            kept |= {m["id"]: m["content"][0]["text"]["value"] for m in page["data"]}
        assert set(acknowledged) <= set(kept.items())
        assert len(kept) <= len(acknowledged) + 1
        for run in (slow, waiting):
            path = f"/threads/{run['thread_id']}/runs/{run['id']}"
            after = client.get(path).json()
            assert after["status"] == "failed"
            assert "restarted" in after["last_error"]["message"]
            for step in client.get(f"{path}/steps").json()["data"]:
                assert step["status"] == "failed"
            for message in client.get(f"/threads/{run['thread_id']}/messages").json()["data"]:
                assert message["status"] != "in_progress"
            again = client.post(
                f"/threads/{run['thread_id']}/messages", json={"role": "user", "content": "?"}
            )
            assert again.status_code == 200
        answer = client.post(
            "/threads/runs",
            json={
                "assistant_id": "asst_search",
                "stream": True,
                "thread": {"messages": [{"role": "user", "content": "lions?"}]},
                "tool_resources": {"file_search": {"vector_store_ids": [store]}},
            },
        )
        assert said(events_of(answer.text)).startswith("Feeding time for lions is noon.")


def test_one_data_file_has_one_writer(tmp_path: Path) -> None:
    data = str(tmp_path / "project.sqlite")
    with Emulator(data=data), pytest.raises(StoreInUse, match="in use by another emulator"):
        Emulator(data=data).start()
    with Emulator(data=data) as emulator:  # the first one let go of it
        assert emulator.endpoint


def test_agents_and_faults_from_files(tmp_path: Path) -> None:
    agents, faults = tmp_path / "agents.json", tmp_path / "faults.json"
    agents.write_text(json.dumps([{"id": "asst_mine", "instructions": "Mine."}]))
    faults.write_text(json.dumps([{"path_regex": "asst_mine", "times": 1, "status": 503}]))
    with process("--agents", str(agents), "--faults", str(faults)) as (_, client):
        assert client.get("/assistants/asst_mine").status_code == 503
        assert client.get("/assistants/asst_mine").json()["instructions"] == "Mine."
    faults.write_text('[{"explode": 1}]')
    failed = subprocess.run(
        [*COMMAND, "--faults", str(faults)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert failed.returncode == 1
    assert "explode" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--port", "99999"], "--port 99999"),
        (["--token", ""], "--token is empty"),
        (["--run-lifetime", "0"], "--run-lifetime must be"),
        (["--model-option", "a=b"], "need --model"),
    ],
)
def test_invalid_options_are_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    with pytest.raises(SystemExit):
        parse(options)
    assert why in capsys.readouterr().err


def test_an_invalid_data_file_is_named(tmp_path: Path) -> None:
    data = tmp_path / "notes.txt"
    data.write_text("These are notes, and long enough to be looked at as a database. " * 20)
    command = [*COMMAND, "--data", str(data)]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert failed.returncode == 1
    assert failed.stderr == f"The emulator can't start: {data}: file is not a database\n"
    assert data.read_text().startswith("These are notes")


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        ({"id": "asst_x", "nope": 1}, "agent 'asst_x': Unknown parameter: 'nope'."),
        ({"name": "bad name", "definition": {}}, "agent 'bad name': Invalid value for 'name'"),
        ({"name": "x", "definition": {"kind": "prompt"}}, "agent 'x': Missing required parameter"),
    ],
)
def test_errors_name_the_wrong_agent(
    emulator: Emulator, wire: Wire, agent: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        emulator.seed(agents=[agent])
    assert why in wire.refused("/emulator/reset", {"agents": [agent]})["message"]


def test_a_port_in_use_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [*COMMAND[:-1], str(taken.getsockname()[1])]
        failed = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert failed.returncode == 1
    assert "can't start" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_two_hundred_streams_at_once(emulator: Emulator) -> None:
    async def all_of_them() -> list[str]:
        async with httpx.AsyncClient(
            base_url=emulator.endpoint,
            params={"api-version": "v1"},
            headers={"Authorization": "Bearer x"},
            limits=httpx.Limits(max_connections=None),
            timeout=PATIENCE,
        ) as client:

            async def one(number: int) -> str:
                thread = {"messages": [{"role": "user", "content": f"number {number}"}]}
                body = {"assistant_id": "asst_echo", "thread": thread, "stream": True}
                return said(events_of((await client.post("/threads/runs", json=body)).text))

            return await asyncio.gather(*(one(number) for number in range(200)))

    assert asyncio.run(all_of_them()) == [f"You said: number {n}" for n in range(200)]


def test_stopping_ends_open_streams() -> None:
    emulator = Emulator().start()
    with httpx.Client(
        base_url=emulator.endpoint,
        params={"api-version": "v1"},
        headers={"Authorization": "Bearer x"},
    ) as client:
        thread = {"messages": [{"role": "user", "content": "x " * 500}]}
        body = {"assistant_id": "asst_slow", "thread": thread, "stream": True}
        with client.stream("POST", "/threads/runs", json=body) as answer:
            next(answer.iter_lines())
            (server,) = (t for t in threading.enumerate() if t.name == f"emulator-{emulator.port}")
            emulator.stop()
            assert not server.is_alive(), "the open stream kept the server from stopping"


def test_importing_it_does_not_import_litellm_or_the_adapter() -> None:
    code = (
        "import sys;"
        "from litellm_azure_agents.emulator import Emulator;"
        "Emulator().start().stop();"
        "loaded = [m for m in sys.modules if m == 'litellm' or m.startswith('litellm.')"
        " or m.startswith('litellm_azure_agents.') and 'emulator' not in m];"
        "print(loaded)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.strip() == "[]"
