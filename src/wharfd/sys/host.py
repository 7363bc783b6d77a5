"""Facts about this machine, read where the kernel and the distribution keep them.

Nothing is cached.  File systems are the affair of `filesystem.py`, cgroups of `cgroup_layout.py`, security of `security.py`.
"""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_LIMITS = {
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "data": resource.RLIMIT_DATA,
    "fsize": resource.RLIMIT_FSIZE,
    "memlock": resource.RLIMIT_MEMLOCK,
    "msgqueue": resource.RLIMIT_MSGQUEUE,
    "nice": resource.RLIMIT_NICE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "rss": resource.RLIMIT_RSS,
    "rtprio": resource.RLIMIT_RTPRIO,
    "rttime": resource.RLIMIT_RTTIME,
    "sigpending": resource.RLIMIT_SIGPENDING,
    "stack": resource.RLIMIT_STACK,
}

# uname's machine -> (Go's GOARCH, variant as image indexes have it)
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", "v8"),
    "armv5tel": ("arm", "v5"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v8"),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
    "loongarch64": ("loong64", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One architecture by its two names: `kernel` as uname has it (x86_64), `go` as images have it (amd64), with `variant` (v7)."""

    kernel: str
    go: str
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OsRelease:
    """`pretty_name` ("Debian GNU/Linux 12 (bookworm)"), `version_id` ("12", empty on rolling releases), `id` ("debian")."""

    pretty_name: str
    version_id: str
    id: str


def architecture() -> Architecture:
    machine = os.uname().machine
    go, variant = _ARCHITECTURES.get(machine, (machine, ""))
    return Architecture(kernel=machine, go=go, variant=variant)


def kernel_version() -> str:
    """The release, as `uname -r`."""
    return os.uname().release


def hostname() -> str:
    return os.uname().nodename


def os_release() -> OsRelease:
    """Of the distribution; "Linux" where it does not say."""
    for path in _OS_RELEASE:
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                fields = parse_os_release(f.read())
        except FileNotFoundError:
            continue
        return OsRelease(
            pretty_name=fields.get("PRETTY_NAME") or "Linux",
            version_id=fields.get("VERSION_ID", ""),
            id=fields.get("ID", "linux"),
        )
    return OsRelease(pretty_name="Linux", version_id="", id="linux")


def parse_os_release(text: str) -> dict[str, str]:
    """os-release(5): shell assignments with the shell's quotes and backslashes; other lines are left out."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key and not key.startswith("#"):
            fields[key] = _unquote(value)
    return fields


def usable_cpus() -> frozenset[int]:
    """The CPUs on which this process may run; Docker counts those as its NCPU."""
    return frozenset(os.sched_getaffinity(0))


def cpuset_cpus() -> str:
    """The CPUs that this process may use, in the list format of cpusets ("0-3,6")."""
    return format_number_list(usable_cpus())


def cpuset_mems() -> str:
    """The memory nodes that this process may use, in the same format."""
    return _status_field("Mems_allowed_list")


def format_number_list(numbers: Iterable[int]) -> str:
    """{0, 1, 2, 5} -> "0-2,5"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def memory_total_bytes() -> int:
    return _meminfo("MemTotal")


def memory_available_bytes() -> int:
    """What can be had without swapping, as the kernel estimates it."""
    return _meminfo("MemAvailable")


def hard_limits() -> dict[str, int]:
    """Docker's ulimit names -> this process's hard limits, -1 for unlimited."""
    limits = {name: resource.getrlimit(number)[1] for name, number in _LIMITS.items()}
    return {name: -1 if hard == resource.RLIM_INFINITY else hard for name, hard in limits.items()}


def open_file_count() -> int:
    """The descriptors that this process holds."""
    return len(os.listdir("/proc/self/fd")) - 1  # one is the listing's own


def ipv4_forwarding() -> bool:
    return _read("/proc/sys/net/ipv4/ip_forward").strip() == "1"


def product_uuid() -> str | None:
    """The machine's own id from its firmware; None where there is none (or we may not read it)."""
    return _read("/sys/class/dmi/id/product_uuid").strip().lower() or None


def is_systemd_running() -> bool:
    """Whether systemd is the machine's init (as sd_booted says)."""
    return os.path.isdir("/run/systemd/system")


def _unquote(value: str) -> str:
    value = value.strip()
    quote = value[:1] if value[:1] in ("'", '"') else ""
    if quote:
        value = value[1:-1] if len(value) > 1 and value.endswith(quote) else value[1:]
    if quote == "'" or "\\" not in value:
        return value
    out: list[str] = []
    characters = iter(value)
    for character in characters:
        out.append(next(characters, "") if character == "\\" else character)
    return "".join(out)


def _meminfo(field: str) -> int:
    for line in _read("/proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return int(value.split()[0]) * 1024
    return 0


def _status_field(field: str) -> str:
    for line in _read("/proc/self/status").splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return value.strip()
    return ""


def _read(path: str) -> str:
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""
