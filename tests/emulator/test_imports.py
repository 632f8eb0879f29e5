"""Imports inside the emulator run one way, from the application down to `core`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from litellm_azure_agents import emulator

ROOT = Path(emulator.__file__).parent
ALLOWED = {
    "core": set(),
    "models": {"core"},
    "files": {"core", "models"},
    "middleware": {"core"},
    "engine": {"core", "models", "files"},
    "threads": {"core", "models", "files", "engine"},
    "responses": {"core", "models", "files", "engine"},
    "page": {"core", "middleware", "engine", "threads", "responses"},
}
"""What the modules of a folder may import of the emulator when they run."""
PUTS_PARTS_TOGETHER = "server"


def imported(module: Path) -> Iterator[str]:
    """Folders and modules of the emulator that a module imports when it runs."""
    todo: list[ast.AST] = [ast.parse(module.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = module.relative_to(ROOT).parts[: -node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                yield [*folder, *name.split(".")][0]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            assert not any(name.split(".")[0] == "litellm_azure_agents" for name in names)
        todo += ast.iter_child_nodes(node)


def test_folders_import_only_what_is_below_them() -> None:
    for folder, below in ALLOWED.items():
        modules = list((ROOT / folder).glob("*.py"))
        assert modules, folder
        for module in modules:
            assert set(imported(module)) <= {folder, *below}, module


def test_every_folder_has_its_place() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(ALLOWED)


def test_one_module_puts_the_project_together() -> None:
    modules = [path for path in ROOT.rglob("*.py") if "project" in set(imported(path))]
    assert [path.stem for path in modules] == [PUTS_PARTS_TOGETHER]
