"""Runs one piece of Python code under limits: the child process of `code_runner`.

It imports nothing of the package and is started as a script, with the limits as arguments:
CPU seconds, bytes of memory, bytes of a file. The code comes on standard input.
"""

from __future__ import annotations

import ast
import os
import resource
import sys
import traceback
from types import CodeType
from typing import Any

PLACE = "<code>"


def limit(cpu: int, memory: int, file: int) -> None:
    """Set hard limits; the code can't lift them again."""
    for kind, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # not every system has every limit
            if kind != resource.RLIMIT_AS:
                raise


def parts(source: str) -> tuple[CodeType, CodeType | None]:
    """The code, and its last expression apart, whose value is shown as in a notebook."""
    tree = ast.parse(source, PLACE)
    last: ast.expr | None = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        statement = tree.body.pop()
        assert isinstance(statement, ast.Expr)
        last = statement.value
    shown = compile(ast.Expression(last), PLACE, "eval") if last is not None else None
    return compile(tree, PLACE, "exec"), shown


def save_figures() -> None:
    """Figures of matplotlib that the code has left open become images."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        pyplot.figure(number).savefig(f"figure-{number}.png")


def main() -> int:
    """Run the code. Errors are printed as Python prints them, without the frames of this file."""
    source = sys.stdin.read()
    limit(*map(int, sys.argv[1:4]))
    sys.argv = [PLACE]
    sys.path.insert(0, os.getcwd())
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        code, last = parts(source)
        exec(code, names)
        if last is not None and (value := eval(last, names)) is not None:
            print(repr(value))
        save_figures()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BaseException as error:
        sys.stdout.flush()
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != PLACE:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace, file=sys.stdout)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads that the code has left behind don't keep it
