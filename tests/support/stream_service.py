"""A service that plays one recording: as a stream, cut anywhere, or as a run to be polled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from litellm_azure_agents.emulator.models.code_answers import bar_chart
from tests.support.build_streams import FOLDER

PNG = bar_chart([1, 2, 3])
NAMES = sorted(path.stem for path in FOLDER.glob("*.sse"))


class Replay:
    """Answers requests from a recording; use `transport` with an httpx client.

    ``cut`` ends the body after so many bytes (the run itself has gone on to its end); ``size`` is
    the number of bytes of a network read.
    """

    def __init__(self, name: str, *, size: int = 1 << 20, cut: int | None = None) -> None:
        self.body = (FOLDER / f"{name}.sse").read_bytes()
        self.size = size
        self.cut = cut
        self.requests: list[httpx.Request] = []

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if request.method == "POST" and path.endswith("/cancel"):
            return httpx.Response(200, json=self.run())
        if request.method == "POST":
            if json.loads(request.content).get("stream"):
                return httpx.Response(
                    200, headers={"content-type": "text/event-stream"}, stream=_Body(self)
                )
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

    def events(self) -> Iterator[tuple[str, Any]]:
        for frame in self.body.decode().split("\n\n"):
            if frame:
                name, data = frame.split("\n", 1)
                text = data.removeprefix("data: ")
                yield name.removeprefix("event: "), text if text == "[DONE]" else json.loads(text)

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
        return list(found.values())


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def __iter__(self) -> Iterator[bytes]:
        replay = self._replay
        body = replay.body if replay.cut is None else replay.body[: replay.cut]
        for start in range(0, len(body), replay.size):
            yield body[start : start + replay.size]

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece
