"""``agents list | show | config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

import litellm_azure_agents as package

from .session import Session, command, endpoint_variable

app = typer.Typer(help="The agents of the project, classic and new.", no_args_is_help=True)


def _as_data(agent: Any) -> dict[str, Any]:
    return {
        "id": agent.id,
        "kind": agent.kind,
        "name": agent.name,
        "version": agent.version,
        "model": agent.model,
        "description": agent.description,
        "tools": [*agent.tools],
        "model_string": agent.model_string,
    }


@command(app, "list")
def list_(
    session: Session,
    kind: Annotated[
        str | None, typer.Option(help="classic or new; else both.", metavar="KIND")
    ] = None,
) -> None:
    """List the agents."""
    if kind not in (None, "classic", "new"):
        raise typer.BadParameter(f"--kind is classic or new, not {kind!r}")
    found = package.agents.list(kind=kind, **session.connection)  # type: ignore[arg-type]

    def show() -> None:
        session.output.table(
            ("id", "kind", "version", "model", "tools", "description"),
            [(a.id, a.kind, a.version, a.model, ", ".join(a.tools), a.description) for a in found],
        )

    session.output.result([_as_data(agent) for agent in found], show)


@command(app, "show")
def show(
    session: Session,
    agent: Annotated[str | None, typer.Argument(help="asst_…, NAME or NAME:VERSION")] = None,
) -> None:
    """Show one agent."""
    found = package.agents.show(session.agent_or(agent), **session.connection)
    data = _as_data(found)

    def show() -> None:
        for name, value in data.items():
            text = ", ".join(value) if isinstance(value, list) else str(value or "")
            session.output.text(f"{name:13} {text}".rstrip())
        definition = found.raw.get("versions", {}).get("latest", found.raw)
        instructions = definition.get("definition", definition).get("instructions")
        if instructions:
            session.output.text(f"\n{instructions}")

    session.output.result({**data, "raw": found.raw}, show)


@command(app, "config")
def config(
    session: Session,
    agents: Annotated[list[str] | None, typer.Argument(help="These agents only; else all.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file.", metavar="FILE")
    ] = None,
) -> None:
    """Print a configuration for LiteLLM's proxy that serves the agents."""
    connection = session.connection
    if agents:
        found = [package.agents.show(agent, **connection) for agent in agents]
    else:
        found = [*package.agents.list(**connection)]
    base = connection.get("api_base") or f"os.environ/{endpoint_variable()}"
    data = package.agents.proxy_config(found, api_base=base)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        session.output.result(
            {"file": str(output), "models": len(found)},
            lambda: session.output.note(f"{len(found)} models in {output}"),
        )
        return
    session.output.result(data, lambda: typer.echo(text, nl=False))
