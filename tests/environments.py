"""The environments that the tests run in, one for each supported end of LiteLLM's range.

``constraints/main.txt`` pins everything that the README's commands install; its LiteLLM is the
newest whose ``proxy`` extra can be installed whole. ``oldest.txt`` and ``newest.txt`` pin the
oldest LiteLLM of the range in pyproject.toml and the newest release there is. Both are complete
lists, so they are installed without resolving anything.

`refresh` writes all three from the newest releases on the package index.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = Path(__file__).parent / "constraints"
UV = [sys.executable, "-m", "uv", "pip"]
PYTHON = "3.10"
"""The oldest Python that the constraints must work on."""


def oldest_litellm() -> str:
    """The lower end of LiteLLM's range in pyproject.toml."""
    found = re.search(r'"litellm\[mcp\]>=([\d.]+),', (ROOT / "pyproject.toml").read_text())
    assert found is not None, "pyproject.toml names no lower bound of litellm[mcp]"
    return found[1]


def newest_litellm() -> str:
    """The newest release of LiteLLM on the package index."""
    command = [*UV, "compile", "-q", "--no-deps", "--no-header", "--no-annotate", "-"]
    answer = subprocess.run(command, input="litellm", text=True, capture_output=True, check=True)
    return answer.stdout.strip().removeprefix("litellm==")


def create(name: str) -> Path:
    """The interpreter of the environment ``oldest`` or ``newest``, made or brought up to date."""
    folder = ROOT / f".venv-{name}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder)
    pins = CONSTRAINTS / f"{name}.txt"
    # The lists are complete: see `refresh` for why resolving them again could fail.
    subprocess.run(
        [*UV, "install", "-q", "--python", python, "--no-deps", "-r", pins, "-e", ROOT], check=True
    )
    return python


def refresh() -> None:
    """Write the three lists of constraints from the newest releases on the package index."""
    never = "; python_version < '0'"
    _compile("main", [])
    _compile(
        "oldest",
        [
            f"litellm[mcp,proxy]=={oldest_litellm()}",
            # What needs openai 3, which LiteLLM takes from 1.108 on.
            "openai<3",
            f"openai-agents {never}",
            f"azure-ai-projects {never}",
        ],
    )
    _compile(
        "newest",
        [
            f"litellm[mcp,proxy]=={newest_litellm()}",
            # The proxy extra pins companions that are not always published with the release. The
            # newest of them that exist serve what is tested here.
            f"litellm-proxy {never}",
            "litellm-enterprise",
            "litellm-proxy-extras",
        ],
    )


def _compile(name: str, overrides: list[str]) -> None:
    """Resolve the extra ``test`` for every platform and Python that we support."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(overrides))
        file.flush()
        target = CONSTRAINTS / f"{name}.txt"
        command = [
            *UV, "compile", "-q", "--upgrade", "--universal", "--python-version", PYTHON,
            "--no-header", "--no-annotate", "--extra", "test", "--override", file.name,
            "pyproject.toml", "-o", str(target.relative_to(ROOT)),
        ]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True)
    lines = len(target.read_text().splitlines())
    print(f"{target.relative_to(ROOT)}: {lines} packages")
