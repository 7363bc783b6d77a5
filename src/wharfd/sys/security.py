"""Which security mechanisms the kernel offers and what this process may do."""

import os
from dataclasses import dataclass

from wharfd.wire.limits import ALL_CAPABILITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFacts:
    """`capabilities` are the effective ones, in the kernel's order: no container can be given more than `bounding`."""

    apparmor: bool
    selinux: bool
    seccomp: bool
    capabilities: tuple[str, ...]
    bounding: tuple[str, ...]


def security_facts() -> SecurityFacts:
    return SecurityFacts(
        apparmor=is_apparmor_enabled(),
        selinux=is_selinux_enabled(),
        seccomp=is_seccomp_available(),
        capabilities=effective_capabilities(),
        bounding=bounding_capabilities(),
    )


def is_apparmor_enabled() -> bool:
    return _read("/sys/module/apparmor/parameters/enabled").strip() == "Y"


def is_selinux_enabled() -> bool:
    """SELinux is on and has a policy loaded (permissive counts)."""
    return os.path.exists("/sys/fs/selinux/enforce") and os.path.exists("/sys/fs/selinux/policy")


def is_seccomp_available() -> bool:
    """Filters, not only the strict mode (CONFIG_SECCOMP_FILTER)."""
    return os.path.exists("/proc/sys/kernel/seccomp/actions_avail") or "\nSeccomp:" in _read("/proc/self/status")


def effective_capabilities() -> tuple[str, ...]:
    """Of this process, as "CAP_…"."""
    return decode_capabilities(_status_mask("CapEff"))


def bounding_capabilities() -> tuple[str, ...]:
    """What this process and its children can ever have."""
    return decode_capabilities(_status_mask("CapBnd"))


def has_capability(name: str) -> bool:
    """Whether this process has, say, "CAP_SYS_RESOURCE" now.  ValueError for unknown names."""
    return bool(_status_mask("CapEff") >> ALL_CAPABILITIES.index(name) & 1)


def decode_capabilities(mask: int) -> tuple[str, ...]:
    """The names of a kernel mask's bits; bits of later kernels are left out."""
    return tuple(name for bit, name in enumerate(ALL_CAPABILITIES) if mask >> bit & 1)


def _status_mask(field: str) -> int:
    for line in _read("/proc/self/status").splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return int(value, 16)
    return 0


def _read(path: str) -> str:
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""
