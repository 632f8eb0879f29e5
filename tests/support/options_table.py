"""The table of options, made from the code.

`python -m tests.support.options_table` writes it anew.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

from litellm_azure_agents.core.options import OPERATOR_OPTIONS, Options

PAGE = Path(__file__).parents[2] / "docs" / "options.md"
BEGIN, END = "<!-- options -->", "<!-- end of options -->"


def options_table() -> str:
    """A row for every option: name, type, default, whose it is, what it does."""
    rows = ["| option | values (default) | whose | |", "|---|---|---|---|"]
    for name, field in Options.model_fields.items():
        whose = "operator" if name in OPERATOR_OPTIONS else "caller"
        default = "" if field.default is None else f" (`{str(field.default).lower()}`)"
        rows.append(
            f"| `{name}` | {_values(field.annotation)}{default} | {whose} | {field.description} |"
        )
    return "\n".join(rows)


def _values(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " · ".join(f"`{value}`" for value in typing.get_args(annotation))
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _values(arguments[0])
    if arguments and origin not in (list, dict):
        return _values(arguments[0])
    if annotation is Any:
        return "object"
    return {bool: "`true` · `false`", str: "text", int: "number", float: "number"}.get(
        annotation, {list: "list", dict: "mapping"}.get(origin, "text")
    )


def filled(text: str) -> str:
    """The page with its table of options as the code has it."""
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1] if END in rest else rest
    return f"{before}{BEGIN}\n{options_table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
