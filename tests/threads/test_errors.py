"""How refusals and streams that end badly reach the caller."""

from __future__ import annotations

from typing import Any

import httpx
import litellm
import pytest
import respx

from tests.support.classic_agent import BASE, NEW, RUNS, SECRET, ask, refusal, streamed
from tests.support.stream_service import ThreadService
from tests.support.thread_streams import RUN
from tests.support.ways import Way


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (302, {}, litellm.exceptions.BadGatewayError),
        (400, {}, litellm.BadRequestError),
        (400, {"code": "context_length_exceeded"}, litellm.ContextWindowExceededError),
        (400, {"code": "content_filter"}, litellm.ContentPolicyViolationError),
        (401, {}, litellm.AuthenticationError),
        (403, {}, litellm.exceptions.PermissionDeniedError),
        (404, {}, litellm.NotFoundError),
        (408, {}, litellm.Timeout),
        (409, {}, litellm.APIError),
        (422, {}, litellm.UnprocessableEntityError),
        (429, {}, litellm.RateLimitError),
        (500, {}, litellm.InternalServerError),
        (502, {}, litellm.exceptions.BadGatewayError),
        (503, {}, litellm.ServiceUnavailableError),
    ],
)
def test_refusals_have_their_class(
    service: respx.Router, status: int, error: dict[str, Any], expected: type[Exception], way: Way
) -> None:
    service.post(NEW).mock(return_value=httpx.Response(**refusal(status, f"No: {SECRET}", **error)))
    for model in ("azure_ai/agents/asst_rec", "azure_agents/asst_rec"):
        with pytest.raises(expected) as caught:
            ask(way, model=model, max_retries=0)
        assert type(caught.value) is expected
        text = str(caught.value)
        assert "asst_rec" in text
        assert "req-42" in text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    "content",
    [b"<html><body><h1>502 Bad Gateway</h1></body></html>", b"", b"[]", b'{"statusCode": 429}',
     b'{"error": "plain words"}', b"\xff\xfe", b'{"error": {"code": "X", "message": null}}'],
)  # fmt: skip
def test_any_body_makes_a_clear_error(service: respx.Router, content: bytes) -> None:
    service.post(NEW).mock(return_value=httpx.Response(502, content=content))
    with pytest.raises(litellm.exceptions.BadGatewayError, match="status 502"):
        ask()


@pytest.mark.parametrize("content", [b"<html>Please sign in</html>", b"", b"[]", b'"x"', b"{}"])
def test_an_answer_that_is_no_run_says_so(service: respx.Router, content: bytes, way: Way) -> None:
    """A portal's address in api_base, a gateway's page: status 200, but no Foundry project."""
    answer = httpx.Response(200, headers={"content-type": "text/html"}, content=content)
    service.post(NEW).mock(return_value=answer)
    with pytest.raises(litellm.InternalServerError, match=r"api_base.*asst_rec"):
        ask(way)


def test_no_token_in_an_error(service: respx.Router) -> None:
    for echo in (f"Bearer {SECRET}", f"api_key={SECRET}", "eyJhbGciOi.eyJzdWIiOiIx.c2ln"):
        service.post(NEW).mock(return_value=httpx.Response(**refusal(400, f"Rejected {echo}.")))
        with pytest.raises(litellm.BadRequestError) as caught:
            ask()
        assert SECRET not in str(caught.value)
        assert "eyJhbGciOi" not in str(caught.value)


def test_a_stream_that_names_no_run_is_an_error(service: respx.Router, way: Way) -> None:
    service.post(NEW).mock(return_value=streamed(cut=0))
    nothing = httpx.Response(200, json={"data": [], "has_more": False})
    service.get(f"{BASE}/threads").mock(return_value=nothing)
    with pytest.raises(litellm.APIConnectionError, match="before it named its run"):
        ask(way)


@pytest.mark.parametrize(
    "payload",
    ['{"error": {"code": "rate_limit_exceeded", "message": "Try again in 3 seconds."}}',
     '{"code": "rate_limit_exceeded", "message": "slow down"}'],
)  # fmt: skip
def test_an_error_event_has_the_class_it_would_have_had(
    service: respx.Router, payload: str, way: Way
) -> None:
    opening = ThreadService("plain").body.split(b"event: thread.run.step.created")[0]
    body = opening + f"event: error\ndata: {payload}\n\n".encode()
    service.post(NEW).mock(
        return_value=httpx.Response(
            200, headers={"content-type": "text/event-stream"}, content=body
        )
    )
    cancel = service.post(f"{RUNS}/{RUN}/cancel").mock(return_value=httpx.Response(200, json={}))
    with pytest.raises(litellm.RateLimitError):
        ask(way)
    assert cancel.call_count == 1, "whatever the run still does, nobody waits for it"
