"""Platforms: `os/architecture/variant` parsed, brought to one spelling, and matched.

Names are Go's (`amd64`, `arm64`), whatever a user or the kernel calls them.  Variants v8 of arm64 and v1 of amd64 are the ordinary
ones and go without saying; a host also runs what its older variants run (arm/v7 runs v6), and amd64 runs 386.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.wire.oci.documents import Platform

_COMPONENT = re.compile(r"[A-Za-z0-9_.-]+")
_COMPONENT_TEXT = "^[A-Za-z0-9_.-]+$"
_OS = re.compile(r"[A-Za-z0-9_-]+(?:\([A-Za-z0-9_.%+-]*\))?")

_KNOWN_OS = frozenset(
    {
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "illumos",
        "ios",
        "js",
        "linux",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "windows",
    }
)
_KNOWN_ARCHITECTURES = frozenset(
    {
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mipsle",
        "mips64",
        "mips64le",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "wasm",
    }
)
_ALIASES = {
    "i386": "386",
    "i686": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "loongarch64": "loong64",
}
_MACHINES = {
    "aarch64": ("arm64", "v8"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
}


def from_machine(machine: str) -> Platform:
    """The platform of this host by `uname -m`."""
    architecture, variant = _MACHINES.get(machine, (_ALIASES.get(machine, machine), ""))
    return Platform(architecture=architecture, os="linux", variant=variant)


def parse_platform(text: str, host: Platform) -> Platform:
    """Parse `os`, `architecture`, `os/architecture` or `os/architecture/variant`; what is missing is the host's.

    Raises:
        InvalidParameter: with the words of dockerd's library.
    """
    if "*" in text:
        raise InvalidParameter(f'"{text}": wildcards not yet supported: invalid argument')
    parts = text.split("/")
    for number, part in enumerate(parts[:4]):
        if not (_COMPONENT if number else _OS).fullmatch(part):
            raise InvalidParameter(
                f'"{part}" is an invalid component of "{text}": '
                f'platform specifier component must match "{_COMPONENT_TEXT}": invalid argument'
            )
    if len(parts) > 3:
        raise InvalidParameter(f'"{text}": cannot parse platform specifier: invalid argument')
    system, _, version = parts[0].rstrip(")").partition("(")
    if len(parts) == 1:
        if system.lower() in _KNOWN_OS:
            return msgspec.structs.replace(normalise(host), os=system.lower())
        guess = normalise(Platform(os="linux", architecture=text))
        if guess.architecture not in _KNOWN_ARCHITECTURES:
            raise InvalidParameter(f'"{text}": unknown operating system or architecture: invalid argument')
        return guess
    variant = parts[2] if len(parts) == 3 else ""
    return normalise(Platform(os=system, os_version=version, architecture=parts[1], variant=variant))


def format_platform(platform: Platform) -> str:
    """`linux/arm/v7`."""
    if not platform.os:
        return "unknown"
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)


def normalise(platform: Platform) -> Platform:
    """The one spelling of a platform."""
    system = platform.os.lower()
    architecture, variant = platform.architecture.lower(), platform.variant.lower()
    architecture, variant = {"armhf": ("arm", "v7"), "armel": ("arm", "v6")}.get(architecture, (architecture, variant))
    architecture = _ALIASES.get(architecture, architecture)
    if architecture == "386" or (architecture, variant) in {("amd64", "v1"), ("arm64", "8"), ("arm64", "v8")}:
        variant = ""
    elif architecture == "arm":
        variant = f"v{variant}" if variant in {"5", "6", "7", "8"} else variant or "v7"
    return msgspec.structs.replace(
        platform, os={"macos": "darwin"}.get(system, system), architecture=architecture, variant=variant
    )


def is_same(one: Platform, other: Platform) -> bool:
    """Do both name the same system, architecture and variant?"""
    return _key(one) == _key(other)


def runnable(host: Platform) -> list[Platform]:
    """What a host runs, the best first."""
    host = normalise(host)
    variants = [host.variant]
    if host.architecture == "arm":
        newest = int(host.variant[1:]) if re.fullmatch(r"v[5-9]", host.variant) else 7
        variants = [f"v{number}" for number in range(newest, 4, -1)]
    elif host.architecture == "amd64" and re.fullmatch(r"v[2-4]", host.variant):
        variants = [*(f"v{number}" for number in range(int(host.variant[1:]), 1, -1)), ""]
    elif host.architecture == "arm64":
        variants = _arm64_variants(host.variant)
    out = [msgspec.structs.replace(host, variant=variant) for variant in variants]
    if host.architecture == "amd64":
        out.append(msgspec.structs.replace(host, architecture="386", variant=""))
    elif host.architecture == "arm64":
        out += [msgspec.structs.replace(host, architecture="arm", variant=f"v{number}") for number in range(8, 4, -1)]
    return out


def best_match(candidates: Sequence[Platform], wanted: Iterable[Platform]) -> int | None:
    """Index of the candidate that comes first among the wanted ones (`runnable`, or one platform for exactly that); None if none."""
    keys = [_key(candidate) for candidate in candidates]
    for platform in wanted:
        key = _key(platform)
        if key in keys:
            return keys.index(key)
    return None


def _arm64_variants(variant: str) -> list[str]:
    match = re.fullmatch(r"v([89])(?:\.([0-9]))?", variant or "v8")
    if match is None:
        return [variant, ""]
    major, minor = int(match[1]), int(match[2] or 0)
    out = []
    if major == 9:
        out = [f"v9.{number}" for number in range(minor, 0, -1)] + ["v9"]
        minor += 5  # v9.0 is v8.5 with more
    out += [f"v8.{number}" for number in range(minor, 0, -1)]
    return [*out, ""]


def _key(platform: Platform) -> tuple[str, str, str]:
    normal = normalise(platform)
    return normal.os, normal.architecture, normal.variant
