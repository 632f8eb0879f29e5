"""A call of a classic agent, and what a service may answer, for tests of single requests."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.stream_service import ThreadService
from tests.support.thread_streams import THREAD
from tests.support.ways import Way

BASE = "https://acme.services.ai.azure.com/api/projects/demo"
NEW = f"{BASE}/threads/runs"
RUNS = f"{BASE}/threads/{THREAD}/runs"
SECRET = "sk-very-secret-0123456789"
HELLO = [{"role": "user", "content": "Hello"}]


def ask(way: Way | str = "sync", **arguments: Any) -> Any:
    way = Way(way) if isinstance(way, str) else way
    given = {"model": "azure_ai/agents/asst_rec", "messages": HELLO, "api_base": BASE,
             "api_key": SECRET, **arguments}  # fmt: skip
    return way.ask(**given)


def streamed(name: str = "plain", *, cut: int | None = None) -> httpx.Response:
    played = ThreadService(name)
    body = played.body if cut is None else played.body[:cut]
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)


def refusal(status: int, message: str = "No.", **error: Any) -> dict[str, Any]:
    body = {"error": {"message": message, "type": None, "param": None, "code": None, **error}}
    return {"status_code": status, "json": body, "headers": {"x-request-id": "req-42"}}


def waits_for(name: str) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call]}}
