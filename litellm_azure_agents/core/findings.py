"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; ``advice`` says what to do if it is not ``ok``."""

    check: str
    status: Status
    message: str
    advice: str = ""
