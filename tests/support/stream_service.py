"""Services that answer with a stored stream: as it is, cut anywhere, or to be polled."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from litellm_azure_agents.emulator.models.code_answers import bar_chart
from tests.support.streams import file_of

PNG = bar_chart([1, 2, 3])


class StreamService(ABC):
    """Answers requests from a stored stream; use `transport` with an httpx client.

    ``cut`` ends the body after so many bytes (the run itself has gone on to its end); ``size`` is
    the number of bytes of a network read.
    """

    protocol: str

    def __init__(self, name: str, *, size: int = 1 << 20, cut: int | None = None) -> None:
        self.body = file_of(self.protocol, name).read_bytes()
        self.size = size
        self.cut = cut
        self.requests: list[httpx.Request] = []

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    @abstractmethod
    def answer(self, request: httpx.Request) -> httpx.Response:
        """The reply to a request."""

    def stream(self) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=headers, stream=_Body(self))

    def events(self) -> Iterator[tuple[str, Any]]:
        for frame in self.body.decode().split("\n\n"):
            if frame:
                name, data = frame.split("\n", 1)
                text = data.removeprefix("data: ")
                yield name.removeprefix("event: "), text if text == "[DONE]" else json.loads(text)


class ThreadService(StreamService):
    """A project's classic agent, whose run is that of the stream."""

    protocol = "threads"

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if request.method == "POST" and path.endswith("/cancel"):
            return httpx.Response(200, json=self.run())
        if request.method == "POST":
            if json.loads(request.content).get("stream"):
                return self.stream()
            return httpx.Response(200, json=self.run() | {"status": "queued"})
        if path.endswith("/messages"):
            return httpx.Response(200, json={"data": self.messages(), "has_more": False})
        if path.endswith("/runs"):
            return httpx.Response(200, json={"data": [self.run()], "has_more": False})
        if path.endswith("/content"):
            return httpx.Response(200, content=PNG)
        if "/files/" in path:
            return httpx.Response(200, json={"id": path.split("/")[-1], "filename": "a.txt"})
        if path.endswith("/steps"):
            return httpx.Response(200, json={"data": self.steps(), "has_more": False})
        return httpx.Response(200, json=self.run())

    def run(self) -> dict[str, Any]:
        """The run as it stands at the end, with what was asked of it."""
        runs = [data for name, data in self.events() if name.startswith("thread.run.")]
        last = [data for data in runs if data.get("object") == "thread.run"][-1]
        posted = [json.loads(r.content) for r in self.requests if r.method == "POST" and r.content]
        return {**last, "metadata": posted[0].get("metadata") or {}} if posted else dict(last)

    def messages(self) -> list[dict[str, Any]]:
        return [d for name, d in self.events() if name == "thread.message.completed"]

    def steps(self) -> list[dict[str, Any]]:
        """The steps as they stand at the end, in the order in which they began."""
        found: dict[str, dict[str, Any]] = {}
        for _, data in self.events():
            if isinstance(data, dict) and data.get("object") == "thread.run.step":
                found[data["id"]] = data
        waiting = self.run()["required_action"]
        for step in found.values():
            if waiting and step["type"] == "tool_calls" and step["status"] == "in_progress":
                step["step_details"]["tool_calls"] = waiting["submit_tool_outputs"]["tool_calls"]
        return list(found.values())


class ResponseService(StreamService):
    """A project's new agent, whose response is that of the stream."""

    protocol = "responses"

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "POST" and json.loads(request.content or b"{}").get("stream"):
            return self.stream()
        if request.method == "POST" and request.url.path.endswith("/responses"):
            body = json.loads(request.content)
            status = "queued" if body.get("background") else "completed"
            return httpx.Response(200, json=self.response() | {"status": status})
        return httpx.Response(200, json=self.response())

    def response(self) -> dict[str, Any]:
        """The response as it stands at the end."""
        found: dict[str, Any] = list(self.events())[-1][1]["response"]
        return found


SERVICES: dict[str, type[StreamService]] = {
    "threads": ThreadService, "responses": ResponseService
}  # fmt: skip


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, service: StreamService) -> None:
        self._service = service

    def __iter__(self) -> Iterator[bytes]:
        body, size = self._service.body[: self._service.cut], self._service.size
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece
