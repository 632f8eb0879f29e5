"""Addresses, calls and messages of a new agent, for tests without a service."""

from __future__ import annotations

import time
from typing import Any

from litellm_azure_agents.continuity.call_ids import CallKind, encode
from litellm_azure_agents.core.call import Call
from litellm_azure_agents.core.endpoint import Endpoint
from litellm_azure_agents.core.errors import Context
from litellm_azure_agents.core.options import Options, Params

PROJECT = "https://acc.services.ai.azure.com/api/projects/p"
AGENT = f"{PROJECT}/agents/bob/endpoint/protocols/openai"
APPLICATION = f"{PROJECT}/applications/shop/protocols/openai"
PUBLISHED = f"{APPLICATION}/responses?api-version=2025-11-15-preview"


def make_call(messages: Any = (), params: Any = None, drop: bool = False, **options: Any) -> Call:
    return Call(
        agent="bob",
        endpoint=Endpoint(PROJECT),
        messages=messages,
        options=Options(**options),
        params=Params(**(params or {})),
        context=Context(model="agents/bob", provider="azure_ai", agent="bob"),
        clock=time.monotonic,
        started=time.monotonic(),
        timeout=5,
        random=lambda: 0.5,
        max_retries=2,
        drop_params=drop,
    )


def asked(*ids: str) -> dict[str, Any]:
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def told(call_id: str, content: Any = "x") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def say(words: str) -> dict[str, Any]:
    return {"role": "user", "content": words}


R1, R2 = (
    encode(CallKind.RESPONSE_CALL, "resp_1", "call_a"),
    encode(CallKind.RESPONSE_CALL, "resp_1", "call_b"),
)
C1 = encode(CallKind.CONVERSATION_CALL, "conv_1", "call_a")
T1 = encode(CallKind.RUN_CALL, "thread_1", "run_1", "call_a")
P1 = encode(CallKind.RESPONSE_APPROVAL, "resp_1", "mcpr_a")
