"""No error, repr or log shows a token or a secret."""

from __future__ import annotations

import logging
import pickle
import traceback

import pytest

from litellm_azure_agents.auth import cache as token_cache
from litellm_azure_agents.auth import sources as tokens
from litellm_azure_agents.auth.resolve import CredentialError
from tests.support.credentials import Credential, jwt, resolve, token_of

LEAKY = jwt(2_000_000, sub="me")


@pytest.mark.parametrize(
    ("text", "hidden", "kept"),
    [
        (f"bad token {LEAKY} here", LEAKY, "bad token"),
        (f"Authorization: Bearer {'q' * 12}", "q" * 12, "Authorization"),
        ("client_secret=hunter2&x=1", "hunter2", "client_secret="),
        ("{'access_token': 'hunter2'}", "hunter2", "access_token"),
        ('"password": "hunter2"', "hunter2", "password"),
        ("secret abc8Q~0123456789abcdefghijklmnopqrstuv.xy", "abc8Q~0123456789", "secret"),
        (f"got {'0f' * 32}", "0f" * 32, "got"),
        ("first\nsecond hunter2", "hunter2", "first"),
        (
            "AADSTS7000215: Trace ID: 11111111-2222-3333-4444-555555555555",
            "zzz",
            "AADSTS7000215: Trace ID: 11111111-2222-3333-4444-555555555555",
        ),
        ("x" * 5000, "x" * 1000, "xxx"),
    ],
)
def test_errors_are_scrubbed(text: str, hidden: str, kept: str) -> None:
    credential = Credential()
    credential.fail = PermissionError(text)
    with pytest.raises(CredentialError) as caught:
        token_of(resolve(credential=credential))
    shown = str(caught.value)
    assert shown.startswith("no Azure token from credential (Credential): PermissionError: ")
    assert kept in shown
    printed = "".join(traceback.format_exception(caught.value))
    for place in (shown, repr(caught.value), printed):
        assert hidden not in place
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_huge_error_becomes_a_short_text() -> None:
    """That it takes linear time: ``tests/faults/test_limits.py``."""
    assert len(tokens.scrub_strictly("x" * 100_000)) <= 300


def test_error_whose_text_cannot_be_read() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    credential = Credential()
    credential.fail = Mute()
    with pytest.raises(CredentialError, match="Mute"):
        token_of(resolve(credential=credential))


def test_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(CredentialError("here", "why")))
    assert (error.source, error.reason, str(error)) == (
        "here",
        "why",
        "no Azure token from here: why",
    )


def test_repr_and_logs_hide_the_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        sources = [
            resolve(api_key="hidden-key"),
            resolve(azure_ad_token="hidden-key"),
            resolve(azure_ad_token_provider=lambda: "hidden-key"),
            resolve(tenant_id="t", client_id="c", client_secret="hidden-key"),
        ]
        for source in sources[:3]:
            assert token_of(source) == "hidden-key"
    assert "api_key" in repr(sources[0])
    assert "hidden-key" not in repr(sources) + caplog.text + repr(token_cache._kept) + repr(
        token_cache._weak
    )
