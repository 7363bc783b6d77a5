"""Registry credentials and challenges."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.authconfig import (
    AuthConfig,
    Challenge,
    format_challenge,
    format_registry_auth,
    parse_challenges,
    parse_login,
    parse_registry_auth,
    parse_registry_config,
)

LOGIN = AuthConfig(username="me", password="s?>~ü", serveraddress="registry.example")


def urlsafe(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def test_every_way_to_write_base64() -> None:
    text = format_registry_auth(LOGIN)
    standard = text.replace("-", "+").replace("_", "/")
    assert {parse_registry_auth(t) for t in (text, text.rstrip("="), standard, standard.rstrip("="))} == {LOGIN}


@pytest.mark.parametrize(
    "header", [None, "", "!", "e30", "e30=", "bnVsbA==", "W10=", "x" * 7, "é", urlsafe({"username": 1})]
)
def test_garbage_is_no_login(header: str | None) -> None:
    assert parse_registry_auth(header) is None


def test_a_combined_login_is_opened() -> None:
    auth = base64.b64encode(b"me:a:b").decode()
    assert parse_registry_auth(urlsafe({"auth": auth})) == AuthConfig(username="me", password="a:b")
    assert parse_registry_auth(urlsafe({"auth": "%%"})) == AuthConfig(auth="%%")


def test_tokens() -> None:
    assert parse_registry_auth(urlsafe({"identitytoken": "t", "future": 1})) == AuthConfig(identitytoken="t")


def test_a_secret_is_not_shown() -> None:
    assert "s?>~" not in repr(LOGIN)


def test_registry_config() -> None:
    header = urlsafe({"a.example": {"username": "u", "password": "p"}, "b.example": None})
    assert parse_registry_config(header) == {"a.example": AuthConfig(username="u", password="p")}
    assert parse_registry_config("!") == {}
    assert parse_registry_config(None) == {}
    assert parse_registry_config(urlsafe([])) == {}


def test_login_body() -> None:
    assert parse_login(b'{"username":"u","password":"p","serveraddress":"x"}').serveraddress == "x"
    with pytest.raises(InvalidParameter, match="invalid login"):
        parse_login(b"[]")


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        (
            'Bearer realm="https://a.example/token",service="r",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer", {"realm": "https://a.example/token", "service": "r", "scope": "repository:a/b:pull,push"}
                )
            ],
        ),
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("basic Realm=x , charset = utf-8", [Challenge("basic", {"realm": "x", "charset": "utf-8"})]),
        (
            'Bearer realm="a", Basic realm="b\\"c"',
            [Challenge("bearer", {"realm": "a"}), Challenge("basic", {"realm": 'b"c'})],
        ),
        ("Negotiate", [Challenge("negotiate", {})]),
        ("Negotiate YWJj==, Basic realm=x", [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        ("", []),
        ('"', []),
        ('Bearer realm="unfinished', [Challenge("bearer", {}), Challenge("realm", {})]),
    ],
)
def test_challenges(header: str, challenges: list[Challenge]) -> None:
    assert parse_challenges(header) == challenges


logins = st.builds(
    AuthConfig,
    username=st.text(min_size=1, max_size=8),
    password=st.text(max_size=8),
    serveraddress=st.text(max_size=8),
    identitytoken=st.text(max_size=8),
)
tokens = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True)


@given(logins)
def test_logins_round_trip(login: AuthConfig) -> None:
    assert parse_registry_auth(format_registry_auth(login)) == login


@given(st.lists(st.builds(Challenge, tokens, st.dictionaries(tokens, st.text(max_size=8), min_size=1)), max_size=3))
def test_challenges_round_trip(challenges: list[Challenge]) -> None:
    assert parse_challenges(", ".join(map(format_challenge, challenges))) == challenges


@given(st.text(max_size=20))
def test_any_text_is_parsed(text: str) -> None:
    parse_registry_auth(text)
    parse_registry_config(text)
    parse_challenges(text)
