"""The workloads: what each peer does, and which of the numbers that come back are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

WORD = len("word ")
CLASSIC = ("raw httpx", "this plugin", "LiteLLM's built-in", "LiteLLM's openai", "azure-ai-agents")
NEW = ("raw httpx, new", "this plugin, new", "openai client, new")
EVERY = CLASSIC + NEW
STREAMS = tuple(name for name in EVERY if name != "azure-ai-agents")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """``path``: deltas of an answer, milliseconds between them, events in an HTTP chunk.

    ``shows`` maps the numbers that are shown to their names in the table.
    """

    name: str
    title: str
    work: str
    path: str
    peers: tuple[str, ...]
    shows: dict[str, str]
    arguments: dict[str, Any] = field(default_factory=dict)

    def order(self, address: str) -> dict[str, Any]:
        """What is written to the child."""
        return {"work": self.work, "base": f"{address}/{self.path}", **self.arguments}


def _calls(name: str, title: str, path: str, *, count: int, sync: bool, **shows: str) -> Workload:
    chars = int(path.partition("/")[0]) * WORD
    peers = tuple(name for name in EVERY if not (sync and name == "LiteLLM's built-in"))
    return Workload(
        name=name, title=title, work="calls", path=path, peers=peers, shows=shows,
        arguments={"count": count, "sync": sync, "chars": chars},
    )  # fmt: skip


def _many(name: str, title: str, path: str, *, count: int) -> Workload:
    chars = int(path.partition("/")[0]) * WORD
    shows = {"wall": "time", "cpu_stream": "CPU a stream", "first_p95": "first text, p95",
             "lag": "longest hold of the event loop"}  # fmt: skip
    return Workload(
        name=name, title=title, work="many", path=path, peers=STREAMS, shows=shows,
        arguments={"count": count, "chars": chars},
    )  # fmt: skip


def workloads(*, calls: int, turns: int) -> list[Workload]:
    """All of them. ``calls``: those over which memory is watched; ``turns``: those on a thread."""
    ours = ("this plugin", "this plugin, new", "LiteLLM's openai")
    return [
        _calls("burst", "burst of 4,000 deltas, async", "4000/0/200",
               count=3, sync=False, wall="time", cpu="CPU"),
        _calls("burst-sync", "burst of 4,000 deltas, sync", "4000/0/200",
               count=3, sync=True, wall="time", cpu="CPU"),
        _calls("burst-chunks", "burst of 4,000 deltas, each in an HTTP chunk of its own, async",
               "4000/0/1", count=3, sync=False, wall="time", cpu="CPU"),
        _calls("burst-chunks-sync", "burst of 4,000 deltas, each in an HTTP chunk of its own, sync",
               "4000/0/1", count=3, sync=True, wall="time", cpu="CPU"),
        _calls("turn", "short turn of 10 deltas, async", "10/0/1",
               count=20, sync=False, first="first text", cpu="CPU"),
        _calls("turn-sync", "short turn of 10 deltas, sync", "10/0/1",
               count=20, sync=True, first="first text", cpu="CPU"),
        _calls("paced", "200 deltas, 5 ms apart, async", "200/5/1",
               count=1, sync=False, cpu="CPU"),
        _calls("paced-sync", "200 deltas, 5 ms apart, sync", "200/5/1",
               count=1, sync=True, cpu="CPU"),
        _many("many", "200 streams of 100 deltas at once", "100/0/1", count=200),
        _many("many-paced", "200 streams of 61 deltas, 50 ms apart", "61/50/1", count=200),
        _many("more-paced", "500 streams of 61 deltas, 50 ms apart", "61/50/1", count=500),
        Workload(name="thread", title=f"{turns:,} turns on one thread", work="thread",
                 path="10/0/1", peers=("this plugin",),
                 shows={"first": "CPU of the first tenth, a turn", "last": "of the last tenth"},
                 arguments={"count": turns}),
        Workload(name="history", title="a history of 2,000 messages", work="history",
                 path="10/0/1", peers=("this plugin, new", "LiteLLM's openai"),
                 shows={"cpu": "CPU that it adds to a call"}, arguments={"count": 2000}),
        Workload(name="memory", title=f"memory over {calls:,} calls", work="memory",
                 path="10/0/1", peers=ours, arguments={"count": calls},
                 shows={"after": "at the end", "growth_a_call": "growth a call"}),
    ]  # fmt: skip
