"""``chat AGENT``: a chat in the terminal."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.markdown import Markdown

import litellm_azure_agents as package

from .chat_history import Chat as Past
from .chat_history import History
from .output import Output
from .saving import save
from .session import CommandError, Session, command
from .turns import Call, Chat, Turn

_HELP = "Enter sends; Ctrl-C stops an answer; Ctrl-D ends the chat."


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "chat")(chat)


def chat(
    session: Session,
    agent: Annotated[str | None, typer.Argument(help="asst_…, NAME or NAME:VERSION")] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", help="Send this and end after the answer.", metavar="TEXT"),
    ] = None,
    thread: Annotated[
        str | None,
        typer.Option("--thread", "-t", help="Go on with thread_…, conv_… or resp_…", metavar="ID"),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on with the last chat with this agent.")
    ] = False,
    functions: Annotated[
        Path | None,
        typer.Option(
            help="A Python file; its public functions answer the agent's calls.",
            metavar="MODULE.py",
        ),
    ] = None,
    files_to: Annotated[
        Path, typer.Option(help="Where files and images are saved.", metavar="FOLDER")
    ] = Path("agent-files"),
    approve: Annotated[
        bool, typer.Option("--approve-all", help="Approve every MCP call without asking.")
    ] = False,
    history: Annotated[bool, typer.Option(help="Keep the chat on this machine.")] = True,
) -> None:
    """Chat with an agent; without --message, line by line.

    Function calls that no --functions answer, and approvals of MCP calls, are asked for.
    """
    name = session.agent_or(agent)
    if thread is not None and go_on:
        raise typer.BadParameter("give one of --thread and --continue")
    kept, past = History(), None
    endpoint = session.endpoint
    if go_on:
        past = kept.last(name, endpoint)
        if past is None or past.thread_id is None:
            raise CommandError(f"there is no past chat with {name} at this project")
        thread = past.thread_id
    past = past or kept.begin(name, endpoint)
    screen = _Screen(session, files_to, approve)
    talk = Chat(
        name,
        functions=_load(functions) if functions else (),
        answer=screen.answer,
        thread_id=thread,
        **{"citations": "footnotes", **session.completion},
    )
    keep = history and not session.emulated
    if message is not None:
        _turn(talk, message, screen, kept if keep else None, past)
        return
    session.output.note(_HELP)
    while (question := screen.question()) is not None:
        if not question.strip():
            continue
        try:
            _turn(talk, question, screen, kept if keep else None, past)
        except KeyboardInterrupt:
            session.output.note("stopped")
        except Exception as error:
            if not hasattr(error, "llm_provider") or not sys.stdin.isatty():
                raise
            session.output.failure(error)  # the chat goes on


def _turn(talk: Chat, question: str, screen: _Screen, kept: History | None, past: Past) -> None:
    turn = screen.show(talk.ask(question))
    if kept is not None:
        kept.add(past, {"question": question, "answer": turn.text, "thread_id": talk.thread_id})


def _load(path: Path) -> list[Callable[..., Any]]:
    """The public functions that a Python file defines."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise CommandError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # the hints of its functions are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CommandError(f"{path} fails: {type(error).__name__}: {error}") from error
    found: list[Callable[..., Any]] = [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == path.stem and not name.startswith("_")
    ]
    if not found:
        raise CommandError(f"{path} defines no public function")
    return found


