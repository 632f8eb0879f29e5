"""What is done to several things one by one: each succeeds or fails for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import typer

from .session import FAILED, Session

T = TypeVar("T")
R = TypeVar("R")


def each(
    things: Sequence[T], act: Callable[[T], R], *, after: Callable[[T, int], None] | None = None
) -> tuple[list[R], dict[str, str]]:
    """What ``act`` returned for the things, and for those that failed why.

    The failure of one alone is raised, and so is whatever is no refusal of the service. ``after``
    is called with each thing and its number, counted from 1.
    """
    done: list[R] = []
    failed: dict[str, str] = {}
    for number, thing in enumerate(things, 1):
        try:
            done.append(act(thing))
        except Exception as error:
            if len(things) == 1 or not hasattr(error, "llm_provider"):
                raise
            failed[str(thing)] = str(getattr(error, "message", error))
        if after is not None:
            after(thing, number)
    return done, failed


def report(
    session: Session,
    what: str,
    done: Sequence[R],
    failed: Mapping[str, str],
    line: Callable[[R], str],
) -> None:
    """Print the results, under the name ``what`` in JSON and a ``line`` each in text. Exits with 1
    if anything failed."""
    data: dict[str, Any] = {what: [*done], "failed": {**failed}}

    def show() -> None:
        for result in done:
            session.output.text(line(result))
        for thing, why in failed.items():
            session.output.note(f"failed {thing}: {why}", style="red")

    session.output.result(data, show)
    if failed:
        raise typer.Exit(FAILED)


def report_deleted(session: Session, deleted: Sequence[str], failed: Mapping[str, str]) -> None:
    """As `report`, of what was deleted."""
    report(session, "deleted", deleted, failed, lambda id: f"deleted {id}")
