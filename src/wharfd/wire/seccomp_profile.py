"""Seccomp profiles as Docker and the containers project write them, turned into the `linux.seccomp` of the OCI runtime spec.

A profile's rules may depend on the container's capabilities, the architecture and the kernel (`includes`, `excludes`), and its
`archMap` names the architectures that come along with the native one.  Resolving takes those answers and leaves plain rules.
"""

import errno
import re
from collections.abc import Collection

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json, JsonObject

# architecture as Go names it -> as profiles name it (libseccomp) and as the runtime spec does
_ARCHITECTURES = {
    "386": ("x86", "SCMP_ARCH_X86"),
    "amd64": ("amd64", "SCMP_ARCH_X86_64"),
    "arm": ("arm", "SCMP_ARCH_ARM"),
    "arm64": ("arm64", "SCMP_ARCH_AARCH64"),
    "loong64": ("loongarch64", "SCMP_ARCH_LOONGARCH64"),
    "mips64": ("mips64", "SCMP_ARCH_MIPS64"),
    "mips64le": ("mipsel64", "SCMP_ARCH_MIPSEL64"),
    "mipsle": ("mipsel", "SCMP_ARCH_MIPSEL"),
    "ppc64": ("ppc64", "SCMP_ARCH_PPC64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
}
_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")


class _Condition(msgspec.Struct, frozen=True, rename="camel"):
    arches: list[str] | None = None
    caps: list[str] | None = None
    min_kernel: str = ""


class _Argument(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    index: int
    value: int
    op: str
    value_two: int = 0


class _Rule(msgspec.Struct, frozen=True, rename="camel"):
    action: str
    name: str = ""
    names: list[str] = []
    args: list[_Argument] | None = None
    errno_ret: int | None = None
    errno: str = ""
    includes: _Condition | None = None
    excludes: _Condition | None = None


class _ArchMap(msgspec.Struct, frozen=True, rename="camel"):
    architecture: str
    sub_architectures: list[str] | None = None


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    default_action: str = ""
    default_errno_ret: int | None = None
    default_errno: str = ""
    architectures: list[str] | None = None
    arch_map: list[_ArchMap] | None = None
    flags: list[str] | None = None
    syscalls: list[_Rule] | None = None
    listener_path: str = ""
    listener_metadata: str = ""


class Profile:
    """A parsed profile; `resolve` may be asked many times."""

    def __init__(self, document: _Document) -> None:
        self._document = document

    def resolve(self, architecture: str, capabilities: Collection[str], kernel: str) -> JsonObject | None:
        """The `linux.seccomp` object for a process with these capabilities (`CAP_…`); None: the profile filters nothing.

        `architecture` is Go's name (`amd64`), `kernel` a release (`6.1.0-25-amd64`).

        Raises:
            InvalidParameter: a rule's `minKernel` is no version.
        """
        document = self._document
        if not document.default_action and not document.syscalls:
            return None
        native, scmp = _ARCHITECTURES.get(architecture, (architecture, ""))
        out: JsonObject = {"defaultAction": document.default_action}
        default_errno = _errno(document.default_errno_ret, document.default_errno)
        if default_errno is not None:
            out["defaultErrnoRet"] = default_errno
        architectures = list(document.architectures or ())
        for entry in document.arch_map or ():
            if entry.architecture == scmp:
                architectures += [entry.architecture, *(entry.sub_architectures or ())]
                break
        if architectures:
            out["architectures"] = architectures
        for key, value in (
            ("flags", document.flags),
            ("listenerPath", document.listener_path),
            ("listenerMetadata", document.listener_metadata),
        ):
            if value:
                out[key] = value
        version = parse_kernel(kernel)
        out["syscalls"] = [
            _rule(rule) for rule in document.syscalls or () if _applies(rule, native, capabilities, version)
        ]
        return out


def parse_profile(data: bytes | str) -> Profile:
    """Parse a profile document.

    Raises:
        InvalidParameter: with dockerd's beginning, `Decoding seccomp profile failed`.
    """
    try:
        document = msgspec.convert(_without_nulls(msgspec.json.decode(data)), _Document)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"Decoding seccomp profile failed: {e}") from e
    if document.architectures and document.arch_map:
        raise InvalidParameter(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    if any(rule.name and rule.names for rule in document.syscalls or ()):
        raise InvalidParameter(
            "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'"
        )
    return Profile(document)


def parse_kernel(release: str) -> tuple[int, int]:
    """Major and minor number of a kernel release."""
    match = _VERSION.match(release)
    if match is None:
        raise InvalidParameter(f"invalid kernel version: {release}")
    return int(match[1]), int(match[2])


def _applies(rule: _Rule, native: str, capabilities: Collection[str], kernel: tuple[int, int]) -> bool:
    excludes, includes = rule.excludes, rule.includes
    if excludes is not None:
        if native in (excludes.arches or ()) or any(name in capabilities for name in excludes.caps or ()):
            return False
        if excludes.min_kernel and kernel >= parse_kernel(excludes.min_kernel):
            return False
    if includes is not None:
        if includes.arches and native not in includes.arches:
            return False
        if not all(name in capabilities for name in includes.caps or ()):
            return False
        if includes.min_kernel and kernel < parse_kernel(includes.min_kernel):
            return False
    return True


def _rule(rule: _Rule) -> JsonObject:
    out: JsonObject = {"names": [rule.name] if rule.name else list(rule.names), "action": rule.action}
    number = _errno(rule.errno_ret, rule.errno)
    if number is not None:
        out["errnoRet"] = number
    if rule.args:
        out["args"] = msgspec.to_builtins(rule.args)
    return out


def _errno(number: int | None, name: str) -> int | None:
    return number if number is not None else getattr(errno, name, None) if name.startswith("E") else None


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
