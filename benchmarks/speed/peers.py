"""The peers: each asks for one streamed answer, sync and async, and yields its pieces of text.

A peer is made in a process of its own (`child.py`), so it imports and registers only what it needs.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

MESSAGES = [{"role": "user", "content": "Write some words."}]
TIMEOUT = 300.0


class Peer(ABC):
    """One way of asking. ``base`` is the server's address with the shape of the answer."""

    @abstractmethod
    def ask(self, base: str, **options: Any) -> Iterator[str]:
        """The pieces of an answer, sync."""

    @abstractmethod
    def aask(self, base: str, **options: Any) -> AsyncIterator[str]:
        """The pieces of an answer, async."""


class Marks:
    """Finds a mark in a body that comes in pieces; each stands for one word of text."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._rest = b""

    def words(self, data: bytes) -> str:
        """The words of the marks that end in ``data``."""
        data = self._rest + data
        self._rest = data[-len(self._mark) + 1 :]
        return "word " * data.count(self._mark)


class Raw(Peer):
    """httpx that reads the bytes and looks for deltas in them: no JSON, no answer."""

    def __init__(self, path: str, mark: bytes) -> None:
        import httpx

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self.path, self.mark = path, mark
        self.client = httpx.Client(limits=limits, timeout=TIMEOUT)
        self.aclient = httpx.AsyncClient(limits=limits, timeout=TIMEOUT)

    def ask(self, base: str, **options: Any) -> Iterator[str]:
        with self.client.stream("POST", base + self.path, json={"messages": MESSAGES}) as response:
            marks = Marks(self.mark)
            for data in response.iter_bytes():
                if words := marks.words(data):
                    yield words

    async def aask(self, base: str, **options: Any) -> AsyncIterator[str]:
        request = self.aclient.stream("POST", base + self.path, json={"messages": MESSAGES})
        async with request as response:
            marks = Marks(self.mark)
            async for data in response.aiter_bytes():
                if words := marks.words(data):
                    yield words


class LiteLLM(Peer):
    """A model of LiteLLM's."""

    def __init__(self, model: str, *, plugin: bool = False) -> None:
        import litellm

        litellm.suppress_debug_info = True
        self.litellm: Any = litellm
        if plugin:
            import litellm_azure_agents

            litellm_azure_agents.register()
        self.arguments = {
            "model": model, "messages": MESSAGES, "api_key": "x", "stream": True,
            "timeout": TIMEOUT,
        }  # fmt: skip

    def ask(self, base: str, **options: Any) -> Iterator[str]:
        arguments = {**self.arguments, "api_base": base, **options}
        for chunk in self.litellm.completion(**arguments):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def aask(self, base: str, **options: Any) -> AsyncIterator[str]:
        arguments = {**self.arguments, "api_base": base, **options}
        async for chunk in await self.litellm.acompletion(**arguments):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


class AzureClient(Peer):
    """azure-ai-agents, on a thread that is there."""

    def __init__(self) -> None:
        from azure.ai.agents import AgentsClient
        from azure.ai.agents.aio import AgentsClient as AsyncAgentsClient
        from azure.ai.agents.models import MessageDeltaChunk

        from litellm_azure_agents.emulator.sdk import client_options

        self.kinds: tuple[Any, Any] = (AgentsClient, AsyncAgentsClient)
        self.options, self.delta = client_options("x"), MessageDeltaChunk
        self.clients: dict[str, Any] = {}

    def _client(self, base: str, kind: Any) -> Any:
        key = f"{base} {kind.__module__}"
        if key not in self.clients:
            self.clients[key] = kind(endpoint=base, **self.options)
        return self.clients[key]

    def ask(self, base: str, **options: Any) -> Iterator[str]:
        runs = self._client(base, self.kinds[0]).runs
        with runs.stream(thread_id="thread_bench", agent_id="asst_bench") as stream:
            for _, data, _ in stream:
                if isinstance(data, self.delta):
                    yield data.text

    async def aask(self, base: str, **options: Any) -> AsyncIterator[str]:
        runs = self._client(base, self.kinds[1]).runs
        async with await runs.stream(thread_id="thread_bench", agent_id="asst_bench") as stream:
            async for _, data, _ in stream:
                if isinstance(data, self.delta):
                    yield data.text


class OpenAIClient(Peer):
    """The openai client's Responses API."""

    def __init__(self) -> None:
        import openai

        self.kinds: tuple[Any, Any] = (openai.OpenAI, openai.AsyncOpenAI)
        self.clients: dict[str, Any] = {}

    def _client(self, base: str, kind: Any) -> Any:
        key = f"{base} {kind.__name__}"
        if key not in self.clients:
            self.clients[key] = kind(base_url=base, api_key="x", timeout=TIMEOUT)
        return self.clients[key]

    def ask(self, base: str, **options: Any) -> Iterator[str]:
        responses = self._client(base, self.kinds[0]).responses
        for event in responses.create(model="bench", input="Write.", stream=True):
            if event.type == "response.output_text.delta":
                yield event.delta

    async def aask(self, base: str, **options: Any) -> AsyncIterator[str]:
        responses = self._client(base, self.kinds[1]).responses
        async for event in await responses.create(model="bench", input="Write.", stream=True):
            if event.type == "response.output_text.delta":
                yield event.delta


PEERS: dict[str, Callable[[], Peer]] = {
    "raw httpx": lambda: Raw("/threads/runs", b"event: thread.message.delta\n"),
    "this plugin": lambda: LiteLLM("azure_ai/agents/asst_bench", plugin=True),
    "LiteLLM's built-in": lambda: LiteLLM("azure_ai/agents/asst_bench"),
    "LiteLLM's openai": lambda: LiteLLM("openai/gpt-4o-mini"),
    "azure-ai-agents": AzureClient,
    "raw httpx, new": lambda: Raw("/openai/v1/responses", b"event: response.output_text.delta\n"),
    "this plugin, new": lambda: LiteLLM("azure_ai/agents/bench", plugin=True),
    "openai client, new": OpenAIClient,
}
"""Names of peers, as the table has them; "new": new agents, which speak the Responses protocol."""
