"""``files list | get | upload | delete``."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

import litellm_azure_agents as package

from .batch import each, report, report_deleted
from .output import size, when
from .saving import save
from .session import Session, command

app = typer.Typer(help="The files of the project.", no_args_is_help=True)
Protocol = Annotated[
    str, typer.Option(help="threads, or responses: files of new agents.", metavar="P")
]


def _connection(session: Session, protocol: str) -> dict[str, Any]:
    if protocol not in ("threads", "responses"):
        raise typer.BadParameter(f"--protocol is threads or responses, not {protocol!r}")
    if protocol == "threads":
        return session.connection
    own = {name: v for name, v in session.connection.items() if name != "api_version"}
    return {**own, "protocol": protocol}


@command(app, "list")
def list_(
    session: Session,
    purpose: Annotated[
        str | None, typer.Option(help="assistants, assistants_output, vision …", metavar="P")
    ] = None,
    protocol: Protocol = "threads",
) -> None:
    """List the files."""
    found = package.files.list(purpose=purpose, **_connection(session, protocol))

    def show() -> None:
        session.output.table(
            ("id", "name", "size", "purpose", "created (UTC)"),
            [
                (f.get("id"), f.get("filename"), size(f.get("bytes")), f.get("purpose"),
                 when(f.get("created_at")))
                for f in found
            ],
        )  # fmt: skip

    session.output.result(found, show)


@command(app, "get")
def get(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE_ID")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Save here; a file or a folder.", metavar="PATH"),
    ] = None,
    container: Annotated[
        str | None,
        typer.Option(help="New agents: the container of code interpreter.", metavar="ID"),
    ] = None,
    protocol: Protocol = "threads",
) -> None:
    """Save a file under its name, or as --output says. Nothing is written over."""
    where = _connection(session, "responses" if container else protocol)
    target, name = output or Path(), file
    if container is None and (output is None or output.is_dir()):
        name = str(package.files.info(file, **where).get("filename") or file)
    data = package.files.content(file, container_id=container, **where)
    if output is not None and not output.is_dir():
        target, name = output.parent, output.name
    path = save(target, name, data)
    session.output.result(
        {"file": str(path), "bytes": len(data)},
        lambda: session.output.text(f"{path}  {size(len(data))}"),
    )


@command(app, "upload")
def upload(
    session: Session,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…")],
    purpose: Annotated[str, typer.Option(help="assistants or vision.", metavar="P")] = "assistants",
    protocol: Protocol = "threads",
) -> None:
    """Upload files and wait until they are ready."""
    if purpose not in ("assistants", "vision"):
        raise typer.BadParameter(f"--purpose is assistants or vision, not {purpose!r}")
    where = _connection(session, protocol)
    kind = cast(Literal["assistants", "vision"], purpose)
    numbers = itertools.count()
    with session.output.progress("uploading") as progress:

        def upload_one(path: Path) -> dict[str, Any]:
            progress(path.name, next(numbers), len(paths))
            return package.files.upload(path, purpose=kind, **where)

        uploaded, failed = each(paths, upload_one)
    report(session, "uploaded", uploaded, failed, lambda f: f"{f['id']}  {f.get('filename')}")


@command(app, "delete")
def delete(
    session: Session,
    files: Annotated[list[str], typer.Argument(metavar="FILE_ID…")],
    protocol: Protocol = "threads",
) -> None:
    """Delete files."""
    where = _connection(session, protocol)

    def delete_one(file: str) -> str:
        package.files.delete(file, **where)
        return file

    report_deleted(session, *each(files, delete_one))
