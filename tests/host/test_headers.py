"""Headers of a call through a proxy: what LiteLLM hands over, in its old and its new form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import litellm
import pytest

from litellm_azure_agents.host.arguments import prepare
from tests.host.test_arguments import AGENTS, arguments

BOTH = pytest.mark.parametrize("model", AGENTS)


def sent(
    model: str,
    headers: Mapping[str, Any],
    *,
    body: Mapping[str, Any] | None = None,
    http: Mapping[str, str] | None = None,
    left_out: tuple[str, ...] = (),
    **options: Any,
) -> Mapping[str, str]:
    """The headers of a call whose client sent ``body``."""
    request = {"body": body or {}, "headers": http or {}, "credential_fields": left_out}
    given = arguments(
        model=model,
        headers=headers,
        optional_params=options,
        litellm_params={"proxy_server_request": request},
    )
    return prepare(**given).connection.call.headers


@BOTH
@pytest.mark.parametrize("field", ["extra_headers", "headers"])
@pytest.mark.parametrize(
    "name", ["authorization", "Host", "COOKIE", "X-Forwarded-For", "x-ms-user-identity", "x-any"]
)
def test_a_body_brings_none_of_these(model: str, field: str, name: str) -> None:
    with pytest.raises(litellm.BadRequestError, match=name) as caught:
        sent(model, {name: "v4lue"}, body={field: {name: "v4lue"}})
    assert caught.value.body["param"] == "extra_headers"
    assert "v4lue" not in str(caught.value)


@BOTH
def test_a_body_brings_these(model: str) -> None:
    given = {"x-client-team": "blue", "Traceparent": "00-1-2-01", "X-Team": "a"}
    found = sent(model, given, body={"extra_headers": given}, allowed_headers=["x-team"])
    assert given.items() <= found.items()


@BOTH
def test_headers_by_provider(model: str) -> None:
    for entry in ({"extra_headers": {"x-any": "1"}}, [{"extra_headers": {"x-any": "1"}}]):
        with pytest.raises(litellm.BadRequestError, match="x-any"):
            sent(model, {"x-any": "1"}, body={"provider_specific_header": entry})


@BOTH
def test_the_operators_headers_pass(model: str) -> None:
    found = sent(
        model,
        {"x-gateway": "g", "x-client-a": "1"},
        body={"extra_headers": {"x-client-a": "1"}},
        fixed_headers={"Api-Key": "k", "X-Client-A": "2"},
    )
    assert found["x-gateway"] == "g"
    assert found["Api-Key"] == "k"
    assert [v for n, v in found.items() if n.lower() == "x-client-a"] == ["2"]


@BOTH
@pytest.mark.parametrize("left_out", [(), ("headers",)])
def test_forwarded_headers(model: str, left_out: tuple[str, ...]) -> None:
    """LiteLLM's ``forward_client_headers_to_llm_api``: what is not allowed is left out."""
    forwarded = {"x-forwarded-for": "1.2.3.4", "x-client-team": "blue"}
    body = {} if left_out else {"headers": forwarded}
    found = sent(model, forwarded, body=body, http=forwarded, left_out=left_out)
    assert found["x-client-team"] == "blue"
    assert "x-forwarded-for" not in found


@BOTH
@pytest.mark.parametrize("name", ["allowed_headers", "fixed_headers"])
def test_a_body_does_not_set_the_operators_options(model: str, name: str) -> None:
    with pytest.raises(litellm.BadRequestError, match="operator"):
        sent(model, {}, body={name: None}, **{name: None})


@BOTH
def test_the_credential_of_litellms_own_proxy(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM adds it to every call's headers; it is not for Foundry."""
    monkeypatch.setattr(litellm, "proxy_auth", object(), raising=False)
    call = prepare(**arguments(model=model, headers={"Authorization": "Bearer p"})).connection.call
    assert "Authorization" not in call.headers


@pytest.mark.parametrize("name", ["authorization", "Host", "a b"])
def test_files_and_vector_stores(name: str) -> None:
    from litellm_azure_agents import files, vector_stores

    where = {
        "api_base": "http://x.test/api/projects/p",
        "api_key": "k",
        "extra_headers": {name: "1"},
    }
    with pytest.raises(litellm.BadRequestError, match=name):
        files.info("file-1", **where)
    with pytest.raises(litellm.BadRequestError, match=name):
        vector_stores.create([("a.txt", b"a")], **where)
