"""The grammar of signature policies: scopes, requirements, names, and what is refused."""

import json
from typing import Any

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.reference import parse_normalised
from wharfd.wire.signaturepolicy import Identity, Kind, Match, agrees, parse_claim, parse_policy

ACCEPT, REJECT = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]


def policy(scopes: dict[str, Any], default: Any = ACCEPT) -> bytes:
    return json.dumps({"default": default, "transports": {"docker": scopes}}).encode()


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("r.example/team/app:1", "r.example/team/app:1"),
        ("r.example/team/app:2", "r.example/team/app"),
        ("r.example/team/other", "r.example/team"),
        ("r.example/else", "r.example"),
        ("x.r.example/app", "*.r.example"),
        ("y.example/app", "*.example"),
        ("alpine", "docker.io/library"),
        ("someone/app", ""),
    ],
)
def test_the_most_specific_scope_decides(name: str, scope: str) -> None:
    team = ("r.example/team/app:1", "r.example/team/app", "r.example/team", "r.example")
    names = (*team, "*.r.example", "*.example", "docker.io/library", "")
    found = parse_policy(policy(dict.fromkeys(names, ACCEPT), REJECT))
    assert found.of(parse_normalised(name).with_default_tag())[0] == scope


def test_without_a_scope_the_default_decides() -> None:
    scope, required = parse_policy(policy({"r.example": ACCEPT}, REJECT)).of(parse_normalised("other.example/app:1"))
    assert (scope, [each.kind for each in required]) == ("default", [Kind.REJECT])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "invalid JSON"),
        (b'{"\xff": 1}', "invalid JSON"),
        (b"[]", "policy must be an object"),
        (b"{}", "default is missing"),
        (b'{"default": []}', "default must be a list of at least one requirement"),
        (b'{"default": [{"type": "reject"}], "more": 1}', "policy: 'more' is not supported"),
        (
            b'{"default": [{"type": "signedBy", "keyType": "GPGKeys"}]}',
            r"default\[0\]: the type 'signedBy' is not supported",
        ),
        (b'{"default": [{"type": "reject", "keyPath": "/k"}]}', "'keyPath' is not supported"),
        (policy({"r": [{"type": "sigstoreSigned"}]}), "exactly one of keyPath"),
        (policy({"r": [{"type": "sigstoreSigned", "fulcio": {}, "keyPath": "/k"}]}), "'fulcio' is not supported"),
        (policy({"r": [{"type": "sigstoreSigned", "keyPaths": []}]}), "must be a list that is not empty"),
        (policy({"r": [{"type": "sigstoreSigned", "keyData": "%"}]}), "is not base64"),
        (policy({"r": [{"type": "sigstoreSigned", "keyData": "é"}]}), "is not base64"),
        (
            policy({"r": [{"type": "sigstoreSigned", "keyPath": "/k", "signedIdentity": {"type": "any"}}]}),
            "the type 'any' is not known",
        ),
        (
            policy({"r": [{"type": "sigstoreSigned", "keyPath": "/k", "signedIdentity": {"type": "exactReference"}}]}),
            "dockerReference must be a string",
        ),
    ],
)
def test_what_is_not_understood_is_an_error(text: bytes, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        parse_policy(text)


@pytest.mark.parametrize(
    ("identity", "name", "claimed", "good"),
    [
        (Identity(), "r.example/app:1", "r.example/app:1", True),
        (Identity(), "r.example/app:1", "r.example/app:2", False),
        (Identity(), "r.example/app:1", "r.example/app", False),
        (Identity(), "r.example/app@sha256:" + "0" * 64, "r.example/app", True),
        (Identity(match=Match.EXACT), "r.example/app@sha256:" + "0" * 64, "r.example/app", False),
        (Identity(match=Match.REPOSITORY), "r.example/app:1", "r.example/app", True),
        (Identity(match=Match.REPOSITORY), "r.example/app:1", "r.example/other:1", False),
        (Identity(match=Match.EXACT_REFERENCE, value="o.example/x:3"), "r.example/app:1", "o.example/x:3", True),
        (Identity(match=Match.EXACT_REPOSITORY, value="o.example/x"), "r.example/app:1", "o.example/x:3", True),
        (
            Identity(match=Match.REMAP, prefix="r.example", value="o.example"),
            "r.example/app:1",
            "o.example/app:1",
            True,
        ),
        (
            Identity(match=Match.REMAP, prefix="r.example", value="o.example"),
            "r.example.org/app:1",
            "o.example.org/app:1",
            False,
        ),
        (Identity(match=Match.REPOSITORY), "r.example/app:1", "NOT A NAME", False),
    ],
)
def test_names_agree(identity: Identity, name: str, claimed: str, good: bool) -> None:
    assert agrees(identity, parse_normalised(name), claimed) is good


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"critical":{}}',
        b'{"critical":{"type":"something else","image":{"docker-manifest-digest":"x"},"identity":{"docker-reference":"y"}}}',
        b'{"critical":{"type":"cosign container image signature","image":{},"identity":{"docker-reference":"y"}}}',
    ],
)
def test_what_is_no_claim(payload: bytes) -> None:
    with pytest.raises(InvalidParameter):
        parse_claim(payload)
