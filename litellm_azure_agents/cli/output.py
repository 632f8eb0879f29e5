"""What a command prints: JSON for programs, tables and text for people."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

_WIDE = 10_000
"""Columns where no terminal is: nothing is wrapped or cut in a pipe."""


class Output:
    """Writes results to stdout, progress and errors to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = _console(stderr=False)
        self.errors = _console(stderr=True)

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads the results on a terminal."""
        return self.console.is_terminal and not self.as_json

    def result(self, data: Any, show: Callable[[], None]) -> None:
        """``data`` as JSON, or what ``show`` prints."""
        if self.as_json:
            print(json.dumps(data, ensure_ascii=False, indent=2, default=str))
        else:
            show()

    def line(self, data: Any, show: Callable[[], None]) -> None:
        """As `result`, as one line of JSON: for what comes piece by piece."""
        if self.as_json:
            print(json.dumps(data, ensure_ascii=False, default=str), flush=True)
        else:
            show()

    def text(self, text: str, style: str | None = None) -> None:
        """A line of text as it is."""
        self.console.print(escape(text), style=style, highlight=False, soft_wrap=True)

    def note(self, text: str, style: str | None = "dim") -> None:
        """A line beside the results: on stderr, and not with JSON."""
        if not self.as_json:
            self.errors.print(escape(text), style=style, highlight=False, soft_wrap=True)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Rows under headers; a line that says so if there are none."""
        if not rows:
            self.note("none")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for header in headers:
            table.add_column(header, overflow="fold", no_wrap=header == "id")
        for row in rows:
            table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
        self.console.print(table)

    # -- errors --------------------------------------------------------------------------------

    def error(self, message: str, *, kind: str, status: int | None = None) -> None:
        """An error on stderr."""
        if self.as_json:
            error = {"type": kind, "message": message, "status": status}
            print(json.dumps({"error": error}, ensure_ascii=False), file=sys.stderr)
        else:
            self.errors.print(f"[bold red]Error:[/] {escape(message)}", highlight=False)

    def failure(self, error: Exception) -> None:
        """An exception on stderr, by its message."""
        text = str(getattr(error, "message", None) or error)
        # LiteLLM's exceptions begin with their class and provider.
        text = re.sub(r"^litellm\.\w+: (?:\w+ - )?", "", text)
        status = getattr(error, "status_code", None)
        self.error(text, kind=type(error).__name__, status=status)

    # -- progress ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str, int, int], None]]:
        """A progress bar on a terminal's stderr; call what this gives with (what, done, total)."""
        if not self.errors.is_terminal or self.as_json:
            yield lambda what, done, total: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self.errors, transient=True) as bar:
            task = bar.add_task(title, total=None)

            def report(what: str, done: int, total: int) -> None:
                bar.update(task, description=escape(what), completed=done, total=total)

            yield report


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDE)


def when(seconds: object) -> str:
    """A time of the service, for people: UTC, to the minute."""
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return ""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return ""


def size(number: object) -> str:
    """A number of bytes, for people."""
    if not isinstance(number, int):
        return ""
    amount, unit = float(number), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):  # noqa: B007
        if amount < 1024:
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def pairs(metadata: object) -> str:
    """Metadata in a line, without the marks of requests."""
    if not isinstance(metadata, dict):
        return ""
    return " ".join(f"{k}={v}" for k, v in metadata.items() if k != "litellm_request")
