"""What the default profile leaves to processes with few capabilities."""

from collections.abc import Collection

from wharfd.model.json import JsonObject
from wharfd.wire.seccomp_narrow import narrow

ALLOWED = ["clone", "clone3", "keyctl", "mount", "read", "unshare"]
PROFILE: JsonObject = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "syscalls": [
        {"names": ALLOWED, "action": "SCMP_ACT_ALLOW"},
        {"names": ["setns", "bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    ],
}


def narrowed(capabilities: Collection[str] = (), architecture: str = "amd64") -> list[JsonObject]:
    rules: list[JsonObject] = narrow(PROFILE, capabilities, architecture)["syscalls"]
    return rules


def test_without_the_capability_namespaces_and_mounts_are_refused() -> None:
    first, bpf, refused, clone3, clone = narrowed()
    assert first == {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
    assert bpf["names"] == ["bpf"]
    assert refused == {"names": ["keyctl", "mount", "setns", "unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    assert clone3 == {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    flags = {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    assert clone == {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [flags]}


def test_the_flags_are_the_second_argument_on_s390x() -> None:
    assert narrowed(architecture="s390x")[-1]["args"][0]["index"] == 1


def test_with_the_capability_only_what_nobody_may_is_taken() -> None:
    first, rest, refused = narrowed({"CAP_SYS_ADMIN"})
    assert first["names"] == ["clone", "clone3", "mount", "read", "unshare"]
    assert rest["names"] == ["setns", "bpf"]
    assert refused["names"] == ["keyctl"]


def test_what_the_profile_does_not_name_stays_with_its_default() -> None:
    rules = narrow({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": None}, (), "amd64")
    assert rules == {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}


def test_the_profile_itself_is_not_changed() -> None:
    narrowed()
    assert PROFILE["syscalls"][0] == {"names": ALLOWED, "action": "SCMP_ACT_ALLOW"}
