"""Many turns under faults, and what became of each, counted at the server.

A turn is one request of a caller with a text that no other turn has. It is

- *lost* if the caller got an error,
- *wrong* if the caller got another answer than this text's,
- *doubled* if the server has two of its user messages, or two answers to it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import litellm

from litellm_azure_agents.emulator import Emulator
from tests.faults.proxy import FaultProxy

KINDS = {
    "classic, new thread": "asst_echo",
    "classic, known thread": "asst_echo",
    "new, no state": "echo",
    "new, previous response": "echo",
    "new, conversation": "echo",
}
"""Kinds of turns, and the agent of each."""
CALLERS = ["sdk", "router"]
CHAINS = 10
"""Callers at once; each has a thread of its own and makes one turn after the other."""
TIMEOUT = 60.0

Complete = Callable[..., Awaitable[Any]]
Ask = Callable[..., Awaitable[tuple[str, dict[str, Any]]]]
"""Takes a text, ``streamed`` and the options that name a state; gives the answer and its ids."""


@dataclass
class Tally:
    """What became of the turns."""

    turns: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    posts: int = 0
    """POST requests that reached the server."""
    faults: int = 0

    @property
    def clean(self) -> bool:
        """Whether every turn had its own answer, and once."""
        return not (self.lost or self.wrong or self.doubled)

    def __str__(self) -> str:
        reasons = Counter(entry.split(": ", 1)[1][:150] for entry in self.lost)
        shown = "".join(f"\n  lost {n}x: {reason}" for reason, n in reasons.most_common(4))
        shown += "".join(f"\n  wrong: {entry}" for entry in self.wrong[:3])
        shown += "".join(f"\n  doubled: {entry}" for entry in self.doubled[:3])
        return (
            f"{self.turns} turns, {self.faults} faults, {self.posts} POSTs at the server: "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.wrong)} wrong{shown}"
        )


class Service:
    """Reads the emulator through its public API, beside the faults."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._client = httpx.Client(headers={"Authorization": f"Bearer {emulator.token}"})

    def get(self, path: str, **query: Any) -> Any:
        url = self.emulator.endpoint + path
        reply = self._client.get(url, params={"api-version": "v1", **query})
        reply.raise_for_status()
        return reply.json()

    def post(self, path: str, body: Any = None) -> Any:
        url = self.emulator.endpoint + path
        reply = self._client.post(url, params={"api-version": "v1"}, json=body or {})
        reply.raise_for_status()
        return reply.json()

    def list(self, path: str) -> list[Any]:
        """All objects of a list, page by page."""
        found: list[Any] = []
        query: dict[str, Any] = {"limit": 100, "order": "asc"}
        while True:
            page = self.get(path, **query)
            found += page["data"]
            if not page.get("has_more"):
                return found
            query["after"] = page["data"][-1]["id"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs and responses: id, kind, status and parent of each."""
        found: list[dict[str, Any]] = []
        before: Any = None
        while True:
            query = {} if before is None else {"before": before}
            page = self._client.get(self.emulator.url + "/page/api/runs", params=query).json()
            found += page["rows"]
            before = page["next"]
            if before is None:
                return found

    def active(self) -> list[dict[str, Any]]:
        """Runs and responses that still go on."""
        return [r for r in self.runs() if r["status"] in ("queued", "in_progress", "cancelling")]

    def texts(self) -> Counter[tuple[str, str]]:
        """How often the server has each text, by role; answers of cancelled responses are none."""
        found: Counter[tuple[str, str]] = Counter()
        for thread in self.list("/threads"):
            for message in self.list(f"/threads/{thread['id']}/messages"):
                text = "".join(part["text"]["value"] for part in message["content"])
                found[message["role"], text] += 1
        for row in self.runs():
            if row["kind"] != "response" or row["status"] == "cancelled":
                continue
            response = self.get(f"/openai/v1/responses/{row['id']}")
            items = self.list(f"/openai/v1/responses/{row['id']}/input_items")
            newest = [item for item in items if item.get("role") == "user"][-1:]
            for item in newest + response["output"]:
                if item.get("type") == "message":
                    found[item["role"], _text(item)] += 1
        return found

    def conversation_texts(self, conversation: str) -> Counter[tuple[str, str]]:
        items = self.list(f"/openai/v1/conversations/{conversation}/items")
        return Counter((i["role"], _text(i)) for i in items if i.get("type") == "message")


def _text(item: Any) -> str:
    content = item["content"]
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


def caller(name: str, agent: str, **where: Any) -> Complete:
    """`litellm.acompletion`, or that of a Router with two retries."""
    model = f"azure_ai/agents/{agent}"
    if name == "sdk":

        async def complete(**arguments: Any) -> Any:
            return await litellm.acompletion(model=model, **where, **arguments)

        return complete
    router = litellm.Router(
        model_list=[{"model_name": "agent", "litellm_params": {"model": model, **where}}],
        num_retries=3,
        retry_after=0,
        disable_cooldowns=True,
    )

    async def routed(**arguments: Any) -> Any:
        return await router.acompletion(model="agent", **arguments)

    return routed


def asks(who: str, kind: str, service: Service, endpoint: str) -> Ask:
    """Asks through LiteLLM, as one of `CALLERS`."""
    where = {"api_base": endpoint, "api_key": service.emulator.token}
    return partial(_ask, caller(who, KINDS[kind], **where))


async def _ask(
    complete: Complete, text: str, *, streamed: bool, **state: Any
) -> tuple[str, dict[str, Any]]:
    messages = [{"role": "user", "content": text}]
    result = await complete(messages=messages, stream=streamed, timeout=TIMEOUT, **state)
    if not streamed:
        message = result.choices[0].message
        return message.content or "", message.provider_specific_fields or {}
    said, ids = "", {}
    async for chunk in result:
        for choice in chunk.choices:
            said += choice.delta.content or ""
            ids.update(getattr(choice.delta, "provider_specific_fields", None) or {})
    return said, ids


async def play(proxy: FaultProxy, service: Service, kind: str, ask: Ask, turns: int) -> Tally:
    """Make ``turns`` turns of a kind through the proxy, and count."""
    tally = Tally()
    numbers = itertools.count()
    asked: list[str] = []
    conversations: list[str] = []
    plan, proxy.plan = proxy.plan, lambda arrival: None

    async def chain(state: dict[str, Any]) -> None:
        for number in numbers:
            if number >= turns:
                return
            text = f"turn {number} of {turns}"
            asked.append(text)
            try:
                said, ids = await ask(text, streamed=number % 2 == 1, **state)
            except Exception as error:
                tally.lost.append(f"{text}: {type(error).__name__}: {error}")
                continue
            if said != f"You said: {text}":
                tally.wrong.append(f"{text}: {said!r}")
            if kind == "new, previous response":
                state["previous_response_id"] = ids["response_id"]

    states: list[dict[str, Any]] = []
    for _ in range(CHAINS):
        state: dict[str, Any] = {}
        if kind == "classic, known thread":
            state["thread_id"] = service.post("/threads")["id"]
        elif kind == "new, conversation":
            state["conversation_id"] = service.post("/openai/v1/conversations")["id"]
            conversations.append(state["conversation_id"])
        elif kind == "new, previous response":
            _, ids = await ask("the beginning", streamed=False)
            state["previous_response_id"] = ids["response_id"]
        states.append(state)
    before = len(proxy.arrivals)
    proxy.plan = plan
    await asyncio.gather(*map(chain, states))
    proxy.plan = lambda arrival: None
    arrivals = proxy.arrivals[before:]
    tally.turns = len(asked)
    tally.faults = sum(a.played for a in arrivals)
    tally.posts = sum(a.forwarded and a.method == "POST" for a in arrivals)
    found = await asyncio.to_thread(service.texts)
    kept: Counter[tuple[str, str]] = Counter()
    for conversation in conversations:
        kept += await asyncio.to_thread(service.conversation_texts, conversation)
    for text in asked:
        for counted in (found, kept):
            users = counted["user", text]
            answers = counted["assistant", f"You said: {text}"]
            if users > 1 or answers > 1:
                tally.doubled.append(f"{text}: {users} user messages, {answers} answers")
                break
    return tally
