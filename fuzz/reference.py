"""References: a value that parses to itself again, or InvalidParameter."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.reference import Reference, parse_any, parse_normalised

_HEX = b"a1" * 32
SEEDS = [
    b"alpine:3.20",
    b"reg.example:5000/a/b__c:t@sha256:" + _HEX,
    b"index.docker.io/x",
    b"[::1]:80/a",
    _HEX,
    b"Foo/bar-._x",
]


def fuzz_one(data: bytes) -> None:
    try:
        reference = parse_any(data.decode("utf-8", "replace"))
    except InvalidParameter:
        return
    if isinstance(reference, Reference):
        assert parse_normalised(reference.canonical()) == reference
        reference.with_default_tag().familiar()
