"""Seccomp profiles compiled and loaded into a child that tries what they forbid.  Needs no root (no_new_privs is set)."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from wharfd.model.json import JsonObject
from wharfd.sys.seccomp import SeccompError, compile_profile

CHILD = """
import base64, ctypes, errno, json, os, sys
program = base64.b64decode(sys.argv[1])
class Fprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(program, len(program))
def attempt(call):
    try:
        call()
    except OSError as e:
        return errno.errorcode[e.errno]
    return "ok"
def personality(value):
    # 0xffffffff only asks; other values are set for this process
    if libc.personality(ctypes.c_ulong(value)) == -1:
        raise OSError(ctypes.get_errno(), "personality")
def setpriority(who, value):
    if libc.setpriority(0, 0, value) == -1:
        raise OSError(ctypes.get_errno(), "setpriority")
assert libc.prctl(38, 1, 0, 0, 0) == 0
prog = Fprog(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
assert libc.prctl(22, 2, ctypes.byref(prog), 0, 0) == 0, os.strerror(ctypes.get_errno())
print(json.dumps({
    "getpid": attempt(os.getpid),
    "mkdir": attempt(lambda: os.mkdir("/proc/wharf")),
    "chroot": attempt(lambda: os.chroot("/no/such")),
    "personality 0": attempt(lambda: personality(0)),
    "personality 8": attempt(lambda: personality(8)),
    "personality ask": attempt(lambda: personality(0xFFFFFFFF)),
}))
"""


def tried(profile: JsonObject) -> dict[str, str]:
    program = base64.b64encode(compile_profile(profile)).decode()
    done = subprocess.run([sys.executable, "-c", CHILD, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results: dict[str, str] = json.loads(done.stdout)
    return results


def test_denied_calls_fail_with_their_errno_and_others_pass() -> None:
    free = tried({"defaultAction": "SCMP_ACT_ALLOW"})
    assert free["mkdir"] != "EXDEV"
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18},
            {"names": ["chroot", "no_such_call_at_all"], "action": "SCMP_ACT_ERRNO"},
        ],
    }
    assert tried(profile) == {**free, "mkdir": "EXDEV", "chroot": "EPERM"}


def test_conditions_on_one_argument_are_alternatives() -> None:
    values = ({"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (0, 0xFFFFFFFF))
    deny = {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args": list(values)}
    results = tried({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [deny]})
    assert (results["personality 0"], results["personality 8"], results["personality ask"]) == ("EXDEV", "ok", "EXDEV")


def test_masked_comparison_takes_the_mask_first() -> None:
    masked = {"index": 0, "value": 8, "valueTwo": 8, "op": "SCMP_CMP_MASKED_EQ"}
    deny = {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args": [masked]}
    results = tried({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [deny]})
    assert (results["personality 0"], results["personality 8"], results["personality ask"]) == ("ok", "EXDEV", "EXDEV")


def test_rules_that_repeat_the_default_are_no_error() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
    }
    only_default = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": None}
    assert compile_profile(profile) == compile_profile(only_default)
    assert compile_profile({**only_default, "defaultErrnoRet": 1}) != compile_profile(only_default)


def test_program_is_whole_instructions_and_the_same_each_time() -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    program = compile_profile(profile)
    assert len(program) % 8 == 0
    assert program == compile_profile(profile)
    before = len(list(Path("/proc/self/fd").iterdir()))
    compile_profile(profile)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ({}, "malformed"),
        ({"defaultAction": "SCMP_ACT_DANCE"}, "SCMP_ACT_DANCE is not supported"),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "not supported"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}, "65535"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": "x"}, "65535"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]}, "Z80"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [7]}, "malformed"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_KILL"}]}, "malformed"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": ["mkdir"]}, "malformed"),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [
                    {
                        "names": ["mkdir"],
                        "action": "SCMP_ACT_KILL",
                        "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}],
                    }
                ],
            },
            "no argument 6",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [
                    {
                        "names": ["mkdir"],
                        "action": "SCMP_ACT_KILL",
                        "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_IS"}],
                    }
                ],
            },
            "SCMP_CMP_IS",
        ),
    ],
)
def test_profiles_that_are_refused(profile: JsonObject, text: str) -> None:
    with pytest.raises(SeccompError, match=text):
        compile_profile(profile)
