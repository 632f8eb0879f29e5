"""The log of requests."""

from __future__ import annotations

from litellm_azure_agents.emulator import Emulator

from ..wire import Wire


def test_requests_are_recorded_without_the_token(wire: Wire, emulator: Emulator) -> None:
    wire.ask("asst_echo", "hi")
    (record,) = emulator.requests
    assert (record.method, record.status) == ("POST", 200)
    assert record.path.endswith("/threads/runs")
    assert record.query == "api-version=v1"
    assert record.body["thread"]["messages"][0]["content"] == "hi"
    assert emulator.token not in repr(record)
    emulator.reset()
    assert emulator.requests == []
