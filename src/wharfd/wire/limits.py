"""The small grammars of a create body: signals, capabilities, ulimits, restart policies, devices, sizes, users.

All functions are pure and raise `InvalidParameter` with dockerd's text and nothing else.
"""

import re
import signal
from collections.abc import Collection, Iterable, Sequence

from wharfd.model.config import RestartPolicy, Ulimit
from wharfd.model.errors import InvalidParameter

# --- signals

_RTMIN, _RTMAX = 34, 64  # Linux: glibc keeps 32 and 33 for itself
_NAMED_SIGNALS = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP "
    "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"
)
SIGNALS: dict[str, int] = {
    **{name: int(getattr(signal, f"SIG{name}")) for name in _NAMED_SIGNALS.split()},
    "RTMIN": _RTMIN,
    **{f"RTMIN+{n}": _RTMIN + n for n in range(1, 16)},
    **{f"RTMAX-{n}": _RTMAX - n for n in range(14, 0, -1)},
    "RTMAX": _RTMAX,
}
_SIGNAL_NUMBERS = frozenset(SIGNALS.values())
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def parse_signal(text: str) -> int:
    """The number of a signal given by number or name, with or without `SIG`, in any case (`9`, `kill`, `SIGRTMIN+3`)."""
    if _INTEGER.fullmatch(text):
        number = int(text)
        if number == 0:
            raise InvalidParameter(f"invalid signal: {text}")
        if number not in _SIGNAL_NUMBERS:
            raise InvalidParameter(f"the linux daemon does not support signal {number}")
        return number
    found = SIGNALS.get(text.upper().removeprefix("SIG"))
    if found is None:
        raise InvalidParameter(f"invalid signal: {text}")
    return found


# --- capabilities

# Linux: include/uapi/linux/capability.h, in numeric order.
ALL_CAPABILITIES: tuple[str, ...] = tuple(
    "CAP_" + name
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
    ]
)
DEFAULT_CAPABILITIES: tuple[str, ...] = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
_KNOWN = frozenset(ALL_CAPABILITIES)


def normalise_capabilities(names: Iterable[str] | None, available: Collection[str] = ALL_CAPABILITIES) -> list[str]:
    """Upper case with `CAP_`; `ALL` stays as it is.  `available`: what this kernel and this engine can give."""
    out: list[str] = []
    for name in names or ():
        upper = name.upper()
        if upper != "ALL":
            upper = upper if upper.startswith("CAP_") else f"CAP_{upper}"
            if upper not in _KNOWN:
                raise InvalidParameter(f'unknown capability: "{upper}"')
            if upper not in available:
                raise InvalidParameter(
                    f'capability not supported by your kernel or not available in the current environment: "{upper}"'
                )
        out.append(upper)
    return out


def effective_capabilities(
    add: Sequence[str] | None,
    drop: Sequence[str] | None,
    privileged: bool,
    available: Collection[str] = ALL_CAPABILITIES,
) -> list[str]:
    """What a container's process gets, without doubles; the default list limited to what is available."""
    if privileged:
        return [name for name in ALL_CAPABILITIES if name in available]
    adding, dropping = normalise_capabilities(add, available), normalise_capabilities(drop, available)
    if "ALL" in adding:
        wanted = [name for name in ALL_CAPABILITIES if name in available and name not in dropping]
    elif "ALL" in dropping:
        wanted = adding
    else:
        wanted = [name for name in DEFAULT_CAPABILITIES if name in available and name not in dropping] + adding
    return list(dict.fromkeys(wanted))


# --- ulimits

ULIMITS: dict[str, str] = {
    name: f"RLIMIT_{name.upper()}"
    for name in (
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
}


def parse_ulimit(text: str) -> Ulimit:
    """Parse `nofile=1024` or `nofile=1024:2048`; -1 and `infinity` mean unlimited."""
    name, equals, values = text.partition("=")
    if not equals:
        raise InvalidParameter(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise InvalidParameter(f"invalid ulimit type: {name}")
    parts = values.split(":")
    if len(parts) > 2:
        raise InvalidParameter(f"too many limit value arguments - {values}, can only have up to two, `soft[:hard]`")
    numbers = [_limit(part) for part in parts]
    ulimit = Ulimit(name=name, soft=numbers[0], hard=numbers[-1])
    validate_ulimit(ulimit)
    return ulimit


def validate_ulimit(ulimit: Ulimit) -> None:
    """Check a limit of a request body: a known name, and soft not above hard (-1 is unlimited)."""
    if ulimit.name not in ULIMITS:
        raise InvalidParameter(f"invalid ulimit type: {ulimit.name}")
    soft, hard = ulimit.soft, ulimit.hard
    if hard == -1:
        return
    prefix = "ulimit soft limit must be less than or equal to hard limit"
    if soft == -1:
        raise InvalidParameter(f"{prefix}: soft: -1 (unlimited), hard: {hard}")
    if soft > hard:
        raise InvalidParameter(f"{prefix}: {soft} > {hard}")


def format_ulimit(ulimit: Ulimit) -> str:
    return f"{ulimit.name}={ulimit.soft}:{ulimit.hard}"


def _limit(text: str) -> int:
    if text == "infinity":
        return -1
    if not _INTEGER.fullmatch(text):
        raise InvalidParameter(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


# --- restart policy


def validate_restart_policy(policy: RestartPolicy) -> None:
    match policy.name:
        case "":
            # Docker: an empty name may stand with any count; daemons before 25 stored it so.
            return
        case "always" | "no" | "unless-stopped":
            if policy.maximum_retry_count != 0:
                message = "invalid restart policy: maximum retry count can only be used with 'on-failure'"
                negative = " and cannot be negative" if policy.maximum_retry_count < 0 else ""
                raise InvalidParameter(message + negative)
        case "on-failure":
            if policy.maximum_retry_count < 0:
                raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
        case _:
            raise InvalidParameter(
                f"invalid restart policy: unknown policy '{policy.name}'; "
                "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            )


# --- devices

_DEVICE_RULE = re.compile(r"([acb]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})")


def parse_device_permissions(text: str) -> str:
    """Check cgroup permissions of a device, each of r, w, m at most once; empty means all."""
    if not text:
        return "rwm"
    if len(set(text)) != len(text) or not set(text) <= set("rwm"):
        raise InvalidParameter(f"invalid device mode: {text}")
    return text


def parse_device_rule(text: str) -> tuple[str, int | None, int | None, str]:
    """Parse an entry of `DeviceCgroupRules` (`c 13:* rwm`): type, major, minor (None for all), permissions."""
    match = _DEVICE_RULE.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, permissions = match.groups()
    return kind, None if major == "*" else int(major), None if minor == "*" else int(minor), permissions


# --- sizes

_SIZE = re.compile(r"([0-9]{1,25}(?:\.[0-9]{1,25})?) ?([kmgtp])?i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_MAX_INT64 = (1 << 63) - 1


def parse_size(text: str) -> int:
    """Bytes of a human size in powers of 1024 (`512m`, `1.5 GiB`, `65536`)."""
    match = _SIZE.fullmatch(text)
    size = float(match[1]) * _UNITS[(match[2] or "").lower()] if match else -1.0
    if not 0 <= size <= _MAX_INT64:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(size)


# --- user


def split_user(spec: str) -> tuple[str, str | None]:
    """`user:group` to its parts; the group is None where none is given (an empty one counts as none)."""
    user, _, group = spec.partition(":")
    return user, group or None
