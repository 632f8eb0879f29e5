"""The rules that answer by default."""

from __future__ import annotations

import time

import pytest

from ..wire import Wire, last_run, said


def test_a_slow_agent_starts_late(wire: Wire) -> None:
    start = time.monotonic()
    assert said(wire.ask("asst_slow", "x")) == "You said: x"
    assert time.monotonic() - start > 0.3 + 3 * 0.15


@pytest.mark.parametrize(
    "text", ["9" * 5000, "1e999 nan " + "7" * 400, "1.2.3.4 -- --5 【4:" + "8" * 5000]
)
@pytest.mark.parametrize("agent", ["asst_code", "asst_json", "asst_incomplete", "asst_weather"])
def test_numbers_that_are_too_large_for_a_number(wire: Wire, agent: str, text: str) -> None:
    kinds = {"n": {"type": "integer"}, "x": {"type": "number"},
             "all": {"type": "array", "items": {"type": "number"}}}  # fmt: skip
    schema = {"type": "object", "properties": kinds, "required": list(kinds)}
    format = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    more = {"response_format": format} if agent == "asst_json" else {}
    run = last_run(wire.ask(agent, "Plot " + text, **more))
    assert run["last_error"] is None
