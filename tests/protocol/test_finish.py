"""Why an answer ended, told alike by both protocols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.either_protocol import PROTOCOLS, EitherService, serving
from tests.support.ways import Way

FILTER, LENGTH, STOP = "content_filter", "length", "stop"


@pytest.fixture(params=PROTOCOLS)
def service(request: pytest.FixtureRequest) -> Iterator[EitherService]:
    yield from serving(request.param)


@pytest.mark.parametrize(
    ("details", "finish", "told"),
    [
        ({"reason": "max_completion_tokens"}, LENGTH, "max_completion_tokens"),
        ({"reason": "max_prompt_tokens"}, LENGTH, "max_prompt_tokens"),
        ({"reason": "max_output_tokens"}, LENGTH, "max_output_tokens"),
        ({"reason": "content_filter"}, FILTER, "content_filter"),
        ({"reason": "safety_guardrails"}, FILTER, "safety_guardrails"),
        ({"reason": "max_tool_calls"}, STOP, "max_tool_calls"),
        ({"reason": "never_heard_of"}, STOP, "never_heard_of"),
        ({"reason": None}, STOP, "unknown"),
        ({}, STOP, "unknown"),
        (None, STOP, "unknown"),
    ],
)
def test_what_an_incomplete_answer_ended_by(
    service: EitherService, way: Way, details: Any, finish: str, told: str
) -> None:
    service.answers(service.incomplete(incomplete_details=details))
    result = service.ask(way)
    assert (result.text, result.finish_reason) == ("Cut of", finish)
    assert result.fields["incomplete_reason"] == told


def test_without_a_reason_a_limit_that_was_used_up_tells(service: EitherService, way: Way) -> None:
    name = "max_completion_tokens" if service.protocol == "threads" else "max_output_tokens"
    for limit, finish in ((4, LENGTH), (1000, STOP)):
        service.answers(service.incomplete(incomplete_details=None, **{name: limit}))
        assert service.ask(way).finish_reason == finish


def test_a_complete_answer_has_no_such_field(service: EitherService, way: Way) -> None:
    service.answers(service.good())
    result = service.ask(way)
    assert result.finish_reason == STOP
    assert "incomplete_reason" not in result.fields
