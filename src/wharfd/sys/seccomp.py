"""Seccomp profiles compiled to BPF by libseccomp: the `linux.seccomp` document of the OCI runtime spec in, the kernel's program out.

Compiling a default profile takes some 10 ms, more than creating a container otherwise does; a runtime that is handed the program
(crun: annotation run.oci.seccomp_bpf_data) need not do it.  Call it through a pool and keep the result.
"""

import ctypes
import errno
import os
from collections import Counter
from collections.abc import Sequence
from functools import cache

from wharfd.model.json import JsonObject
from wharfd.sys import memfd
from wharfd.sys.libc import load_library

_ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_COMPARISONS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_ATTR_NO_NEW_PRIVILEGES = 3
_ATTR_OPTIMIZE = 8
_BINARY_TREE = 2
_UNKNOWN_SYSCALL = -1


class SeccompError(Exception):
    """The profile is wrong as it stands, or asks for what a program alone cannot do (SCMP_ACT_NOTIFY)."""


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def compile_profile(profile: JsonObject) -> bytes:
    """The BPF program (struct sock_filter after struct sock_filter) for a `linux.seccomp` document.

    As runc has it: system calls that the library does not know are left out, rules that repeat the default too, and conditions on one
    and the same argument stand for alternatives.  The native architecture is always among those covered; `flags` are no part of a
    program.

    Raises:
        SeccompError: see there.
        MissingLibrary: libseccomp2 is not installed.
    """
    library = _library()
    try:
        default = _action(profile, "defaultAction", "defaultErrnoRet")
        architectures: Sequence[str] = profile.get("architectures") or ()
        rules: Sequence[JsonObject] = profile.get("syscalls") or ()
        context = library.seccomp_init(default)
        if not context:
            raise SeccompError("libseccomp refuses the default action")
        try:
            # The loader sets that; libseccomp would write it into nothing but its own load call.
            library.seccomp_attr_set(context, _ATTR_NO_NEW_PRIVILEGES, 0)
            # A tree over the numbers instead of a chain; libseccomp before 2.5 has no such attribute.
            library.seccomp_attr_set(context, _ATTR_OPTIMIZE, _BINARY_TREE)
            for architecture in architectures:
                _add_architecture(library, context, architecture)
            for rule in rules:
                _add_rule(library, context, rule, default)
            return _export(library, context)
        finally:
            library.seccomp_release(context)
    except (AttributeError, KeyError, TypeError, ctypes.ArgumentError) as e:
        raise SeccompError(f"malformed seccomp profile: {e!r}") from e


def _action(document: JsonObject, key: str, errno_key: str) -> int:
    name = document[key]
    if name not in _ACTIONS:
        raise SeccompError(f"seccomp action {name} is not supported")
    if name not in _WITH_ERRNO:
        return _ACTIONS[name]
    number = document.get(errno_key)
    if number is None:
        number = errno.EPERM
    if not isinstance(number, int) or not 0 <= number <= 0xFFFF:
        raise SeccompError(f"{errno_key} {number!r} is not between 0 and 65535")
    return _ACTIONS[name] | number


def _add_architecture(library: ctypes.CDLL, context: int, name: str) -> None:
    token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
    if not token:
        raise SeccompError(f"unknown architecture {name}")
    result = library.seccomp_arch_add(context, token)
    if result not in (0, -errno.EEXIST):
        raise SeccompError(f"architecture {name}: {os.strerror(-result)}")


def _add_rule(library: ctypes.CDLL, context: int, rule: JsonObject, default: int) -> None:
    action = _action(rule, "action", "errnoRet")
    if action == default:
        return  # libseccomp refuses them
    conditions = [_comparison(argument) for argument in rule.get("args") or ()]
    repeated = any(count > 1 for count in Counter(c.arg for c in conditions).values())
    alternatives = [[condition] for condition in conditions] if repeated else [conditions]
    for name in rule["names"]:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number == _UNKNOWN_SYSCALL:
            continue
        for conjunction in alternatives:
            array = (_Comparison * len(conjunction))(*conjunction)
            result = library.seccomp_rule_add_array(context, action, number, len(conjunction), array)
            if result not in (0, -errno.EEXIST):
                raise SeccompError(f"rule for {name}: {os.strerror(-result)}")


def _comparison(argument: JsonObject) -> _Comparison:
    operation = argument["op"]
    if operation not in _COMPARISONS:
        raise SeccompError(f"unknown comparison {operation}")
    index, value, second = argument["index"], argument["value"], argument.get("valueTwo") or 0
    if not 0 <= index <= 5:
        raise SeccompError(f"a system call has no argument {index}")
    # For MASKED_EQ the first value is the mask and the second what remains, in both documents.
    return _Comparison(index, _COMPARISONS[operation], value, second)


def _export(library: ctypes.CDLL, context: int) -> bytes:
    fd = memfd.create("seccomp")
    try:
        result = library.seccomp_export_bpf(context, fd)
        if result:
            raise SeccompError(f"seccomp_export_bpf: {os.strerror(-result)}")
        return memfd.read_all(fd)
    finally:
        os.close(fd)


@cache
def _library() -> ctypes.CDLL:
    library = load_library("libseccomp.so.2", "libseccomp2")
    context, u32, integer = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int
    for name, result, arguments in (
        ("seccomp_init", context, [u32]),
        ("seccomp_release", None, [context]),
        ("seccomp_attr_set", integer, [context, integer, u32]),
        ("seccomp_arch_resolve_name", u32, [ctypes.c_char_p]),
        ("seccomp_arch_add", integer, [context, u32]),
        ("seccomp_syscall_resolve_name", integer, [ctypes.c_char_p]),
        ("seccomp_rule_add_array", integer, [context, u32, integer, ctypes.c_uint, ctypes.POINTER(_Comparison)]),
        ("seccomp_export_bpf", integer, [context, integer]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
