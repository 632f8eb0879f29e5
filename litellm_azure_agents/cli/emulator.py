"""``emulator``: a local Foundry project, with the options of its own module."""

from __future__ import annotations

import typer

from .session import FAILED


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "emulator",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )(emulator)


def emulator(context: typer.Context) -> None:
    """Serve a local Foundry project until interrupted; --help shows the options."""
    try:
        from ..emulator.__main__ import main
    except ImportError as error:
        typer.echo(
            f"the emulator needs {error.name}: pip install 'litellm-azure-agents[emulator]'",
            err=True,
        )
        raise typer.Exit(FAILED) from None
    raise typer.Exit(main(context.args))
