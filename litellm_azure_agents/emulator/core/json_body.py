"""JSON as a service reads it. What only Python's own reader accepts is refused."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 200  # a schema that the service accepts has at most 10 levels


def parse_json(raw: bytes) -> Any:
    """JSON that can be stored and sent again. Raises ValueError."""
    try:
        data = json.loads(raw.decode(), parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if b"\\ud" in raw.lower():  # half of a surrogate pair can't be stored or sent
        json.dumps(data, ensure_ascii=False).encode()
    level = [data]
    for _ in range(MAX_DEPTH):  # other code walks the data by recursion
        level = [
            part
            for value in level
            if isinstance(value, (dict, list))
            for part in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return data
    raise ValueError("it is nested too deeply")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value
