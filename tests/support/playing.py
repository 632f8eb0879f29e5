"""Plays a stored stream through LiteLLM, in any of the ways of making a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import litellm

from tests.support.stream_service import SERVICES, StreamService
from tests.support.ways import COUNTS_NOTHING_AS_NOTHING, WAYS, Result, Way

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
AGENTS = {"threads": "asst_rec", "responses": "bob"}
"""For each protocol, the name of an agent that speaks it."""
WAYS_AND_MODES = [(way, mode) for way in WAYS for mode in ("stream", "poll")]


@contextmanager
def clients_to(service: StreamService) -> Iterator[None]:
    """LiteLLM's own settings for HTTP clients lead to the service."""
    litellm.client_session = httpx.Client(transport=service.transport)
    litellm.aclient_session = httpx.AsyncClient(transport=service.transport)
    try:
        yield
    finally:
        litellm.client_session = litellm.aclient_session = None


def play(
    way: str, name: str, *, protocol: str = "threads", service: StreamService | None = None,
    **options: Any,
) -> Result:  # fmt: skip
    """The answer to a call that is served the stream."""
    with clients_to(service or SERVICES[protocol](name)):
        return Way(way).ask(
            model=f"azure_ai/agents/{AGENTS[protocol]}",
            messages=[{"role": "user", "content": "Go."}],
            api_base=BASE,
            api_key="key",
            poll_interval=0.001 if options.get("run_mode") == "poll" else None,
            **options,
        )


def comparable(result: Result) -> tuple[Any, ...]:
    """What must be the same in whichever way a call is made."""
    counted = COUNTS_NOTHING_AS_NOTHING or result.finish_reason != "tool_calls"
    return (
        result.text, result.finish_reason, result.usage if counted else None, result.ids,
        result.tool_calls, result.annotations, result.images, result.reasoning,
        result.refusal, result.cost if counted else None, result.fields,
    )  # fmt: skip


def play_everywhere(name: str, *, protocol: str = "threads", **options: Any) -> Result:
    """The answer of all ways and modes, which must be one."""
    results = [
        play(way, name, protocol=protocol, run_mode=mode, **options) for way, mode in WAYS_AND_MODES
    ]
    for (way, mode), result in zip(WAYS_AND_MODES, results, strict=True):
        assert comparable(result) == comparable(results[0]), (way, mode)
    return results[0]
