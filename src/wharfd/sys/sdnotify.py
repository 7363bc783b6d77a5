"""The service manager's two small protocols: state messages (sd_notify) and sockets handed over (sd_listen_fds).

Without a manager, `notify` does nothing and `listen_fds` gives nothing.
"""

import fcntl
import os
import socket
import time
from collections.abc import MutableMapping
from dataclasses import dataclass

_FIRST_FD = 3


@dataclass(frozen=True, slots=True)
class ListenFd:
    """A descriptor from the manager and its FileDescriptorName= ("unknown" if none was given)."""

    fd: int
    name: str


def notify(*assignments: str) -> bool:
    """Send "KEY=value" lines; False when nobody listens.  Never raises: the manager's troubles are not the engine's."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto("\n".join(assignments).encode(), address)
    except OSError:
        return False
    return True


def ready(status: str = "") -> bool:
    return notify("READY=1", *_status(status))


def stopping(status: str = "") -> bool:
    return notify("STOPPING=1", *_status(status))


def reloading() -> bool:
    """To be followed by `ready`.  The time is for Type=notify-reload."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def extend_timeout(duration_s: float) -> bool:
    """Starting or stopping takes this long yet."""
    return notify(f"EXTEND_TIMEOUT_USEC={int(duration_s * 1_000_000)}")


def listen_fds(environment: MutableMapping[str, str] = os.environ) -> list[ListenFd]:
    """The descriptors handed to this process, made close-on-exec; their variables are removed, so that no child takes them for its own.

    ValueError when the variables are meant for us and are not what the protocol says.
    """
    pid, count, names = (environment.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()):
        return []
    if not count.isdecimal():
        raise ValueError(f"LISTEN_FDS={count!r} is not a number")
    fds = range(_FIRST_FD, _FIRST_FD + int(count))
    named = names.split(":") if names else []
    if named and len(named) != len(fds):
        raise ValueError(f"LISTEN_FDNAMES has {len(named)} names for {len(fds)} descriptors")
    for fd in fds:
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return [ListenFd(fd, named[i] if named else "unknown") for i, fd in enumerate(fds)]


def _status(text: str) -> list[str]:
    return [f"STATUS={text}"] if text else []
