"""kill -9 again and again, at any moment: what was acknowledged is there, what ran is failed."""

from __future__ import annotations

import itertools
import random
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from .process import process

ROUNDS = 4


NAMED = "/openai/v1"


class Writer:
    """Writes all kinds of objects until the connection breaks; remembers what was acknowledged."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        """Paths and what GET must say there."""
        self.contents: dict[str, bytes] = {}
        self.gone: set[str] = set()
        self.running: list[str] = []
        """Paths of runs and responses that were started."""
        self.trouble: Exception | None = None
        self._number = itertools.count()

    def write(self, client: httpx.Client) -> None:
        try:
            while True:
                self._once(client, next(self._number))
        except httpx.TransportError:
            pass
        except Exception as error:
            self.trouble = error

    def _once(self, client: httpx.Client, n: int) -> None:
        agent = post(client, "/assistants", {"model": "m", "name": f"agent {n}"})
        self.kept[f"/assistants/{agent['id']}"] = agent
        thread = post(client, "/threads", {"metadata": {"n": str(n)}})["id"]
        message = post(client, f"/threads/{thread}/messages", {"role": "user", "content": f"{n}"})
        self.kept[f"/threads/{thread}/messages/{message['id']}"] = message
        data = f"Line {n} is kept.".encode() * 50
        answer = client.post(
            "/files",
            params=query("/files"),
            data={"purpose": "assistants"},
            files={"file": ("a.txt", data)},
        )
        file = answer.json()
        self.kept[f"/files/{file['id']}"] = file
        self.contents[f"/files/{file['id']}/content"] = data
        store = post(client, "/vector_stores", {"file_ids": [file["id"]], "name": f"s{n}"})["id"]
        version = post(
            client, "/agents/many/versions", {"definition": {"kind": "prompt", "model": "m"}}
        )
        self.kept[f"/agents/many/versions/{version['version']}"] = version
        conversation = post(client, f"{NAMED}/conversations", {"metadata": {"n": str(n)}})
        self.kept[f"{NAMED}/conversations/{conversation['id']}"] = conversation
        run = post(client, f"/threads/{thread}/runs", {"assistant_id": "asst_slow"})
        self.running.append(f"/threads/{thread}/runs/{run['id']}")
        reference = {"type": "agent_reference", "name": "slow"}
        body = {"agent_reference": reference, "input": "word " * 99, "background": True}
        self.running.append(f"{NAMED}/responses/{post(client, f'{NAMED}/responses', body)['id']}")
        path = f"/vector_stores/{store}"
        client.delete(path, params=query(path)).raise_for_status()
        self.gone.add(path)

    def check(self, client: httpx.Client) -> None:
        client.params = httpx.QueryParams()
        assert self.trouble is None
        for path, doc in self.kept.items():
            assert get(client, path).json() == doc
        for path, data in self.contents.items():
            assert get(client, path).content == data
        for path in self.gone:
            assert get(client, path).status_code == 404
        for path in self.running:
            doc = get(client, path).json()
            assert doc["status"] in ("completed", "failed"), doc["status"]
            if doc["status"] == "failed":
                assert "restarted" in (doc.get("last_error") or doc.get("error"))["message"]


def query(path: str) -> dict[str, str]:
    return {} if path.startswith(NAMED) else {"api-version": "v1"}


def post(client: httpx.Client, path: str, body: Any) -> Any:
    answer = client.post(path, json=body, params=query(path))
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(client: httpx.Client, path: str) -> httpx.Response:
    return client.get(path, params=query(path))


def kill(running: subprocess.Popen[str], writers: list[Writer], moment: float) -> None:
    """Some time after the first writer has made one of everything."""
    while not any(writer.running or writer.trouble for writer in writers):
        time.sleep(0.01)
    time.sleep(moment)
    running.kill()


def test_kills_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    data = str(tmp_path / "project.sqlite")
    writers = [Writer(), Writer()]
    moments = random.Random(7)
    for _ in range(ROUNDS):
        with process("--data", data) as (running, client):
            for writer in writers:
                writer.check(client)
                writer.running.clear()
            moment = moments.uniform(0, 0.6)
            killer = threading.Thread(target=kill, args=(running, writers, moment))
            killer.start()
            threads = [threading.Thread(target=w.write, args=(client,)) for w in writers]
            for thread in threads:
                thread.start()
            for thread in (*threads, killer):
                thread.join()
    with process("--data", data) as (_, client):
        started = sum(len(writer.running) for writer in writers)
        assert started > 0
        for writer in writers:
            writer.check(client)
        assert sum(len(writer.kept) for writer in writers) > 20
    with process("--data", data, "--reset") as (_, client):
        client.params = httpx.QueryParams()
        for path in writers[0].kept:
            assert get(client, path).status_code == 404
        assert get(client, "/assistants/asst_echo").status_code == 200