class _Screen:
    """Shows turns, and asks the person in front of it."""

    def __init__(self, session: Session, files_to: Path, approve: bool) -> None:
        self._session, self._files_to, self._approve = session, files_to, approve
        self._output: Output = session.output

    # -- what the person says ------------------------------------------------------------------

    def question(self) -> str | None:
        """The next question; None at the end of the input."""
        if self._output.is_terminal and sys.stdin.isatty():
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401  # gives input() its editing
            try:
                return input("\n> ")
            except (EOFError, KeyboardInterrupt):
                return None
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None

    def answer(self, call: Call) -> str:
        """The result of a call: by hand. Raises CommandError at the end of the input."""
        if call.is_approval:
            approved = self._approve or self._ask("Approve? [y/N] ").strip().lower() in ("y", "yes")
            return json.dumps({"approve": approved})
        return self._ask(f"Result of {call.name}: ")

    def _ask(self, prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise CommandError("the agent waits for an answer, and there is no more input")
        return line.rstrip("\n")

    # -- what the agent says -------------------------------------------------------------------

    def show(self, pieces: Generator[str | Call | Turn, None, None]) -> Turn:
        """Show a turn as it comes; returns it at its end."""
        writer = _Writer(self._output)
        # An answer that is left early is closed at once, which cancels its run.
        with contextlib.closing(writer), contextlib.closing(pieces):
            for piece in pieces:
                if isinstance(piece, str):
                    writer.write(piece)
                    continue
                writer.close()
                if isinstance(piece, Turn):
                    self._finish(piece)
                    return piece
                self._output.note(f"⚙ {_described(piece)}", style="cyan")
        raise CommandError("the answer ended without an end")

    def _finish(self, turn: Turn) -> None:
        saved = [self._save(file) for file in turn.files.values()]
        data = {
            "text": turn.text,
            "finish_reason": turn.finish_reason,
            "thread_id": turn.thread_id,
            "run_id": turn.run_id,
            "annotations": turn.annotations,
            "files": saved,
            "calls": [{"name": call.name, "arguments": call.arguments} for call in turn.calls],
            "usage": {
                "prompt_tokens": turn.prompt_tokens,
                "completion_tokens": turn.completion_tokens,
            },
            "cost": turn.cost,
        }
        self._output.line(data, lambda: self._epilogue(turn, saved))

    def _epilogue(self, turn: Turn, saved: list[dict[str, Any]]) -> None:
        output = self._output
        urls = [note.get("url_citation") or {} for note in turn.annotations]
        new = {u["url"]: u.get("title") for u in urls if u.get("url") and u["url"] not in turn.text}
        for number, (url, title) in enumerate(new.items(), 1):
            output.text(f"[{number}] {title or ''} {url}".replace("  ", " "))
        for file in saved:
            if "error" in file:
                output.note(f"not saved: {file['file_id']}: {file['error']}", style="red")
            else:
                output.text(f"saved {file['path']}", style="green")
        if turn.finish_reason not in ("stop", None):
            output.note(f"ended early: {turn.finish_reason}", style="yellow")
        cost = "" if turn.cost is None else f", ${turn.cost:.6f}"
        tokens = f"{turn.prompt_tokens} + {turn.completion_tokens} tokens"
        output.note(f"{turn.thread_id}  {tokens}{cost}")

    def _save(self, file: dict[str, Any]) -> dict[str, Any]:
        """Fetch and save a file; what became of it."""
        id, container = file["file_id"], file.get("container_id")
        where = {n: v for n, v in self._session.connection.items() if n != "api_version"}
        if container:
            where["protocol"] = "responses"
        try:
            name = file.get("filename")
            if not name and not container:
                name = package.files.info(id, **where).get("filename")
            data = package.files.content(id, container_id=container, **where)
            return {"file_id": id, "path": str(save(self._files_to, str(name or id), data))}
        except Exception as error:
            return {"file_id": id, "error": str(getattr(error, "message", error))}


class _Writer:
    """Writes text as it comes: as Markdown on a terminal, else as it is."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._text = ""
        self._live: Live | None = None

    def write(self, text: str) -> None:
        if self._output.as_json:
            return
        self._text += text
        if not self._output.is_terminal:
            print(text, end="", flush=True)
            return
        if self._live is None:
            self._live = Live(
                console=self._output.console, vertical_overflow="visible", refresh_per_second=8
            )
            self._live.start()
        self._live.update(Markdown(self._text))

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
        elif self._text:
            print(flush=True)
        self._text, self._live = "", None


def _described(call: Call) -> str:
    if not call.is_approval:
        return f"{call.name}({call.arguments})"
    try:
        asked = json.loads(call.arguments)
        what = f"{asked['server_label']}: {asked['name']}({asked['arguments']})"
    except (ValueError, KeyError, TypeError):
        what = call.arguments
    return f"asks to use {what}"
