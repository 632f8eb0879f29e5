"""Files and vector stores on the emulator, sync and async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import litellm
import pytest

from litellm_azure_agents import files, vector_stores
from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.vector_stores import Progress, VectorStoreError

FACTS = "The moon is made of green cheese. 😀 Paris is in France. Coffee costs 3 euros."


@pytest.fixture
def at(emulator: Emulator) -> dict[str, Any]:
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Any:
    """Calls a function of `files` or `vector_stores`, or its async twin."""

    def perform(function: Any, *arguments: Any, **named: Any) -> Any:
        if request.param == "sync":
            return function(*arguments, **named)
        module = files if function.__module__ == files.__name__ else vector_stores
        return asyncio.run(getattr(module, "a" + function.__name__)(*arguments, **named))

    return perform


def request(emulator: Emulator, method: str, path: str) -> Any:
    headers = {"Authorization": f"Bearer {emulator.token}"}
    url = f"{emulator.endpoint}/{path}?api-version=v1"
    return httpx.request(method, url, headers=headers).json()


# -- files -----


def test_a_file_up_and_down_and_gone(call: Any, at: Any, tmp_path: Path) -> None:
    path = tmp_path / "facts.txt"
    path.write_text(FACTS)
    file = call(files.upload, path, **at)
    assert (file["filename"], file["purpose"], file["bytes"]) == (
        "facts.txt", "assistants", len(FACTS.encode()),
    )  # fmt: skip
    assert call(files.content, file["id"], **at).decode() == FACTS
    assert call(files.info, file["id"], **at) == file
    assert call(files.list, purpose="assistants", **at) == [file]
    assert call(files.list, purpose="vision", **at) == []
    assert call(files.delete, file["id"], **at) is True
    for function in (files.content, files.info, files.delete):
        with pytest.raises(litellm.NotFoundError, match=file["id"]):
            call(function, file["id"], **at)


def test_bytes_and_opened_files(call: Any, at: Any, tmp_path: Path) -> None:
    file = call(files.upload, b"\x89PNG", filename="p.png", purpose="vision", **at)
    assert (file["filename"], file["purpose"]) == ("p.png", "vision")
    path = tmp_path / "open.md"
    path.write_bytes(b"# Title")
    with path.open("rb") as opened:
        file = call(files.upload, opened, **at)
    assert file["filename"] == "open.md"
    assert call(files.content, file["id"], **at) == b"# Title"


def test_what_cannot_be_uploaded(call: Any, at: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    for source, says in (
        (tmp_path / "absent.txt", "no file"),
        (tmp_path / "empty.txt", "empty"),
        (tmp_path, "no file"),
        (b"bytes without a name", "filename"),
    ):
        with pytest.raises(litellm.BadRequestError, match=says):
            call(files.upload, source, **at)


def test_bad_arguments_raise_what_completions_raise(call: Any, at: Any) -> None:
    with pytest.raises(litellm.BadRequestError, match="api_base"):
        call(files.info, "f")
    with pytest.raises(litellm.BadRequestError, match="not a valid id"):
        call(files.content, "../../assistants", **at)
    with pytest.raises(litellm.BadRequestError, match="timeout"):
        call(files.info, "f", timeout=0, **at)
    with pytest.raises(litellm.AuthenticationError):
        call(files.info, "f", api_base=at["api_base"], azure_ad_token_provider=lambda: 1 / 0)
    with pytest.raises(litellm.APIConnectionError):
        call(files.info, "f", api_base="http://127.0.0.1:9", api_key="k", max_retries=0)
    with pytest.raises(TypeError):
        call(files.info, "f", api_bas="typo", **at)


# -- vector stores -----


def test_a_vector_store_is_made_once(
    call: Any, at: Any, emulator: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "facts.md"
    path.write_text(FACTS)
    seen: list[Progress] = []
    made = call(
        vector_stores.create, [path, ("b.txt", b"Tea costs 2 euros.")], name="facts",
        on_progress=seen.append, expires_after_days=3, metadata={"team": "red"}, **at,
    )  # fmt: skip
    assert made.ok
    assert not made.reused
    assert [(f.name, f.status) for f in made.files] == [
        ("facts.md", "completed"), ("b.txt", "completed"),
    ]  # fmt: skip
    uploads = [p for p in seen if p.stage == "upload"]
    assert [(p.done, p.total) for p in uploads] == [(1, 2), (2, 2)]
    assert {p.name for p in uploads} == {"facts.md", "b.txt"}
    assert [p for p in seen if p.stage == "index"][-1] == Progress("index", 2, 2)
    store = request(emulator, "GET", f"vector_stores/{made.id}")
    assert store["file_counts"]["completed"] == 2
    assert store["expires_after"]["days"] == 3
    assert store["metadata"]["team"] == "red"
    again = call(
        vector_stores.create, [("b.txt", b"Tea costs 2 euros."), path], name="facts", **at
    )  # fmt: skip
    assert again.reused
    assert again.id == made.id
    assert len(request(emulator, "GET", "files")["data"]) == 2
    other = call(vector_stores.create, [("b.txt", b"Tea costs 4 euros.")], name="facts", **at)
    assert other.id != made.id
    fresh = call(vector_stores.create, [("b.txt", b"Tea costs 4 euros.")], name="facts",
                 reuse=False, **at)  # fmt: skip
    assert fresh.id != other.id


def test_failed_files_are_named_and_no_success(call: Any, at: Any) -> None:
    sources = [("good.txt", FACTS.encode()), ("bad_invalid_file.txt", b"x"), ("c.exe", b"MZ"),
               ("d_server_error.md", b"y")]  # fmt: skip
    with pytest.raises(VectorStoreError) as caught:
        call(vector_stores.create, sources, **at)
    assert {f.name: f.code for f in caught.value.store.failed} == {
        "bad_invalid_file.txt": "invalid_file", "c.exe": "unsupported_file",
        "d_server_error.md": "server_error",
    }  # fmt: skip
    for word in ("3 of 4", "bad_invalid_file.txt", "unsupported_file"):
        assert word in str(caught.value)
    lenient = call(vector_stores.create, sources, strict=False, **at)
    assert not lenient.ok
    assert lenient.files[0].status == "completed"
    assert lenient.id != caught.value.store.id, "a store with failed files is not taken again"


def test_no_files_and_absent_files(call: Any, at: Any, emulator: Emulator) -> None:
    for sources in ([], "facts.md", ["/no/such/file.md"], [("a.txt", b"")]):
        with pytest.raises(litellm.BadRequestError):
            call(vector_stores.create, sources, **at)
    assert request(emulator, "GET", "files")["data"] == []


class Stop(BaseException):
    """What KeyboardInterrupt is to a program."""


@pytest.fixture
def slow_emulator() -> Iterator[Emulator]:
    with Emulator(indexing_delay=30) as running:
        yield running


def batches_of(emulator: Emulator) -> list[Any]:
    found = []
    for store in request(emulator, "GET", "vector_stores")["data"]:
        for file in request(emulator, "GET", f"vector_stores/{store['id']}/files")["data"]:
            found.append(file["status"])
    return found


def test_interrupted_indexing_is_cancelled(slow_emulator: Emulator) -> None:
    at: Any = {"api_base": slow_emulator.endpoint, "api_key": slow_emulator.token}

    def interrupt(progress: Progress) -> None:
        if progress.stage == "index":
            raise Stop

    with pytest.raises(Stop):
        vector_stores.create([("a.txt", b"text")], on_progress=interrupt, **at)
    assert batches_of(slow_emulator) == ["cancelled"]

    async def cancelled() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(
            vector_stores.acreate(
                [("b.txt", b"text")], **at,
                on_progress=lambda p: begun.set() if p.stage == "index" else None,
            )
        )  # fmt: skip
        await begun.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert batches_of(slow_emulator) == ["cancelled", "cancelled"]
    with pytest.raises(litellm.Timeout, match="cancelled"):
        vector_stores.create([("c.txt", b"text")], timeout=4, **at)
    assert batches_of(slow_emulator) == ["cancelled"] * 3


def test_many_files_are_uploaded_a_few_at_a_time(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, open_now, most = threading.Lock(), 0, 0

    def begin(request: httpx.Request) -> None:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)

    def end(response: httpx.Response) -> None:
        nonlocal open_now
        with lock:
            open_now -= 1

    hooks: Any = {"request": [begin], "response": [end]}
    with httpx.Client(event_hooks=hooks) as client:
        monkeypatch.setattr(litellm, "client_session", client)
        files = [(f"{n}.txt", f"Number {n}".encode()) for n in range(12)]
        made = vector_stores.create(files, **at)
    assert len(made.files) == 12
    assert 1 < most <= vector_stores.AT_ONCE + 1
