"""Imports run one way, and each library is known in one place. The rules are tested themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import litellm_azure_agents
from tests.support.architecture import (
    broken_layers,
    broken_libraries,
    imports,
    private_names,
    room,
)

PACKAGE = Path(litellm_azure_agents.__file__).parent

BELOW_A_TURN = {"answer", "content", "continuity", "core"}
ALLOWED: dict[str, set[str]] = {
    "__init__": {
        "agents", "conversations", "core", "doctor", "files", "host", "proxy_config", "runs",
        "tool_loop", "vector_stores",
    },
    "proxy": {"host"},
    "agents": {"core", "drivers", "host"},
    "conversations": {"core", "drivers", "host"},
    "doctor": {"auth", "core", "drivers", "host", "responses", "tool_loop"},
    "files": {"content", "core", "drivers", "host"},
    "proxy_config": {"core", "host"},
    "runs": {"core", "drivers", "host"},
    "vector_stores": {"content", "core", "drivers", "files", "host"},
    # The public face by `import litellm_azure_agents`, so that `--help` loads no LiteLLM.
    "cli": {"emulator"},
    "tool_loop": {"continuity", "core", "drivers", "host"},
    "host": {"threads", "responses", "protocol", "drivers", "auth", "stores", *BELOW_A_TURN},
    "drivers": {"auth", "core", "stores"},
    "stores": set(),
    "threads": {"protocol", *BELOW_A_TURN},
    "responses": {"protocol", *BELOW_A_TURN},
    "protocol": {"answer", "content", "continuity", "core"},
    "continuity": {"content", "core"},
    "content": {"answer", "core"},
    "answer": {"core"},
    "auth": {"core"},
    "core": set(),
    "emulator": set(),
}  # fmt: skip
"""Folder (or file at the package's root) -> what it may import. There is no circle in it."""

LIBRARIES = {
    # LiteLLM's exceptions are made with an httpx.Response.
    "httpx": {"drivers", "emulator", "core/errors.py"},
    "aiohttp": {"drivers"},
    # The emulator may let a model of LiteLLM's answer; the tool loop uses its public functions.
    # The command silences LiteLLM's advertisements.
    "litellm": {
        "host", "core/errors.py", "tool_loop", "cli/session.py",
        "emulator/__main__.py", "emulator/models/litellm_model.py",
    },
}  # fmt: skip
"""Library -> the folders and files that may import it."""

PRIVATE = {"llms", "litellm_core_utils", "_hidden_params"}
"""Parts of LiteLLM that aren't public, besides every name that begins with `_`."""


def test_every_folder_has_a_rule() -> None:
    assert {room(str(p.relative_to(PACKAGE))) for p in PACKAGE.rglob("*.py")} == set(ALLOWED)


def test_the_rules_have_no_circle() -> None:
    left = dict(ALLOWED)
    while left:
        leaves = {name for name, below in left.items() if not below & set(left)}
        assert leaves, f"a circle among {sorted(left)}"
        left = {name: below for name, below in left.items() if name not in leaves}


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_run_one_way(folder: str) -> None:
    lines = broken_layers(PACKAGE, ALLOWED)
    broken = [line for line in lines if room(line.split(":")[0]) == folder]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_in_its_folders_only(library: str) -> None:
    broken = broken_libraries(PACKAGE, library, LIBRARIES[library])
    assert not broken, "\n".join(broken)


def test_private_names_of_litellm_are_touched_in_host_only() -> None:
    found = list(private_names(PACKAGE, "litellm", PRIVATE))
    assert any(room(file) == "host" for file, _ in found), "the seams are no longer seen"
    broken = [what for file, what in found if room(file) != "host"]
    assert not broken, "\n".join(broken)


# -- the rules find what breaks them -----------------------------------------------------------


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """A package that breaks each rule, in each way of writing an import."""
    package = tmp_path / "shop"
    files = {
        "__init__.py": "from .core import prices\n",
        "core/__init__.py": "",
        "core/prices.py": "from ..host import till\nimport shop.host.door\n",
        "host/__init__.py": "from ..core.prices import now\nfrom . import till\n",
        "host/till.py": "def f():\n    from shop.drivers import wire\n",
        "drivers/wire.py": (
            "from typing import TYPE_CHECKING\nimport httpx._client\n"
            "if TYPE_CHECKING:\n    from ..host import till\n"
        ),
        "drivers/seam.py": (
            "import litellm\nfrom litellm.llms.azure import x\n"
            "litellm._providers\nlitellm.open\nx._hidden_params\nself._own\n"
            "patch('litellm.llms.y')\n'see litellm.'\n"
        ),
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def test_every_form_of_an_import_is_seen(made_up: Path) -> None:
    assert [str(found) for found in imports(made_up) if "httpx" not in found.target] == [
        "__init__.py:1 imports shop.core.prices",
        "core/prices.py:1 imports shop.host.till",
        "core/prices.py:2 imports shop.host.door",
        "drivers/seam.py:1 imports litellm",
        "drivers/seam.py:2 imports litellm.llms.azure.x",
        "drivers/wire.py:1 imports typing.TYPE_CHECKING",
        "drivers/wire.py:4 imports shop.host.till",
        "host/__init__.py:1 imports shop.core.prices.now",
        "host/__init__.py:2 imports shop.host.till",
        "host/till.py:2 imports shop.drivers.wire",
    ]


def test_an_arrow_back_is_found(made_up: Path) -> None:
    rules = {"__init__": {"core"}, "host": {"core", "drivers"}}
    assert broken_layers(made_up, rules) == [
        "core/prices.py:1 imports shop.host.till",
        "core/prices.py:2 imports shop.host.door",
        "drivers/wire.py:4 imports shop.host.till",
    ]
    everything = {"core": {"host"}, "drivers": {"host"}}
    assert broken_layers(made_up, {**rules, **everything}) == []


def test_a_library_elsewhere_is_found(made_up: Path) -> None:
    found = ["drivers/wire.py:2 imports httpx._client"]
    assert broken_libraries(made_up, "httpx", {"host", "drivers/aio.py"}) == found
    assert broken_libraries(made_up, "httpx", {"drivers"}) == []
    assert broken_libraries(made_up, "httpx", {"drivers/wire.py"}) == []


def test_private_names_are_found(made_up: Path) -> None:
    assert [what for _, what in private_names(made_up, "litellm", PRIVATE)] == [
        "drivers/seam.py:2 imports litellm.llms.azure.x",
        "drivers/seam.py:3 touches litellm._providers",
        "drivers/seam.py:5 touches x._hidden_params",
        "drivers/seam.py:7 touches litellm.llms.y",
    ]


def test_long_modules_say_why() -> None:
    for module in PACKAGE.rglob("*.py"):
        source = module.read_text()
        if source.count("\n") > 405:
            reason = ast.get_docstring(ast.parse(source)) or ""
            assert "This is one module because" in reason, module.relative_to(PACKAGE)
