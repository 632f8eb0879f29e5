"""Results as Markdown tables and as a plot; rewrites the measured part of ../README.md."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .workloads import CLASSIC, NEW, Workload

README = Path(__file__).parents[1] / "README.md"
PLOT = README.with_name("speed.svg")
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
Results = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Facts:
    """Where and how it was measured."""

    cores: int
    rounds: int
    date: str


def _shown(key: str, value: float) -> str:
    if key in ("before", "after"):
        return f"{value / 1e6:,.0f} MB"
    if key == "growth_a_call":
        return f"{value / 1e3:,.1f} kB"
    if value >= 1:
        return f"{value:,.2f} s"
    return f"{value * 1000:,.0f} ms" if value >= 0.1 else f"{value * 1000:,.1f} ms"


def _rows(
    chosen: Sequence[Workload], results: Results, peers: Sequence[str], own: str
) -> list[str]:
    rows = []
    for workload in chosen:
        found = results[workload.name]
        if own not in found:
            continue
        for key, title in workload.shows.items():
            cells = []
            for peer in peers:
                value = found.get(peer, {}).get(key)
                ratio = found[own][key] and value is not None and value / found[own][key]
                cell = "" if value is None else _shown(key, value)
                cells.append(f"**{cell}**" if peer == own else f"{cell} ({ratio:.2f}×)"
                             if cell else "")  # fmt: skip
            rows.append(f"| {workload.title}: {title} | " + " | ".join(cells) + " |")
    return rows


def tables(chosen: Sequence[Workload], results: Results, facts: Facts) -> str:
    """The Markdown tables: one for each protocol, and the import times."""
    text = (
        f"Measured on {facts.date}: {facts.cores} cores, Python {platform.python_version()}, "
        f"LiteLLM {version('litellm')}, medians of {facts.rounds} rounds. In brackets: "
        "how much of this plugin's figure the peer takes; above 1, the plugin is cheaper.\n"
    )
    for title, peers, own in (
        ("Classic agents", CLASSIC, CLASSIC[1]),
        ("New agents", (*NEW, "LiteLLM's openai"), NEW[1]),
    ):
        rows = _rows(chosen, results, peers, own)
        if rows:
            columns = [name.removesuffix(", new") for name in peers]
            text += f"\n**{title}**\n\n| | " + " | ".join(columns) + " |\n"
            text += "|---|" + "---:|" * len(peers) + "\n" + "\n".join(rows) + "\n"
    if "import" in results:
        text += "\n| process | CPU |\n|---|---:|\n"
        for name, numbers in results["import"].items():
            text += f"| {name} | {_shown('cpu', numbers['cpu'])} |\n"
    return text


# -- the plot ----------------------------------------------------------------------------------

_SHOWN = (
    ("burst", "wall"), ("burst-chunks", "wall"), ("turn", "first"), ("turn", "cpu"),
    ("paced", "cpu"), ("many", "wall"), ("many-paced", "cpu_stream"), ("more-paced", "cpu_stream"),
)  # fmt: skip
_COLOURS = ("#9aa5b1", "#2563eb", "#d97706", "#b91c1c", "#6b21a8")
_ROW, _LEFT, _WIDTH = 15, 330, 420


def plot(chosen: Sequence[Workload], results: Results) -> str:
    """Bars as SVG: each peer's figure as a multiple of this plugin's, for classic agents."""
    by_name = {workload.name: workload for workload in chosen}
    parts, y = [], 34
    for i, peer in enumerate(CLASSIC):
        x = 10 + i * 150
        parts.append(f'<rect x="{x}" y="8" width="10" height="10" fill="{_COLOURS[i]}"/>')
        parts.append(f'<text x="{x + 15}" y="17">{peer}</text>')
    for name, key in _SHOWN:
        if name not in results or CLASSIC[1] not in results[name]:
            continue
        own = results[name][CLASSIC[1]][key]
        title = f"{by_name[name].title}: {by_name[name].shows[key]}"
        for number, line in enumerate(_wrapped(title)):
            parts.append(f'<text x="10" y="{y + 11 + number * 14}">{line}</text>')
        for i, peer in enumerate(CLASSIC):
            value = results[name].get(peer, {}).get(key)
            if value is None or not own:
                continue
            ratio = value / own
            width = max(min(ratio / 8, 1) * _WIDTH, 1)
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.0f}" height="{_ROW - 3}" '
                f'fill="{_COLOURS[i]}"/><text x="{_LEFT + width + 5:.0f}" y="{y + 10}">'
                f"{_shown(key, value)} ({ratio:.2f}×)</text>"
            )
            y += _ROW
        y += 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="880" height="{y}" '
        f'font-family="sans-serif" font-size="11"><rect width="880" height="{y}" fill="white"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def _wrapped(title: str) -> list[str]:
    words, lines = title.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 46:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def write(chosen: Sequence[Workload], results: Results, facts: Facts) -> None:
    """Rewrite the plot and the part of the README between its two marks."""
    PLOT.write_text(plot(chosen, results))
    text = README.read_text()
    before, rest = text.split(BEGIN)
    README.write_text(before + BEGIN + tables(chosen, results, facts) + END + rest.split(END)[1])
