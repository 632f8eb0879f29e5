"""Saves what an agent made under a name that the service chose: never elsewhere, never over."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

_UNSAFE = re.compile(r"[\x00-\x1f\x7f<>:\"/\\|?*]")


def save(folder: Path, name: str, data: bytes) -> Path:
    """Write a new file in ``folder``, and return its path. A number is added to a name that is
    taken; of a path only the last part counts."""
    plain = _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")[:200]
    path = Path(plain or "file")
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        tried = folder / (path.name if number == 1 else f"{path.stem}-{number}{path.suffix}")
        try:
            with tried.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return tried
    raise AssertionError("there is always a free number")
