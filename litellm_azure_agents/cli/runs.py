"""``runs list | show | cancel | tail``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import litellm_azure_agents as package

from .output import pairs, when
from .session import Session, command

app = typer.Typer(help="Runs of classic agents and responses of new ones.", no_args_is_help=True)
Reference = Annotated[str, typer.Argument(help="run_…, resp_… or a litellm_call_id", metavar="RUN")]
Thread = Annotated[
    str | None,
    typer.Option(
        "--thread", "-t", help="The run's thread; else the newest are searched.", metavar="THREAD"
    ),
]
MaxThreads = Annotated[int, typer.Option(help="Search so many threads.", metavar="N", min=1)]


@command(app, "list")
def list_(session: Session, thread: Annotated[str, typer.Argument(metavar="THREAD")]) -> None:
    """List the runs of a thread."""
    found = package.runs.list(thread, **session.connection)
    session.output.result(found, lambda: _table(session, found))


@command(app, "show")
def show(
    session: Session, run: Reference, thread: Thread = None, max_threads: MaxThreads = 100
) -> None:
    """Show a run with its steps."""
    found = package.runs.show(run, thread_id=thread, max_threads=max_threads, **session.connection)

    def show() -> None:
        _table(session, [found])
        error = found.get("last_error") or found.get("error")
        if error:
            session.output.text(f"{error.get('code')}: {error.get('message')}", style="red")
        for step in found.get("steps") or found.get("output") or ():
            details = step.get("step_details") or {}
            calls = details.get("tool_calls") or ()
            named = ", ".join(
                str((c.get("function") or {}).get("name") or c.get("type")) for c in calls
            )
            kind = named or details.get("type") or step.get("name") or step.get("type")
            session.output.text(f"  {kind}  {step.get('status') or ''}".rstrip())

    session.output.result(found, show)


@command(app, "cancel")
def cancel(
    session: Session, run: Reference, thread: Thread = None, max_threads: MaxThreads = 100
) -> None:
    """Cancel a run, or a background response."""
    found = package.runs.cancel(
        run, thread_id=thread, max_threads=max_threads, **session.connection
    )
    session.output.result(found, lambda: _table(session, [found]))


@command(app, "tail")
def tail(
    session: Session, run: Reference, thread: Thread = None, max_threads: MaxThreads = 100
) -> None:
    """Follow a run until it ends or waits for tool results."""
    output = session.output
    for event in package.runs.tail(
        run, thread_id=thread, max_threads=max_threads, **session.connection
    ):
        style = {"status": "bold", "step": "cyan"}.get(event.kind)
        data = {"kind": event.kind, "text": event.text, "id": event.raw.get("id")}
        mark = {"status": "== ", "step": "-- "}.get(event.kind, "")
        text = mark + event.text
        output.line(data, lambda text=text, style=style: output.text(text, style))  # type: ignore[misc]


def _table(session: Session, found: Any) -> None:
    def agent_of(run: Any) -> Any:
        return run.get("assistant_id") or (run.get("agent_reference") or {}).get("name")

    def tokens_of(run: Any) -> Any:
        return (run.get("usage") or {}).get("total_tokens")

    session.output.table(
        ("id", "created (UTC)", "status", "agent", "tokens", "thread", "metadata"),
        [
            (
                run.get("id"),
                when(run.get("created_at")),
                run.get("status"),
                agent_of(run),
                tokens_of(run),
                run.get("thread_id"),
                pairs(run.get("metadata")),
            )
            for run in found
        ],
    )
