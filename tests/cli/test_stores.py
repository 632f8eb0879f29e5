"""`stores create | list | show | delete`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files, one of them deeper, and a hidden one."""
    folder = tmp_path / "handbook"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("Coffee costs 3 euros.")
    (folder / "deep" / "b.md").write_text("Tea costs 2 euros.")
    (folder / ".hidden").write_text("no")
    return folder


def test_made_of_a_folder_and_deleted(run: Run, folder: Path) -> None:
    made = run("stores", "create", folder, "--tag", "team=law", "--json").data
    assert (made["ok"], made["reused"], made["name"]) == (True, False, "handbook")
    assert sorted(file["name"] for file in made["files"]) == ["a.txt", "b.md"]
    assert "found again, 2 of 2 files searchable" in run("stores", "create", folder).out
    assert run("stores", "create", folder, "--new", "--json").data["id"] != made["id"]
    assert "handbook" in run("stores", "list").out
    assert made["id"] in [store["id"] for store in run("stores", "list", "--json").data]
    assert "a.txt" in run("stores", "show", made["id"]).out
    shown = run("stores", "show", made["id"], "--json").data
    assert shown["metadata"]["team"] == "law"
    assert {file["status"] for file in shown["files"]} == {"completed"}
    assert run("stores", "delete", made["id"]).out == f"deleted {made['id']}\n"
    assert run("stores", "show", made["id"], "--json", code=1).error["status"] == 404
    assert len(run("files", "list", "--json").data) == 4  # two of each store stay


def test_deleted_with_its_files(run: Run, folder: Path) -> None:
    made = run("stores", "create", folder, "--json").data
    run("stores", "delete", made["id"], "--with-files", "--json")
    assert run("files", "list", "--json").data == []


def test_each_file_that_fails_is_named(run: Run, folder: Path) -> None:
    (folder / "c.xyz").write_bytes(b"\x00\x01")
    text = run("stores", "create", folder, code=1)
    assert "2 of 3 files searchable" in text.out
    assert text.err.startswith("failed c.xyz: unsupported_file")
    made = run("stores", "create", folder, "--json", code=1).data
    assert made["ok"] is False
    shown = run("stores", "show", made["id"], "--json").data
    assert [file["status"] for file in shown["files"]].count("failed") == 1


def test_nothing_to_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "no files" in run("stores", "create", tmp_path / "nothing", code=1).err
    assert "there is no" in run("stores", "create", tmp_path / "absent", code=1).err
