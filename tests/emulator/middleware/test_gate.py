"""Tokens, host names and the size of bodies."""

from __future__ import annotations

from typing import Any

import httpx

from litellm_azure_agents.emulator import Emulator

from ..wire import Wire


def test_token(emulator: Emulator) -> None:
    url = emulator.endpoint + "/assistants?api-version=v1"
    for headers in ({}, {"Authorization": "Bearer"}, {"api-key": "x"}):
        answer = httpx.get(url, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "Unauthorized"
    with Emulator(token="right") as guarded:
        url = guarded.endpoint + "/assistants?api-version=v1"
        for token, status in (("wrong", 401), ("right", 200)):
            answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status


def test_other_host_names_are_refused(wire: Wire) -> None:
    answer = wire.http.get("/assistants", headers={"Host": "evil.example:80"})
    assert answer.status_code == 403
    port = wire.http.base_url.port
    answer = wire.http.get("/assistants", headers={"Host": f"localhost:{port}"})
    assert answer.status_code == 200


def test_body_limit() -> None:
    with Emulator(max_body_bytes=1000) as emulator:
        wire = Wire(emulator)
        message = {"role": "user", "content": "x" * 2000}
        wire.refused("/threads", {"messages": [message]}, 413)

        def unannounced() -> Any:
            yield b'{"messages": [{"role": "user", "content": "' + b"x" * 2000
            yield b'"}]}'

        answer = wire.http.post("/threads", content=unannounced())
        assert answer.status_code == 413
        wire.http.close()
