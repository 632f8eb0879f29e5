"""``threads``, ``conversations`` and ``responses``: ``list | show | tag | delete | prune``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

import litellm_azure_agents as package

from .batch import each, report_deleted
from .output import pairs, when
from .session import Session, command
from .values import duration, tags

Kind = Literal["thread", "conversation", "response"]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", help="Only with this metadata (repeatable).", metavar="NAME=VALUE"),
]
OlderThan = Annotated[
    str | None, typer.Option(help="Only older than this: 30d, 12h, 2w …", metavar="SPAN")
]
Agent = Annotated[str | None, typer.Option(help="Only of this new agent.", metavar="NAME")]


def _group(kind: Kind, of: str) -> typer.Typer:
    """The commands for one kind of object."""
    app = typer.Typer(help=f"The {kind}s of {of} agents.", no_args_is_help=True)

    def list_(
        session: Session,
        limit: Annotated[
            int, typer.Option(help="At most so many; 0: all.", metavar="N", min=0)
        ] = 20,
        tag: Tag = None,
        older_than: OlderThan = None,
        agent: Agent = None,
    ) -> None:
        found = package.conversations.list(
            kind,
            limit=limit or None,
            tags=tags(tag),
            older_than=duration(older_than),
            agent=agent,
            **session.connection,
        )
        session.output.result(found, lambda: _table(session, kind, found))

    def show(session: Session, id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
        found = package.conversations.show(id, kind=kind, **session.connection)
        items = package.conversations.items(id, kind=kind, **session.connection)

        def show() -> None:
            _table(session, kind, [found])
            for item in items:
                session.output.text("")
                _item(session, item)

        session.output.result({**found, "items": items}, show)

    def tag_(
        session: Session,
        id: Annotated[str, typer.Argument(metavar="ID")],
        pairs_: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE…")] = None,
        remove: Annotated[
            list[str] | None, typer.Option(help="Remove this name.", metavar="NAME")
        ] = None,
    ) -> None:
        given = tags(pairs_)
        if not given and not remove:
            raise typer.BadParameter("give NAME=VALUE, or --remove NAME")
        found = package.conversations.tag(
            id, given, remove=remove or (), kind=kind, **session.connection
        )
        session.output.result(
            found, lambda: session.output.text(f"{id}  {pairs(found.get('metadata'))}")
        )

    def delete(session: Session, ids: Annotated[list[str], typer.Argument(metavar="ID…")]) -> None:
        def one(id: str) -> str:
            package.conversations.delete(id, kind=kind, **session.connection)
            return id

        with session.output.progress(f"deleting {kind}s") as progress:
            deleted, failed = each(ids, one, after=lambda id, n: progress(id, n, len(ids)))
        report_deleted(session, deleted, failed)

    def prune(
        session: Session,
        older_than: OlderThan = None,
        tag: Tag = None,
        agent: Agent = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only say what would be deleted.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    ) -> None:
        wanted: dict[str, Any] = {
            "older_than": duration(older_than), "tags": tags(tag), "agent": agent,
            **session.connection,
        }  # fmt: skip
        if not older_than and not tag:
            raise typer.BadParameter("say what to delete: --older-than, --tag, or both")
        if not dry_run and not yes and not sys.stdin.isatty():
            raise typer.BadParameter("give --yes to delete without being asked, or --dry-run")
        if dry_run or not yes:
            found = package.conversations.prune(kind, dry_run=True, **wanted).found
            if dry_run:
                data = {"dry_run": True, "found": [item.get("id") for item in found]}
                session.output.result(data, lambda: _table(session, kind, found))
                session.output.note(f"{len(found)} {kind}s would be deleted")
                return
            _table(session, kind, found)
            if not found or not typer.confirm(f"Delete {len(found)} {kind}s?", err=True):
                return
        with session.output.progress(f"deleting {kind}s") as report:
            done = package.conversations.prune(
                kind, on_progress=lambda n, of: report(f"deleting {kind}s", n, of), **wanted
            )
        report_deleted(session, done.deleted, done.failed)

    for name, function, help_ in (
        ("list", list_, f"List the newest {kind}s."),
        ("show", show, f"Show a {kind} with what was said in it."),
        ("tag", tag_, f"Set metadata of a {kind}."),
        ("delete", delete, f"Delete {kind}s."),
        ("prune", prune, f"Delete all {kind}s that are old or have a tag."),
    ):
        if name == "tag" and kind == "response":
            continue  # the service can't change a response
        function.__doc__ = help_
        if kind == "thread":
            _without_agent(function)
        command(app, name)(function)
    return app


def _without_agent(function: Callable[..., None]) -> None:
    """Take the option --agent from a command: the service keeps no agent with a thread."""
    signature = inspect.signature(function, eval_str=True)
    left = [p for name, p in signature.parameters.items() if name != "agent"]
    function.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]


def _table(session: Session, kind: Kind, found: Any) -> None:
    headers = ["id", "created (UTC)", "metadata"]
    if kind == "response":
        headers[2:2] = ["status", "agent"]
    rows = []
    for item in found:
        row = [item.get("id"), when(item.get("created_at")), pairs(item.get("metadata"))]
        if kind == "response":
            agent = item.get("agent_reference") or {}
            row[2:2] = [item.get("status"), agent.get("name")]
        rows.append(row)
    session.output.table(headers, rows)


def _item(session: Session, item: dict[str, Any]) -> None:
    """A message or an item as text."""
    content = item.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [text for text in map(_part, parts) if text]
    if item.get("role") is None:
        texts = [
            str(item.get("name") or ""),
            str(item.get("arguments") or item.get("output") or ""),
        ]
        texts = [" ".join(filter(None, texts))]
    head = str(item.get("role") or item.get("type") or "")
    session.output.text(head, style="bold")
    session.output.text("\n".join(texts))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = part.get("text")
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else f"[{part.get('type')}]"


threads = _group("thread", "classic")
conversations = _group("conversation", "new")
responses = _group("response", "new")
