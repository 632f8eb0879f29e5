"""Values of options: durations and tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str | None) -> timedelta | None:
    """``30d``, ``12h``, ``90m``, ``2w``: a time span. A usage error for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a time span such as 30d, 12h, 90m or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def tags(given: Sequence[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` pairs. A usage error for anything else."""
    found = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
        found[name] = value
    return found
