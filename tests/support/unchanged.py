"""A check that nothing was changed at the service."""

from __future__ import annotations

from litellm_azure_agents.emulator import Emulator


class Unchanged:
    """Within it every request to the service only reads."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def __enter__(self) -> None:
        self._before = len(self._emulator.requests)

    def __exit__(self, *_: object) -> None:
        methods = {r.method for r in self._emulator.requests[self._before :]}
        assert methods <= {"GET"}, "something was sent that could change another's things"
