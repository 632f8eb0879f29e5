"""``chats list | show | delete``: past chats on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .chat_history import Chat, History
from .output import when
from .session import CommandError, Session, command

app = typer.Typer(help="Past chats, kept on this machine.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="CHAT")]


def _as_data(chat: Chat) -> dict[str, Any]:
    first = str(chat.turns[0].get("question", "")) if chat.turns else ""
    return {
        "id": chat.id,
        "agent": chat.agent,
        "endpoint": chat.endpoint,
        "started": chat.started,
        "last_used": chat.last_used,
        "thread_id": chat.thread_id,
        "turns": len(chat.turns),
        "first": first,
    }


@command(app, "list", needs_project=False)
def list_(session: Session) -> None:
    """List past chats, the one used last first."""
    found = History().all()

    def show() -> None:
        session.output.table(
            ("id", "agent", "turns", "last used (UTC)", "thread", "first words"),
            [
                (c.id, c.agent, len(c.turns), when(c.last_used), c.thread_id,
                 _as_data(c)["first"][:60])
                for c in found
            ],
        )  # fmt: skip

    session.output.result([_as_data(chat) for chat in found], show)


@command(app, "show", needs_project=False)
def show(session: Session, chat: Id) -> None:
    """Show what was said in a chat."""
    found = History().get(chat)
    if found is None:
        raise CommandError(f"there is no chat {chat!r}")

    def show() -> None:
        session.output.note(f"agent {found.agent}, thread {found.thread_id}")
        for turn in found.turns:
            session.output.text(f"\n> {turn.get('question', '')}", style="bold")
            session.output.text(str(turn.get("answer", "")))

    session.output.result({**_as_data(found), "turns": found.turns}, show)


@command(app, "delete", needs_project=False)
def delete(session: Session, chat: Id) -> None:
    """Forget a chat; its thread stays in the project."""
    if not History().delete(chat):
        raise CommandError(f"there is no chat {chat!r}")
    session.output.result({"deleted": [chat]}, lambda: session.output.text(f"deleted {chat}"))
