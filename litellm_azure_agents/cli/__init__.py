"""The command ``litellm-azure-agents``: thin over the package's public modules."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NAME = "litellm-azure-agents"


def main() -> None:
    """Run the command; says what is missing if its extra is not installed."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        print(
            f"{NAME} needs {' and '.join(missing)}: pip install 'litellm-azure-agents[cli]'",
            file=sys.stderr,
        )
        sys.exit(1)
    from .app import app

    app(prog_name=NAME)
