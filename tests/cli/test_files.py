"""`files list | get | upload | delete`, and the names that files are saved under."""

from __future__ import annotations

from pathlib import Path

import pytest

from litellm_azure_agents.cli.saving import save

from .conftest import Run


@pytest.mark.parametrize("protocol", [(), ("--protocol", "responses")], ids=["classic", "new"])
def test_up_and_down_and_gone(run: Run, tmp_path: Path, protocol: tuple[str, ...]) -> None:
    path = tmp_path / "facts.txt"
    path.write_text("Paris is in France.")
    (file,) = run("files", "upload", path, "--json", *protocol).data["uploaded"]
    assert "facts.txt" in run("files", "list", *protocol).out
    assert [f["id"] for f in run("files", "list", "--json", *protocol).data] == [file["id"]]
    # The name is taken: nothing is written over.
    assert "facts-2.txt" in run("files", "get", file["id"], *protocol).out
    assert (tmp_path / "facts-2.txt").read_text() == "Paris is in France."
    saved = run("files", "get", file["id"], "-o", "copy.txt", "--json", *protocol).data
    assert saved == {"file": "copy.txt", "bytes": 19}
    assert run("files", "delete", file["id"], *protocol).out == f"deleted {file['id']}\n"
    assert run("files", "get", file["id"], "--json", *protocol, code=1).error["status"] == 404


def test_each_file_that_fails_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "empty.txt").write_text("")
    done = run("files", "upload", "good.txt", "empty.txt", "absent.txt", "--json", code=1).data
    assert [file["filename"] for file in done["uploaded"]] == ["good.txt"]
    assert "is empty" in done["failed"]["empty.txt"]
    assert "no file" in done["failed"]["absent.txt"]
    assert "failed empty.txt" in run("files", "upload", "good.txt", "empty.txt", code=1).err
    gone = run("files", "delete", done["uploaded"][0]["id"], "assistant-absent", "--json", code=1)
    assert [*gone.data["failed"]] == ["assistant-absent"]


def test_options_that_are_none(run: Run) -> None:
    run("files", "list", "--protocol", "nonsense", code=2)
    run("files", "upload", "x", "--purpose", "nonsense", code=2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plot.png", "plot.png"),
        ("/mnt/data/plot.png", "plot.png"),
        ("../../.ssh/authorized_keys", "authorized_keys"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\n.txt", "a_b_.txt"),
        (".bashrc", "bashrc"),
    ],
)
def test_a_name_of_the_service_stays_in_the_folder(
    tmp_path: Path, given: str, expected: str
) -> None:
    folder = tmp_path / "files"
    assert save(folder, given, b"1") == folder / expected
    again = save(folder, given, b"2")
    assert again.parent == folder
    assert ((folder / expected).read_bytes(), again.read_bytes()) == (b"1", b"2")
