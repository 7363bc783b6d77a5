"""Seccomp profiles: conditions, shapes of old and new documents, refusals."""

import json

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject
from wharfd.wire.seccomp_profile import parse_kernel, parse_profile

PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": None},
    ],
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {}, "excludes": {}},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errno": "EPERM", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["two"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_A", "CAP_B"]}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["notarm"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["arm64"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["old"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
        {
            "name": "personality",
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}],
        },
    ],
}


def resolve(
    architecture: str = "amd64", capabilities: tuple[str, ...] = (), kernel: str = "6.1.0-25-amd64"
) -> JsonObject:
    resolved = parse_profile(json.dumps(PROFILE)).resolve(architecture, capabilities, kernel)
    assert resolved is not None
    return resolved


def names(resolved: JsonObject) -> list[str]:
    return [name for rule in resolved["syscalls"] for name in rule["names"]]


def test_plain_parts() -> None:
    resolved = resolve()
    assert resolved["defaultAction"] == "SCMP_ACT_ERRNO"
    assert resolved["defaultErrnoRet"] == 38
    assert resolved["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert resolved["syscalls"][0] == {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}
    assert resolved["syscalls"][-1] == {
        "names": ["personality"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
    }


def test_conditions() -> None:
    assert names(resolve()) == ["read", "write", "mount", "arch_prctl", "notarm", "ptrace", "personality"]
    assert resolve()["syscalls"][1] == {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    assert resolve(capabilities=("CAP_SYS_ADMIN",))["syscalls"][1] == {"names": ["mount"], "action": "SCMP_ACT_ALLOW"}
    assert "two" not in names(resolve(capabilities=("CAP_A",)))
    assert "two" in names(resolve(capabilities=("CAP_A", "CAP_B")))
    arm = resolve("arm64")
    assert arm["architectures"] == ["SCMP_ARCH_AARCH64"]
    assert "arch_prctl" not in names(arm)
    assert "notarm" not in names(arm)
    old = names(resolve(kernel="4.4.0"))
    assert "ptrace" not in old
    assert "old" in old
    assert "ptrace" in names(resolve(kernel="4.10"))


def test_an_unknown_architecture_has_no_list() -> None:
    assert "architectures" not in resolve("vax")


def test_a_plain_runtime_spec_document_passes_through() -> None:
    document = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [{"names": ["x"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}],
    }
    assert parse_profile(json.dumps(document)).resolve("amd64", (), "6.1") == document


def test_an_empty_profile_filters_nothing() -> None:
    assert parse_profile("{}").resolve("amd64", (), "6.1") is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("x", "Decoding seccomp profile failed"),
        ("[]", "Decoding seccomp profile failed"),
        ('{"syscalls":[{"names":["x"]}]}', "Decoding seccomp profile failed"),
        ("[" * 100_000, "Decoding seccomp profile failed"),
        (
            '{"architectures":["A"],"archMap":[{"architecture":"B"}]}',
            "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
        ),
        (
            '{"syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_ALLOW"}]}',
            "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
        ),
    ],
)
def test_refused(document: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_profile(document)
    assert str(caught.value).startswith(message)


def test_kernel_versions() -> None:
    assert parse_kernel("6.18.3-generic") == (6, 18)
    for text in ("", "6", "x.y"):
        with pytest.raises(InvalidParameter, match="invalid kernel version"):
            parse_kernel(text)
