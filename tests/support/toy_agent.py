"""Calls of the hosted agent of `hosted_agent.py`."""

from __future__ import annotations

import json
from typing import Any

from tests.support.ways import Result, Way

UNSTORED = {"store": False, "extra_body": {"store": False}}
"""LiteLLM loses the first before 1.99."""


def arguments_of(hosted_agent: str, messages: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return {
        "model": "azure_ai/agents/toy",
        "api_base": hosted_agent,
        "messages": messages,
        **arguments,
    }


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def tool(result: Result, index: int, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": result.tool_calls[index][0], "content": content}


def seen(result: Result) -> dict[str, Any]:
    return json.loads(result.text)  # type: ignore[no-any-return]


def asking(way: Way, hosted_agent: str) -> Any:
    """A function that asks the agent in one way; its messages may be the words of a user."""

    def ask(messages: Any, **arguments: Any) -> Result:
        return way.ask(**arguments_of(hosted_agent, messages, arguments))

    return ask
