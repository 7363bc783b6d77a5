"""Signature policies and payloads of any bytes: values, or InvalidParameter; what was parsed can be asked."""

import json

from wharfd.model.errors import InvalidParameter
from wharfd.wire.reference import parse_normalised
from wharfd.wire.signaturepolicy import Identity, Kind, Match, agrees, parse_claim, parse_policy

REFS = [parse_normalised(name) for name in ("alpine:1", "r.example:5000/team/app:2", "r.example/a@sha256:" + "0" * 64)]
SIGNED = {
    "type": "sigstoreSigned",
    "keyPath": "/k",
    "signedIdentity": {"type": "remapIdentity", "prefix": "r", "signedPrefix": "s"},
}
SEEDS = [
    json.dumps({"default": [{"type": "reject"}], "transports": {"docker": {"r.example": [SIGNED], "*.example": [SIGNED]}}}).encode(),
    b'{"default":[{"type":"sigstoreSigned","keyData":"QUJD","signedIdentity":{"type":"exactReference","dockerReference":"a:b"}}]}',
    b'{"critical":{"identity":{"docker-reference":"r.example/app:1"},"image":{"docker-manifest-digest":"sha256:00"},'
    b'"type":"cosign container image signature"},"optional":null}',
]  # fmt: skip


def fuzz_one(data: bytes) -> None:
    try:
        policy = parse_policy(data)
    except InvalidParameter:
        pass
    else:
        for ref in REFS:
            _, required = policy.of(ref)
            assert required
            for each in required:
                assert (each.kind is Kind.SIGNED) == bool(each.keys)
                agrees(each.identity, ref, "r.example/app:1")
    try:
        claim = parse_claim(data)
    except InvalidParameter:
        return
    for ref in REFS:
        for match in Match:
            agrees(Identity(match=match, value=claim.name, prefix="r"), ref, claim.name)
