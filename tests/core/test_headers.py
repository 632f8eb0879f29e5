"""Which headers developers, operators and a proxy's clients may give."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_azure_agents.core.headers import (
    CLIENTS,
    ClientHeaders,
    HeaderError,
    clients,
    developers,
    merged,
    operators,
    well_formed,
)

SECRET = "s3cret-value"
ODD = ["a\r\nb: c", "a\nb", "a\x00b", "\x7f", "日本", "\ud800", ["a"], {"a": 1}, b"a", True]


@pytest.mark.parametrize("value", ODD)
def test_a_value_that_http_cannot_carry(value: Any) -> None:
    with pytest.raises(HeaderError, match="x-client-a"):
        well_formed({"x-client-a": value})


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "\ud800", 5, None])
def test_a_name_that_http_cannot_carry(name: Any) -> None:
    with pytest.raises(HeaderError, match="can't be sent"):
        well_formed({name: "x"})


def test_what_is_well_formed() -> None:
    given = {"X-A": " padded\t", "x-b": 5, "x-c": None, "x-d": "", "x-e": 'a"é'.replace("é", "~")}
    assert well_formed(given) == {"X-A": "padded", "x-b": "5", "x-d": "", "x-e": 'a"~'}
    with pytest.raises(HeaderError, match="twice"):
        well_formed({"x-a": "1", "X-A": "2"})


@pytest.mark.parametrize("name", ["Authorization", "API-KEY", "cookie", "Host", "TE", "Upgrade"])
def test_not_even_a_developer(name: str) -> None:
    with pytest.raises(HeaderError, match=name) as caught:
        developers({name: SECRET})
    assert SECRET not in str(caught.value)


def test_a_developers_own() -> None:
    given = {"Ocp-Apim-Subscription-Key": "k", "x-anything": "1", "x-ms-user-identity": "ann"}
    assert developers(given) == given


def by_body(*names: str, **more: Any) -> ClientHeaders:
    return ClientHeaders(named=names, **more)


@pytest.mark.parametrize(
    "name", [*sorted(CLIENTS), "x-client-team", "X-Client-Team", "Traceparent"]
)
def test_what_a_client_may_send(name: str) -> None:
    assert clients({name: "v"}, by_body(name.lower())) == {name: "v"}


@pytest.mark.parametrize("name", ["Authorization", "host", "x-ms-user-identity", "X-Forwarded-For"])
def test_what_a_client_may_not_send(name: str) -> None:
    for origin in (by_body(name.lower()), ClientHeaders(doubtful=None)):
        with pytest.raises(HeaderError, match=name) as caught:
            clients({name: SECRET}, origin)
        assert SECRET not in str(caught.value)


def test_the_operator_names_more() -> None:
    assert clients({"X-Team": "a"}, by_body("x-team"), ["x-TEAM"]) == {"X-Team": "a"}
    for never in ("authorization", "host", "x-ms-user-identity"):
        with pytest.raises(HeaderError, match=never):
            clients({never: "a"}, by_body(never), [never])


def test_a_deployments_headers_are_not_its_clients() -> None:
    given = {"x-gateway": "g", "x-client-a": "1"}
    assert clients(given, by_body("x-client-a")) == given
    with pytest.raises(HeaderError, match="api-key"):
        clients({"api-key": "k"}, by_body())


def test_what_litellm_forwards_or_adds() -> None:
    """Forwarded headers that are not allowed are left out: the client may not know of them."""
    headers = {"x-forwarded-for": "1.2.3.4", "x-client-a": "1", "x-litellm-user": "ann"}
    origin = ClientHeaders(
        doubtful=None, forwarded={"X-Forwarded-For": "1.2.3.4"}, added_prefix="x-litellm-"
    )
    assert clients(headers, origin) == {"x-client-a": "1", "x-litellm-user": "ann"}
    with pytest.raises(HeaderError, match="x-forwarded-for"):
        clients({"x-forwarded-for": "9.9.9.9"}, origin)
    with pytest.raises(HeaderError, match="x-litellm-user"):
        clients({"x-litellm-user": "eve"}, ClientHeaders(doubtful=None))


def test_an_operators_fixed_headers() -> None:
    assert operators({"api-key": "k"}) == {"api-key": "k"}
    for name in ("Authorization", "Host", "content-length"):
        with pytest.raises(HeaderError, match=name):
            operators({name: "x"})


def test_later_headers_replace_earlier_ones() -> None:
    assert merged({"Accept": "a", "x": "1"}, {"ACCEPT": "b"}) == {"ACCEPT": "b", "x": "1"}
