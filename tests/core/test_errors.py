"""What the service says went wrong, as both protocols tell it: the class, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import litellm
import pytest

from tests.support.either_protocol import PROTOCOLS, EitherService, serving
from tests.support.ways import Way


@pytest.fixture(params=PROTOCOLS)
def service(request: pytest.FixtureRequest) -> Iterator[EitherService]:
    yield from serving(request.param)


TOO_LONG = {
    "message": "Invalid 'tools[0].function.description': string too long. Expected a string with "
    "maximum length 1024, but got a string with length 2048 instead.",
    "type": "invalid_request_error", "param": "tools[0].function.description",
    "code": "string_above_max_length",
}  # fmt: skip


def test_a_string_that_is_too_long_is_no_full_context_window(
    service: EitherService, way: Way
) -> None:
    service.answers(httpx.Response(400, json={"error": TOO_LONG}))
    with pytest.raises(litellm.BadRequestError, match="string too long") as caught:
        service.ask(way)
    assert type(caught.value) is litellm.BadRequestError


FILTER = {"violence": {"filtered": True, "severity": "high"}}
FILTERED = {
    "code": "content_filter", "message": "The response was filtered.", "param": "prompt",
    "type": None, "innererror": {"code": "ResponsibleAIPolicyViolation",
                                 "content_filter_result": FILTER},
}  # fmt: skip


@pytest.mark.parametrize("told", ["refused", "failed", "broken"])
@pytest.mark.parametrize("spelling", ["innererror", "inner_error"])
def test_a_content_filter_says_what_it_stopped(
    service: EitherService, way: Way, told: str, spelling: str
) -> None:
    error = {spelling if name == "innererror" else name: v for name, v in FILTERED.items()}
    replies = {
        "refused": lambda: httpx.Response(400, json={"error": error}),
        "failed": lambda: service.failed(error),
        "broken": lambda: service.broken(error),
    }
    service.answers(replies[told]())
    with pytest.raises(litellm.ContentPolicyViolationError) as caught:
        service.ask(way)
    fields = caught.value.provider_specific_fields
    assert fields["innererror"] == fields["inner_error"] == FILTERED["innererror"]
    assert fields["azure_error"]["message"] == "The response was filtered."


def test_the_details_of_a_content_filter_hold_no_secret(service: EitherService) -> None:
    error = {**FILTERED, "details": [{"prompt": "api_key=s3cr3t-0123456789"}]}
    service.answers(httpx.Response(400, json={"error": error}))
    with pytest.raises(litellm.ContentPolicyViolationError) as caught:
        service.ask(Way("sync"))
    assert "s3cr3t" not in str(caught.value.provider_specific_fields)


LIMITED = {"code": "RateLimitReached", "message": "Too many. Please retry after 26 seconds."}


@pytest.mark.parametrize("told", ["refused", "failed", "broken"])
def test_seconds_in_the_text_of_a_rate_limit_are_a_retry_after(
    service: EitherService, way: Way, told: str
) -> None:
    error = {**LIMITED, "code": "rate_limit_exceeded"}
    replies = {
        "refused": lambda: httpx.Response(429, json={"error": LIMITED}),
        "failed": lambda: service.failed(error),
        "broken": lambda: service.broken(error),
    }
    service.answers(replies[told]())
    with pytest.raises(litellm.RateLimitError) as caught:
        service.ask(way, max_retries=0)
    assert caught.value.response.headers["retry-after"] == "26"


def test_seconds_in_the_text_are_waited_for(
    service: EitherService, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = {"message": "Too many. Please retry after 50 ms."}
    service.answers(httpx.Response(429, json={"error": soon}), service.good())
    # Without the text the first wait would be longer than the call's timeout.
    monkeypatch.setattr("litellm_azure_agents.core.retry.FIRST_BACKOFF", 100.0)
    monkeypatch.setattr("litellm_azure_agents.core.retry.MAX_BACKOFF", 100.0)
    assert service.ask(way, timeout=30).text
    assert service.route.call_count == 2


def test_a_header_wins_over_the_text(service: EitherService) -> None:
    reply = httpx.Response(429, json={"error": LIMITED}, headers={"retry-after": "3"})
    service.answers(reply)
    with pytest.raises(litellm.RateLimitError) as caught:
        service.ask(Way("sync"), max_retries=0)
    assert caught.value.response.headers["retry-after"] == "3"
