"""Reads which module of a package imports what, and where a rule of the architecture is broken."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One import of a module, or of a name in a module, wherever it stands in a file."""

    file: str
    """Where it stands: a path relative to the package's folder."""
    line: int
    target: str
    """The absolute name of what is imported, with the names after ``from … import``."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


@cache
def parsed(package: Path) -> list[tuple[Path, list[ast.AST]]]:
    """The files of a package, relative to it, with all nodes of each."""
    return [
        (path.relative_to(package), list(ast.walk(ast.parse(path.read_text()))))
        for path in sorted(package.rglob("*.py"))
    ]


def imports(package: Path) -> Iterator[Import]:
    """All imports of a package, those for type checkers and inside functions too."""
    for file, nodes in parsed(package):
        parents = [package.name, *file.parent.parts]
        for node in nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield Import(str(file), node.lineno, name.name)
            elif isinstance(node, ast.ImportFrom):
                base = parents[: len(parents) + 1 - node.level] if node.level else []
                module = ".".join([*base, *filter(None, [node.module])])
                for name in node.names:
                    yield Import(str(file), node.lineno, f"{module}.{name.name}")


def room(file: str) -> str:
    """The folder of the package that a file is in; the file itself at the package's root."""
    return file.split("/")[0] if "/" in file else file.removesuffix(".py")


def broken_layers(package: Path, allowed: Mapping[str, set[str]]) -> list[str]:
    """Imports between folders that ``allowed`` (folder -> folders it may import) lacks."""
    broken = []
    for found in imports(package):
        inside = found.target.removeprefix(f"{package.name}.")
        target = inside.split(".")[0]
        if inside == found.target or target == room(found.file):
            continue
        if target not in allowed.get(room(found.file), set()):
            broken.append(str(found))
    return broken


def broken_libraries(package: Path, library: str, allowed: set[str]) -> list[str]:
    """Imports of a library outside the folders and files that may."""
    return [
        str(found)
        for found in imports(package)
        if found.target.split(".")[0] == library and not {room(found.file), found.file} & allowed
    ]


def private_names(package: Path, library: str, private: set[str]) -> Iterator[tuple[str, str]]:
    """(file, what) for each private name of a library that a package touches.

    Private are the library's names that begin with ``_``, whatever lies in its modules
    ``private``, and the attributes and texts of that name.
    """

    def is_private(dotted: str) -> bool:
        first, *rest = dotted.split(".")
        return first == library and any(r in private or _hidden(r) for r in rest)

    for found in imports(package):
        if is_private(found.target):
            yield found.file, str(found)
    for file, nodes in parsed(package):
        for node in nodes:
            name = ""
            if isinstance(node, ast.Attribute):
                name = ast.unparse(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = node.value
            touched = name.split(".")[-1] in private if name.isprintable() else False
            if touched or is_private(name):
                yield str(file), f"{file}:{node.lineno} touches {name}"  # type: ignore[attr-defined]


def _hidden(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
