"""An agent of either protocol behind a scripted service, for what both have to do alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import respx

from tests.support.classic_agent import HELLO, NEW, streamed
from tests.support.new_agent import PROJECT
from tests.support.playing import AGENTS, BASE
from tests.support.response_streams import events_of, final, message, text
from tests.support.thread_streams import ending, opening, written
from tests.support.transport import over_httpx
from tests.support.ways import Way

PROTOCOLS = ["threads", "responses"]
RESPONSES = f"{PROJECT}/openai/v1/responses"


class EitherService:
    """An agent of one of the protocols, whose next answers a test gives."""

    def __init__(self, protocol: str, router: respx.Router) -> None:
        self.protocol = protocol
        self.router = router
        self.base = BASE if protocol == "threads" else PROJECT
        self.route = router.post(NEW if protocol == "threads" else RESPONSES)

    def answers(self, *replies: httpx.Response) -> None:
        self.route.mock(side_effect=list(replies))

    def sent(self) -> Any:
        """The body of the last request that made a run or response."""
        return json.loads(self.route.calls.last.request.content)

    def ask(self, way: Way, **arguments: Any) -> Any:
        model = f"azure_ai/agents/{AGENTS[self.protocol]}"
        given = {"model": model, "messages": HELLO, "api_base": self.base, "api_key": "k"}
        return way.ask(**{**given, **arguments})

    def good(self) -> httpx.Response:
        if self.protocol == "threads":
            return streamed()
        return stream((e["type"], e) for e in events_of([message("msg_1", text("Hello"))]))

    def incomplete(self, **fields: Any) -> httpx.Response:
        """An answer that was cut off, with these fields of its run or response."""
        if self.protocol == "threads":
            return stream([*opening(), *written("msg_1", ["Cut of"]),
                           *ending("incomplete", **fields)])  # fmt: skip
        events = events_of([message("msg_1", text("Cut of"))])
        events[-1] |= {"type": "response.incomplete"}
        events[-1]["response"] |= {"status": "incomplete", **fields}
        return stream((e["type"], e) for e in events)

    def failed(self, error: dict[str, Any]) -> httpx.Response:
        if self.protocol == "threads":
            return stream([*opening(), *ending("failed", last_error=error)])
        failed = final([], status="failed", error=error)
        return stream([("response.failed", {"type": "response.failed", "response": failed})])

    def broken(self, error: dict[str, Any]) -> httpx.Response:
        if self.protocol == "threads":
            return stream([*opening(), ("error", {"error": error})])
        return stream([("error", {"type": "error", **error})])


def stream(events: Any) -> httpx.Response:
    frames = "".join(
        f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n"
        for name, data in events
    )
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=frames)


def serving(protocol: str) -> Iterator[EitherService]:
    """The service of one protocol, for a fixture."""
    with over_httpx(), respx.mock(assert_all_called=False) as router:
        router.post(url__regex=".*/cancel").mock(return_value=httpx.Response(200, json={}))
        yield EitherService(protocol, router)
