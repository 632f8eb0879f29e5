"""Answers with thousands of entries: each is given out, and the work stays in proportion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from litellm_azure_agents.answer.answer import Answer
from litellm_azure_agents.answer.artifacts import MAX_GROWING
from litellm_azure_agents.core.actions import ServerEvent
from litellm_azure_agents.responses.machine import ResponseMachine
from tests.faults.limits import steps

MANY = 3000
MOST = MAX_GROWING * (MAX_GROWING + 1) // 2 + MANY
"""Entries that are given out in all, while a list grows and at the end."""


def given(answer: Answer, field: str) -> list[list[Any]]:
    """The lists of a field, in the order in which they were given out."""
    answer.finish("stop", usage=None, model=None)
    return [delta.fields[field] for delta in answer.take() if field in delta.fields]


@pytest.mark.parametrize("field", ["files", "image_files"])
def test_files_and_images(field: str) -> None:
    answer = Answer()
    for number in range(MANY):
        if field == "files":
            answer.artifacts.file(f"file_{number}", None, "a.txt")
        else:
            answer.artifacts.image_file(f"file_{number}")
    lists = given(answer, field)
    assert [entry["file_id"] for entry in lists[-1]] == [f"file_{n}" for n in range(MANY)]
    assert sum(map(len, lists)) <= MOST


def test_items_of_an_unknown_type() -> None:
    answer = Answer()
    machine = ResponseMachine(answer)
    for number in range(MANY):
        item = {"id": f"x_{number}", "type": "new_kind"}
        event = {"type": "response.output_item.done", "output_index": number, "item": item}
        machine.receive(ServerEvent("response.output_item.done", json.dumps(event)))
    machine.finish_calls()
    lists = given(answer, "items")
    assert [item["id"] for item in lists[-1]] == [f"x_{n}" for n in range(MANY)]
    assert sum(map(len, lists)) <= MOST


def test_damage_touches_only_what_began_since() -> None:
    def work(size: int) -> int:
        answer = Answer()

        def read() -> None:
            for number in range(size):
                answer.begins()
                answer.text(number, "x")
                answer.damage()

        count = steps(read)
        assert answer.in_doubt
        return count

    counts = [work(size) for size in (100, 200, 400)]
    assert counts[0] > 100, "the package was not seen at work"
    assert counts[2] - counts[1] < 2.5 * (counts[1] - counts[0]), counts


def test_merged_deltas_have_a_bound() -> None:
    """A delta is copied each time that something is added to it."""
    answer = Answer()
    piece = "x" * 1000
    for _ in range(1000):
        answer.text("part", piece)
    texts = [delta.text for delta in answer.take()]
    assert "".join(texts) == piece * 1000
    assert max(map(len, texts)) < 70_000
