"""Credentials, challenges, seccomp profiles and json-file lines of any bytes."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.authconfig import (
    format_challenge,
    parse_challenges,
    parse_login,
    parse_registry_auth,
    parse_registry_config,
)
from wharfd.wire.jsonlog import decode, encode
from wharfd.wire.seccomp_profile import parse_profile

SEEDS = [
    b'Bearer realm="https://a.example/token",service="r",scope="repository:a/b:pull", Basic realm=x',
    b"eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAifQ==",
    b'{"username":"u","password":"p","auth":"dTpw"}',
    b'{"log":"a\\n","stream":"stdout","attrs":{"k":"v"},"time":"2024-01-01T00:00:00.5Z"}',
    b'{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],'
    b'"syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}],'
    b'"includes":{"caps":["CAP_A"],"minKernel":"4.8"},"excludes":{"arches":["arm"]},"errno":"EPERM"}]}',
]


def fuzz_one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parse_registry_auth(text)
    parse_registry_config(text)
    for challenge in parse_challenges(text):
        if challenge.parameters:
            assert parse_challenges(format_challenge(challenge)) == [challenge]
    try:
        parse_login(data)
    except InvalidParameter:
        pass
    try:
        line = decode(data)
        assert line.at_ns == 0 or decode(encode(line)) == line
    except InvalidParameter:
        pass
    try:
        parse_profile(data).resolve("amd64", ("CAP_A",), "6.1")
    except InvalidParameter:
        pass
