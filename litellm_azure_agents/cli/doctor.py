"""``doctor``: whether everything that a call needs is there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import litellm_azure_agents as package

from .session import FAILED, Session, command

_MARKS = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("failed ", "red"),
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor", needs_project=False)(doctor)


def doctor(
    session: Session,
    agent: Annotated[
        str | None, typer.Argument(help="Check this agent, too: asst_…, NAME or NAME:VERSION")
    ] = None,
    turn: Annotated[
        bool, typer.Option(help="Ask the agent one question; its thread is deleted.")
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings, too.")] = False,
) -> None:
    """Check the plugin, the project, the credential, an agent, and a proxy's configuration.

    The exit code is 1 if anything failed.
    """
    found: list[Any] = []

    def tell(finding: Any) -> None:
        found.append(finding)
        if session.output.as_json:
            return
        mark, colour = _MARKS[finding.status]
        console = session.output.console
        console.print(mark, style=colour, end="  ", highlight=False)
        session.output.text(f"{finding.check}: {finding.message}")
        if finding.status != "ok" and finding.advice:
            session.output.text(f"         {finding.advice}", style="dim")

    if session.config is not None:
        for finding in package.proxy_config.check(session.config, model=session.model):
            tell(finding)
    if session.config is None or session.model is not None:
        named = session.agent_or(agent) if agent or session.agent else None
        for finding in package.doctor.diagnose(agent=named, turn=turn, **session.connection):
            tell(finding)
    bad = ("failed", "warning") if strict else ("failed",)
    healthy = not any(finding.status in bad for finding in found)
    checks = [
        {"check": f.check, "status": f.status, "message": f.message, "advice": f.advice}
        for f in found
    ]
    session.output.result({"ok": healthy, "checks": checks}, lambda: None)
    if not healthy:
        raise typer.Exit(FAILED)
