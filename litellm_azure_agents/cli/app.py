"""All commands in one place."""

from __future__ import annotations

from typing import Annotated

import typer

import litellm_azure_agents as package

from . import agents, chat, chats, conversations, doctor, emulator, files, runs, stores

app = typer.Typer(
    help="Azure AI Foundry agents: check, chat, list, clean up, emulate.",
    no_args_is_help=True,
    # A traceback with the values of variables would show secrets.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(package.__version__)
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Azure AI Foundry agents: check, chat, list, clean up, emulate.

    A project is named by --api-base, by AZURE_AI_PROJECT_ENDPOINT, by a proxy's configuration
    (--config FILE --model NAME), or is an emulator (--emulator). Keys and tokens come from the
    environment or the configuration, never from the command line.
    """


doctor.add_to(app)
chat.add_to(app)
emulator.add_to(app)
for name, group in (
    ("agents", agents.app),
    ("chats", chats.app),
    ("threads", conversations.threads),
    ("conversations", conversations.conversations),
    ("responses", conversations.responses),
    ("runs", runs.app),
    ("files", files.app),
    ("stores", stores.app),
):
    app.add_typer(group, name=name)
