"""Events as no service should send them: those of the stored streams, changed.

Values are deleted, replaced by junk or null; events are doubled, dropped, moved and renamed. All
choices are made by a `random.Random`: hypothesis gives one whose choices it records and shrinks.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Events = list[tuple[str, Any]]

JUNK: list[Any] = [
    None, [], {}, "", "x", 0, -1, 7, 1.5, True, [None], [[]], [1, "a"], {"a": None}, [{}],
    {"type": "text"}, {"id": {}}, "\ud83d", 10**30, {"text": {"value": 3}},
    {"self": 1, "status": 2},
]  # fmt: skip
MODES: list[dict[str, Any]] = [
    {},
    {"include_run_steps": True, "citations": "footnotes"},
    {"include_images": "inline", "citations": "strip", "include_run_steps": True},
]

dices = st.randoms(use_true_random=False)
many_examples = settings(
    max_examples=250, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a JSON value."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutate(data: Any, dice: random.Random) -> Any:
    """``data`` with one thing in it deleted or replaced."""
    if not isinstance(data, (dict, list)) or not data:
        return dice.choice(JUNK)
    path = dice.choice(list(places(data)))
    mutated = copy.deepcopy(data)
    holder = mutated
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and dice.random() < 0.3:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(dice.choice(JUNK))
    return mutated


def disturb(events: Events, dice: random.Random) -> Events:
    """``events`` with up to three of them changed, doubled, dropped, moved or renamed."""
    disturbed = list(events)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(disturbed))
        name, data = disturbed[at]
        kind = dice.randrange(10)
        if kind < 6:
            disturbed[at] = (name, mutate(data, dice))
        elif kind == 6:
            disturbed.insert(dice.randrange(len(disturbed)), disturbed[at])
        elif kind == 7 and len(disturbed) > 1:
            del disturbed[at]
        elif kind == 8:
            disturbed.insert(dice.randrange(len(disturbed)), disturbed.pop(at))
        else:
            disturbed[at] = (dice.choice(["", "no.such.event", *(n for n, _ in events)]), data)
    return disturbed


SPOKEN = ("thread.message.delta", "response.output_text.delta")


def disturb_beside_the_text(events: Events, dice: random.Random) -> Events:
    """``events`` with one changed or dropped that text doesn't come by."""
    spoken = SPOKEN if any(n in SPOKEN for n, _ in events) else ("thread.message.completed",)
    beside = [i for i, (name, _) in enumerate(events) if name not in spoken]
    at = dice.choice(beside)
    name, data = events[at]
    if dice.random() < 0.2:
        return [*events[:at], *events[at + 1 :]]
    return [*events[:at], (name, mutate(data, dice)), *events[at + 1 :]]


def assert_kept(whole: str, text: str, failure: Exception | None) -> None:
    """All of the text in its order; what a service repeats under another id may come again, and
    parts to which it gives the same one are not told apart."""
    if failure is None:
        rest = iter(text)
        assert all(character in rest for character in "".join(whole.split())), (whole, text)
