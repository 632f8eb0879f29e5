"""What every command shares: which project, text or JSON, and errors as exit codes."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

import litellm_azure_agents as package

from .output import Output

FAILED, USAGE, INTERRUPTED = 1, 2, 130


@dataclass(slots=True)
class Session:
    """What a command works with."""

    output: Output
    connection: dict[str, Any] = field(default_factory=dict, repr=False)
    """The arguments of `connect`."""
    completion: dict[str, Any] = field(default_factory=dict, repr=False)
    """The arguments of a completion: the connection and a proxy entry's other options."""
    agent: str | None = None
    """The agent of a proxy's entry."""
    config: Path | None = None
    model: str | None = None
    emulated: bool = False

    @property
    def endpoint(self) -> str:
        """The project's endpoint, for people."""
        return str(self.connection.get("api_base") or os.environ.get(endpoint_variable() or ""))

    def agent_or(self, given: str | None) -> str:
        """The agent that the command names, else that of the proxy's entry."""
        agent = given or self.agent
        if agent is None:
            raise typer.BadParameter("name an agent, or a proxy's --config and --model")
        return agent.removeprefix("azure_ai/agents/").removeprefix("azure_agents/")


@dataclass(frozen=True, slots=True)
class Shared:
    """The values of the options that every command has."""

    api_base: str | None
    api_version: str | None
    config: Path | None
    model: str | None
    emulator: bool
    timeout: float | None
    json: bool


_PANEL = "Project and output"
_SHARED: Mapping[str, tuple[Any, Any]] = {
    "api_base": (
        Annotated[
            str | None,
            typer.Option(
                help="The project's endpoint; else AZURE_AI_PROJECT_ENDPOINT.",
                metavar="URL",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "api_version": (
        Annotated[
            str | None,
            typer.Option(
                help="Of classic agents; v1 if not given.", metavar="V", rich_help_panel=_PANEL
            ),
        ],
        None,
    ),
    "config": (
        Annotated[
            Path | None,
            typer.Option(
                help="The configuration of a LiteLLM proxy to read the project from.",
                metavar="FILE",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "model": (
        Annotated[
            str | None,
            typer.Option(
                help="With --config: the model_name of the entry.",
                metavar="NAME",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "emulator": (
        Annotated[
            bool,
            typer.Option(
                "--emulator",
                help="Start an emulator for this command and use that.",
                rich_help_panel=_PANEL,
            ),
        ],
        False,
    ),
    "timeout": (
        Annotated[
            float | None,
            typer.Option(
                help="Seconds that a call of the project may take.",
                metavar="SECONDS",
                min=0.1,
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "json": (
        Annotated[
            bool,
            typer.Option("--json", help="Print JSON, errors too.", rich_help_panel=_PANEL),
        ],
        False,
    ),
}


def command(
    app: typer.Typer, name: str, *, needs_project: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a function to ``app`` as the command ``name``. Its first parameter is the `Session`,
    in place of which the command has the shared options."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [*inspect.signature(function, eval_str=True).parameters.values()][1:]
        named = inspect.Parameter.KEYWORD_ONLY
        shared = [
            inspect.Parameter(key, named, default=default, annotation=annotation)
            for key, (annotation, default) in _SHARED.items()
        ]

        def run(**values: Any) -> None:
            given = Shared(**{key: values.pop(key) for key in _SHARED})
            with opened(given, needs_project=needs_project) as session:
                function(session, **values)

        parameters = [*(p.replace(kind=named) for p in own), *shared]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = function.__doc__
        app.command(name)(run)
        return function

    return decorate


@contextlib.contextmanager
def opened(shared: Shared, *, needs_project: bool) -> Iterator[Session]:
    """A session; what goes wrong in it ends the command with a message and an exit code."""
    output = Output(as_json=shared.json)
    try:
        with contextlib.ExitStack() as stack:
            yield _session(shared, output, stack, needs_project)
    except KeyboardInterrupt:
        output.error("interrupted", kind="KeyboardInterrupt")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        output.failure(error)
        raise typer.Exit(code) from None


def _exit_code(error: Exception) -> int | None:
    """The exit code for what a user can do something about; None for anything else."""
    if isinstance(error, OSError) or hasattr(error, "llm_provider"):  # LiteLLM's exceptions
        return FAILED
    names = {kind.__name__ for kind in type(error).__mro__}
    if "ConfigError" in names:
        return USAGE
    expected = {"VectorStoreError", "RegistrationError", "TooManyRounds", "CommandError"}
    return FAILED if names & expected else None


class CommandError(Exception):
    """A command can't go on; the message says why."""


def _session(
    shared: Shared, output: Output, stack: contextlib.ExitStack, needs_project: bool
) -> Session:
    if shared.model is not None and shared.config is None:
        raise typer.BadParameter("--model names an entry of a proxy's configuration: give --config")
    sources = [shared.api_base, shared.config and shared.model, shared.emulator or None]
    if sum(source is not None for source in sources) > 1:
        raise typer.BadParameter("give one of --api-base, --config with --model, and --emulator")
    session = Session(output, config=shared.config, model=shared.model)
    if shared.emulator:
        session.emulated = True
        session.connection = _emulator(stack)
    elif shared.api_base:
        session.connection = {"api_base": shared.api_base}
    elif shared.config is not None:
        _read_entry(session, shared, needs_project)
    elif needs_project and endpoint_variable() is None:
        raise typer.BadParameter(
            "no project: give --api-base URL, set AZURE_AI_PROJECT_ENDPOINT, or use "
            "--config FILE --model NAME, or --emulator"
        )
    for name, value in (("api_version", shared.api_version), ("timeout", shared.timeout)):
        if value is not None:
            session.connection[name] = value
    session.completion = {**session.completion, **session.connection}
    _quiet_litellm()
    return session


def _read_entry(session: Session, shared: Shared, needs_project: bool) -> None:
    assert shared.config is not None
    model = shared.model
    if model is None:
        if not needs_project:
            return
        names = [name for name, _, _ in package.proxy_config.entries(_config(shared.config))]
        if len(names) != 1:
            known = ", ".join(names) or "none"
            raise typer.BadParameter(f"name an agent of {shared.config} by --model: {known}")
        model = names[0]
    entry = package.proxy_config.entry(shared.config, model)
    session.connection, session.agent, session.model = entry.connection, entry.agent, model
    session.completion = {name: value for name, value in entry.params.items() if name != "model"}


def _config(path: Path) -> dict[str, Any]:
    return package.proxy_config.read(path)


def endpoint_variable() -> str | None:
    """The environment variable that names the project, None if none does."""
    names = ("AZURE_AI_API_BASE", "AZURE_AI_PROJECT_ENDPOINT")
    return next((name for name in names if os.environ.get(name)), None)


def _emulator(stack: contextlib.ExitStack) -> dict[str, Any]:
    try:
        from ..emulator import Emulator
    except ImportError as error:
        raise CommandError(
            f"the emulator needs {error.name}: pip install 'litellm-azure-agents[emulator]'"
        ) from None
    emulator = stack.enter_context(Emulator())
    return {"api_base": emulator.endpoint, "api_key": emulator.token}


def _quiet_litellm() -> None:
    """Import LiteLLM without a look-up of prices, and without advertisements in errors."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
