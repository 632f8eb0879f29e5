"""``stores create | list | show | delete``: vector stores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import litellm_azure_agents as package

from .output import size, when
from .session import FAILED, CommandError, Session, command
from .values import tags

app = typer.Typer(help="Vector stores, for file search.", no_args_is_help=True)


@command(app, "create")
def create(
    session: Session,
    paths: Annotated[list[Path], typer.Argument(help="Folders (with all below them) and files.")],
    name: Annotated[
        str | None, typer.Option(help="The store's name; else the folder's.", metavar="NAME")
    ] = None,
    expires_after_days: Annotated[
        int | None, typer.Option(help="Days after its last use.", metavar="N", min=1)
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Metadata (repeatable).", metavar="NAME=VALUE")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Make a new one, also if one has the same files.")
    ] = False,
) -> None:
    """Make a vector store of files, and wait until they are indexed."""
    found = [file for path in paths for file in _files(path)]
    if not found:
        raise CommandError(f"there are no files in {', '.join(map(str, paths))}")
    with session.output.progress("uploading") as report:

        def on_progress(progress: Any) -> None:
            what = "uploading" if progress.stage == "upload" else "indexing"
            report(f"{what} {progress.name or ''}".strip(), progress.done, progress.total)

        store = package.vector_stores.create(
            found,
            name=name or paths[0].resolve().name,
            expires_after_days=expires_after_days,
            metadata=tags(tag),
            on_progress=on_progress,
            reuse=not new,
            strict=False,
            **session.connection,
        )

    def show() -> None:
        how = "found again" if store.reused else "made"
        good = len(store.files) - len(store.failed)
        session.output.text(f"{store.id}  {how}, {good} of {len(store.files)} files searchable")
        _errors(session, store.failed)

    data = {**asdict(store), "ok": store.ok}
    session.output.result(data, show)
    if not store.ok:
        raise typer.Exit(FAILED)


def _files(path: Path) -> list[Path]:
    """The files of a folder and its folders, without hidden ones; a file by itself."""
    if not path.exists():
        raise CommandError(f"there is no {path}")
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


@command(app, "list")
def list_(
    session: Session,
    limit: Annotated[int, typer.Option(help="At most so many; 0: all.", metavar="N", min=0)] = 20,
) -> None:
    """List the newest vector stores."""
    found = package.vector_stores.list(limit=limit or None, **session.connection)
    session.output.result(found, lambda: _table(session, found))


@command(app, "show")
def show(session: Session, store: Annotated[str, typer.Argument(metavar="STORE")]) -> None:
    """Show a vector store and the state of its files."""
    found = package.vector_stores.show(store, **session.connection)
    files = package.vector_stores.files(store, **session.connection)

    def show() -> None:
        _table(session, [found])
        session.output.text("")
        rows = [(f.file_id, f.name, f.status, f.code, f.message) for f in files]
        session.output.table(("id", "name", "status", "code", "message"), rows)

    session.output.result({**found, "files": [asdict(file) for file in files]}, show)


@command(app, "delete")
def delete(
    session: Session,
    store: Annotated[str, typer.Argument(metavar="STORE")],
    with_files: Annotated[
        bool, typer.Option("--with-files", help="Delete its files, too.")
    ] = False,
) -> None:
    """Delete a vector store."""
    package.vector_stores.delete(store, with_files=with_files, **session.connection)
    session.output.result({"deleted": [store]}, lambda: session.output.text(f"deleted {store}"))


def _table(session: Session, found: Any) -> None:
    def files(store: Any) -> str:
        counts = store.get("file_counts") or {}
        bad = counts.get("failed")
        return f"{counts.get('completed', '')}/{counts.get('total', '')}" + (
            f" ({bad} failed)" if bad else ""
        )

    session.output.table(
        ("id", "name", "status", "files", "size", "created (UTC)"),
        [
            (s.get("id"), s.get("name"), s.get("status"), files(s), size(s.get("usage_bytes")),
             when(s.get("created_at")))
            for s in found
        ],
    )  # fmt: skip


def _errors(session: Session, failed: Any) -> None:
    for file in failed:
        why = " ".join(filter(None, [file.code or file.status, file.message]))
        session.output.note(f"failed {file.name}: {why}", style="red")
