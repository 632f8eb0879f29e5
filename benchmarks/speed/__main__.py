"""Measure all peers side by side and print a Markdown table with ratios.

    python -m benchmarks.speed                         # everything, about ten minutes
    python -m benchmarks.speed --only burst turn       # some workloads
    python -m benchmarks.speed --rounds 5 --calls 10000
    python -m benchmarks.speed --write                 # and rewrite README.md and its plot

One fast server and one process for each peer; in every round each peer works once, in turn.
Printed are the medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import report
from .workloads import Workload, workloads

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
Numbers = dict[str, float]


def start(*arguments: str) -> subprocess.Popen[str]:
    """A Python process with a pipe to it and one from it."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


class Child:
    """A peer's process."""

    def __init__(self, peer: str) -> None:
        self._process = start("benchmarks.speed.child", peer)

    def work(self, order: dict[str, Any]) -> Numbers:
        """What the peer measured. What LiteLLM itself prints is passed over."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("= "):
                numbers: Numbers = json.loads(line[2:])
                return numbers
        raise SystemExit(f"the process ended at {order}")

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(
    chosen: Sequence[Workload], address: str, rounds: int, peers: Sequence[str]
) -> dict[str, dict[str, Numbers]]:
    """Medians by workload and peer."""
    names = [p for p in dict.fromkeys(p for w in chosen for p in w.peers) if p in peers]
    children = {name: Child(name) for name in names}
    warm_up = {"work": "calls", "base": f"{address}/20/1/1", "count": 5, "chars": 100}
    for child in children.values():
        child.work({**warm_up, "sync": False})
        child.work({**warm_up, "sync": True, "chars": 100}) if child is not children.get(
            "LiteLLM's built-in"
        ) else None
    results: dict[str, dict[str, Numbers]] = {}
    for workload in chosen:
        rows: dict[str, list[Numbers]] = {name: [] for name in workload.peers if name in names}
        repeats = 1 if workload.work in ("memory", "thread") else rounds
        for _ in range(repeats):
            for name, row in rows.items():
                row.append(children[name].work(workload.order(address)))
        results[workload.name] = {
            name: {key: statistics.median(numbers[key] for numbers in row) for key in row[0]}
            for name, row in rows.items()
        }
        print(f"measured: {workload.title}", file=sys.stderr)
    for child in children.values():
        child.stop()
    return results


_IMPORT = "import os, time; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; {}; \
print(time.process_time())"
_IMPORTS = {
    "import litellm": "import litellm",
    "and register the plugin": "import litellm, litellm_azure_agents as a; a.register()",
}


def imports(rounds: int) -> dict[str, Numbers]:
    """CPU seconds of a process that imports LiteLLM, alone and with the plugin."""
    seconds: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    for _ in range(rounds + 1):
        for name, statement in _IMPORTS.items():
            command = [sys.executable, "-c", _IMPORT.format(statement)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
            seconds[name].append(float(done.stdout))
    return {name: {"cpu": statistics.median(row[1:])} for name, row in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORKLOAD")
    parser.add_argument("--peers", nargs="+", default=[], metavar="PEER")
    parser.add_argument("--calls", type=int, default=1000, help="calls over which memory is seen")
    parser.add_argument("--turns", type=int, default=1000, help="turns on one thread")
    parser.add_argument("--write", action="store_true", help="rewrite README.md and the plot")
    options = parser.parse_args()
    every = workloads(calls=options.calls, turns=options.turns)
    known = [w.name for w in every] + ["import"]
    if unknown := set(options.only) - set(known):
        parser.error(f"unknown workloads {unknown}; there are {', '.join(known)}")
    chosen = [w for w in every if not options.only or w.name in options.only]
    server = start("benchmarks.speed.server")
    try:
        assert server.stdout is not None
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        peers = options.peers or [name for w in every for name in w.peers]
        results = measure(chosen, address, options.rounds, peers)
    finally:
        server.kill()
        server.wait()
    if not options.only or "import" in options.only:
        results["import"] = imports(options.rounds)
    facts = report.Facts(
        cores=os.cpu_count() or 0, rounds=options.rounds, date=time.strftime("%Y-%m-%d")
    )
    print(report.tables(chosen, results, facts))
    if options.write:
        report.write(chosen, results, facts)


if __name__ == "__main__":
    main()
