"""Code interpreter by subprocess: what code prints and makes, its limits, and who may use it."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.emulator.engine.code_runner import Limits, SubprocessInterpreter
from litellm_azure_agents.emulator.models.base import Logs, OutputFile

from ..chat_server import calls, chat_server, says
from ..models.support import new
from ..wire import PATIENCE, Wire, last_run, said

SMALL = Limits(seconds=60, memory=512 * 2**20, file_bytes=100_000, output_bytes=1000, files=3)


SHORT = Limits(seconds=1.5, memory=512 * 2**20)


PICTURE = """
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
pixels = zlib.compress(b"\\0\\xff\\0\\0")
with open("/mnt/data/dot.png", "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head))
    file.write(chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
open("/mnt/data/rows.csv", "w").write(open("/mnt/data/in.txt").read() + ",2\\n")
print("made", 6 * 7)
"""


def run(
    code: str, files: Mapping[str, bytes] | None = None, limits: Limits = SMALL
) -> tuple[str, dict[str, bytes]]:
    """What code printed, and its files."""
    outputs: Sequence[Logs | OutputFile] = asyncio.run(
        SubprocessInterpreter(limits).run(code, files or {})
    )
    logs = "".join(o.text for o in outputs if isinstance(o, Logs))
    return logs, {o.filename: o.data for o in outputs if isinstance(o, OutputFile)}


def test_output_and_files_of_code() -> None:
    assert run("x = 20\nprint(x)\nx + 1") == ("20\n21\n", {})
    assert run("import sys; print('e', file=sys.stderr); sys.exit(3)") == ("e\n", {})
    logs, made = run("print(open('/mnt/data/a.txt').read()); open('b.bin', 'wb').write(b'1'); None",
                     {"../a.txt": b"hello"})  # fmt: skip
    assert (logs, made) == ("hello\n", {"b.bin": b"1"})
    logs, made = run("open('a.txt', 'a').write('!'); raise ValueError('no')", {"a.txt": b"x"})
    assert logs.splitlines()[-1] == "ValueError: no"
    assert "code_child" not in logs
    assert made == {"a.txt": b"x!"}
    assert "SyntaxError" in run("1 +")[0]


def test_time_memory_and_size_are_limited() -> None:
    assert "stopped after 1.5 seconds" in run("while True: pass", limits=SHORT)[0]
    assert "MemoryError" in run("x = 'a' * 10**9")[0]
    logs, made = run(
        "with open('f', 'w') as f:\n for _ in range(20): f.write('x' * 9999); f.flush()"
    )
    assert "File too large" in logs
    assert len(made["f"]) <= SMALL.file_bytes
    logs, _ = run("print('y' * 5000)")
    assert logs.startswith("yyy")
    assert "more bytes of output" in logs
    assert len(logs) < 1100
    assert len(run("for n in range(9): open(f'{n}', 'w')")[1]) == 3


def test_secrets_are_not_passed_on_and_processes_are_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    assert run("import os; print(os.environ.get('SECRET_KEY'))")[0] == "None\n"
    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    pid = run(code)[0].strip()
    assert pid.isdigit()  # nobody waited for the child until the time was up
    ps = ["ps", "-o", "stat=", "-p", pid]
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:  # a killed process may need a moment to be gone
        state = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()
        if state[:1] in ("", "Z"):
            break
    else:
        raise AssertionError(f"still there: {state}")
    logs, made = run("import os; os.symlink('/etc/hosts', 'h.txt'); os.mkfifo('pipe')")
    assert (logs, made) == ("", {})


def test_other_runs_go_on_while_code_runs() -> None:
    with Emulator(interpreter=SubprocessInterpreter(SMALL)) as emulator:
        wire = Wire(emulator)
        body: dict[str, Any] = {"assistant_id": "asst_code"}
        text = "```python\nimport time; time.sleep(1); print('late')\n```"
        body["thread"] = {"messages": [{"role": "user", "content": text}]}
        slow = wire.post("/threads/runs", body)
        assert said(wire.ask("asst_echo", "quick")) == "You said: quick"
        path = f"/threads/{slow['thread_id']}/runs/{slow['id']}"
        assert wire.get(path)["status"] == "in_progress"
        while wire.get(path)["status"] == "in_progress":
            time.sleep(0.05)
        assert "late" in str(wire.get(f"/threads/{slow['thread_id']}/messages"))


def test_code_of_the_user_runs_only_where_it_was_allowed() -> None:
    with Emulator() as emulator:
        text = said(Wire(emulator).ask("asst_code", "```\nprint(1)\n```"))
        assert "code interpreter is off" in text


def test_images_and_files_of_a_run() -> None:
    with Emulator(interpreter=SubprocessInterpreter()) as emulator:
        wire = Wire(emulator)
        upload = {"file": ("in.txt", b"1")}
        file = wire.http.post("/files", data={"purpose": "assistants"}, files=upload).json()["id"]
        message = {"role": "user", "content": f"```python\n{PICTURE}\n```", "attachments": [
            {"file_id": file, "tools": [{"type": "code_interpreter"}]}]}  # fmt: skip
        events = wire.stream(
            "/threads/runs", {"assistant_id": "asst_code", "thread": {"messages": [message]}}
        )
        run = last_run(events)
        assert run["status"] == "completed"
        steps = wire.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps", order="asc")["data"]
        code = steps[0]["step_details"]["tool_calls"][0]["code_interpreter"]
        assert code["input"].strip() == PICTURE.strip()
        assert [o["type"] for o in code["outputs"]] == ["logs", "image"]
        assert code["outputs"][0]["logs"] == "made 42\n"
        answer = wire.get(f"/threads/{run['thread_id']}/messages")["data"][0]["content"]
        image = answer[0]["image_file"]["file_id"]
        assert image == code["outputs"][1]["image"]["file_id"]
        assert wire.http.get(f"/files/{image}/content").content.startswith(b"\x89PNG")
        (path,) = answer[1]["text"]["annotations"]
        assert path["text"] == "sandbox:/mnt/data/rows.csv"
        made = path["file_path"]["file_id"]
        assert wire.http.get(f"/files/{made}/content").content == b"1,2\n"


def test_code_that_a_model_writes_for_a_new_agent() -> None:
    code = "open('t.csv', 'w').write('a,b'); print('ok')"
    answers = (
        calls(("code_interpreter", {"code": code})),
        says("Here: [t](sandbox:/mnt", "/data/t.csv)."),
    )
    with chat_server(*answers) as server:
        options = {"api_base": server.url, "api_key": "k"}
        interpreter = SubprocessInterpreter(SMALL)
        with Emulator(model="openai/x", model_options=options, interpreter=interpreter) as emulator:
            reference = {"type": "agent_reference", "name": "code"}
            answer = new(emulator, {"agent_reference": reference, "input": "A table, please.",
                                    "include": ["code_interpreter_call.outputs"]})  # fmt: skip
            call, message = answer["output"]
            assert call["outputs"] == [{"type": "logs", "logs": "ok\n"}]
            part = message["content"][0]
            assert part["text"] == "Here: [t](sandbox:/mnt/data/t.csv)."
            (cited,) = part["annotations"]
            assert cited["type"] == "container_file_citation"
            marked = part["text"][cited["start_index"] : cited["end_index"]]
            assert marked == "sandbox:/mnt/data/t.csv"
            file = f"containers/{cited['container_id']}/files/{cited['file_id']}/content"
            content = Wire(emulator).http.get(f"/openai/v1/{file}", params={"api-version": ""})
            assert content.content == b"a,b"
            sent = server.requests[1]["messages"][-1]["content"]
            assert sent == "ok\n\n(file made: sandbox:/mnt/data/t.csv)"
