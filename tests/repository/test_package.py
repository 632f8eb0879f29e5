"""The distribution: what a user gets who installs the wheel into an empty environment."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest

import litellm_azure_agents
from tests.environments import CONSTRAINTS, ROOT, UV

PUBLIC = [
    "AzureAgents",
    "Options",
    "RegistrationError",
    "TooManyRounds",
    "__version__",
    "agents",
    "arun_tools",
    "conversations",
    "doctor",
    "files",
    "proxy_config",
    "register",
    "run_tools",
    "runs",
    "unregister",
    "vector_stores",
]
"""The names of `litellm_azure_agents` itself, as its docstrings and the README describe them."""
PATHS = {
    "litellm_azure_agents": PUBLIC,
    "litellm_azure_agents.proxy": ["handler"],
    "litellm_azure_agents.files": ["upload", "aupload", "content", "delete", "info", "list"],
    "litellm_azure_agents.vector_stores": ["create", "acreate", "delete", "files", "list", "show"],
    "litellm_azure_agents.agents": ["list", "alist", "show", "proxy_config"],
    "litellm_azure_agents.conversations": ["list", "show", "items", "tag", "delete", "prune"],
    "litellm_azure_agents.runs": ["list", "show", "cancel", "tail", "atail"],
    "litellm_azure_agents.doctor": ["diagnose", "Finding"],
    "litellm_azure_agents.proxy_config": ["check", "entry", "read"],
    "litellm_azure_agents.emulator": ["Emulator"],
    "litellm_azure_agents.emulator.testing": [
        "LocalCredential", "client_options", "emulator", "emulator_options", "emulator_server",
    ],
}  # fmt: skip


pytestmark = pytest.mark.xdist_group("package")  # built and installed once

# -- public names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PATHS.items() for name in names]
)
def test_a_public_path_leads_somewhere(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is not None


def test_no_more_is_exported_than_is_documented() -> None:
    assert litellm_azure_agents.__all__ == PUBLIC
    assert dir(litellm_azure_agents) == PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        litellm_azure_agents.nonsense  # noqa: B018


def test_type_checkers_see_the_names_that_are_loaded_when_used() -> None:
    """The names of the type checkers' imports and of `__getattr__` are the same."""
    tree = ast.parse(Path(litellm_azure_agents.__file__).read_text())
    typed = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed | {"__version__"} == set(PUBLIC)


# -- the wheel and the source archive ----------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "uv", "build", "-q", "--offline", "-o", folder, ROOT]
    subprocess.run(command, check=True, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel, its dependencies, and no more."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run(
        [sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, folder / "venv"],
        check=True,
    )
    python = folder / "venv" / "bin" / "python"
    # Offline: uv's cache has all that the environment of these tests was made of.
    wheel = f"{wheel_of(built)}[emulator]"
    options = ["-q", "--offline", "--python", python, "-c", CONSTRAINTS / "main.txt"]
    subprocess.run([*UV, "install", *options, wheel], check=True)
    return python


def wheel_of(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


def run(python: Path, code: str, folder: Path) -> str:
    """What code prints that runs outside of the source tree, with nothing else on its path."""
    done = subprocess.run(
        [python, "-I", "-c", textwrap.dedent(code)],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def package_files() -> set[str]:
    package = Path(litellm_azure_agents.__file__).parent
    return {
        str(path.relative_to(package.parent))
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_wheel_has_all_files_of_the_package(built: Path) -> None:
    with zipfile.ZipFile(wheel_of(built)) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    documents = {name for name in package_files() if name.endswith(".md")}
    assert names | documents == package_files()
    assert "litellm_azure_agents/py.typed" in names


def test_the_source_archive_has_what_it_takes_to_build(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_the_wheel_serves_sdk_proxy_and_emulator(installed: Path, tmp_path: Path) -> None:
    code = f"""
        import os
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm_azure_agents as package
        print(package.__file__)
        print(package.__version__)
        for name in {PUBLIC!r}:
            getattr(package, name)
        from litellm_azure_agents.proxy import handler
        from litellm_azure_agents.emulator import Emulator
        import litellm
        with Emulator() as emulator:
            for agent in ("asst_echo", "echo"):
                answer = litellm.completion(
                    model="azure_ai/agents/" + agent, api_base=emulator.endpoint,
                    api_key=emulator.token, messages=[{{"role": "user", "content": "hi"}}],
                )
                print(answer.choices[0].message.content)
    """
    file, version, *answers = run(installed, code, tmp_path).splitlines()
    assert file.startswith(str(installed.parents[1]))
    assert version == litellm_azure_agents.__version__
    assert answers == ["You said: hi"] * 2


USERS_FILE = """\
from litellm_azure_agents import AzureAgents, Options, arun_tools, files, register, run_tools
from litellm_azure_agents.emulator import Emulator
from litellm_azure_agents.proxy import handler

register()
register("everything")  # wrong
agents: AzureAgents = handler
def citations(options: Options) -> str:
    return options.nonsense or options.citations  # wrong
with Emulator() as emulator:
    url: str = emulator.endpoint
    port: int = emulator.endpoint  # wrong
run_tools()  # wrong
"""


def test_a_type_checker_sees_the_types_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Without `py.typed` mypy would refuse the first line, and see nothing wrong in the others."""
    (tmp_path / "user.py").write_text(USERS_FILE)
    # LiteLLM is another's, and a minute's work for mypy.
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = True\n"
        "[mypy-litellm.*,openai.*]\nfollow_imports = skip\nfollow_imports_for_stubs = True\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", installed, "--cache-dir", ".cache",
         "user.py"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    found = {int(line.split(":")[1]) for line in checked.stdout.splitlines() if ": error:" in line}
    wrong = {
        number for number, line in enumerate(USERS_FILE.splitlines(), 1) if line.endswith("# wrong")
    }
    assert found == wrong, checked.stdout + checked.stderr
