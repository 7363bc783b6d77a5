"""Options of a local volume (`type`, `device`, `o`), as mount(8) would take them.  Texts are dockerd's."""

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from wharfd.model.errors import Internal, InvalidParameter
from wharfd.sys import mount
from wharfd.sys.mount import (
    MS_BIND,
    MS_DIRSYNC,
    MS_MANDLOCK,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    MS_SHARED,
    MS_SLAVE,
    MS_STRICTATIME,
    MS_SYNCHRONOUS,
    MS_UNBINDABLE,
)

KNOWN = ("type", "o", "device", "size")
MANDATORY = {"o": ("device", "type"), "type": ("device",), "device": ("type",)}

SET = {
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "sync": MS_SYNCHRONOUS,
    "dirsync": MS_DIRSYNC,
    "mand": MS_MANDLOCK,
    "noatime": MS_NOATIME,
    "nodiratime": MS_NODIRATIME,
    "relatime": MS_RELATIME,
    "strictatime": MS_STRICTATIME,
    "remount": MS_REMOUNT,
    "bind": MS_BIND,
    "rbind": MS_BIND | MS_REC,
    "private": MS_PRIVATE,
    "rprivate": MS_PRIVATE | MS_REC,
    "shared": MS_SHARED,
    "rshared": MS_SHARED | MS_REC,
    "slave": MS_SLAVE,
    "rslave": MS_SLAVE | MS_REC,
    "unbindable": MS_UNBINDABLE,
    "runbindable": MS_UNBINDABLE | MS_REC,
}
CLEAR = {
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
    "dev": MS_NODEV,
    "exec": MS_NOEXEC,
    "async": MS_SYNCHRONOUS,
    "nomand": MS_MANDLOCK,
    "atime": MS_NOATIME,
    "diratime": MS_NODIRATIME,
    "norelatime": MS_RELATIME,
    "nostrictatime": MS_STRICTATIME,
    "defaults": 0,
    "": 0,
}
PROPAGATION = MS_PRIVATE | MS_SHARED | MS_SLAVE | MS_UNBINDABLE

NETWORKED = frozenset({"nfs", "nfs3", "nfs4", "cifs", "smb3"})
CIFS = frozenset({"cifs", "smb3"})
SECRET = re.compile(r"(?<=password=)[^,]*")

Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class MountPlan:
    """Arguments of mount(2)."""

    device: str
    kind: str
    flags: int
    data: str

    def __str__(self) -> str:
        """For messages; without what may not be read by everybody."""
        flags = f", flags: {self.flags:#x}" if self.flags else ""
        data = f", data: {SECRET.sub('********', self.data)}" if self.data else ""
        return flags + data


def parse_options(options: Mapping[str, str] | None) -> MountPlan | None:
    """None for a plain directory.

    Raises:
        InvalidParameter: an unknown option, or one that is missing.
    """
    given = {key.lower(): value for key, value in (options or {}).items()}
    for key in given:
        if key not in KNOWN:
            raise InvalidParameter(f'invalid option: "{key}"')
    if "size" in given:
        raise InvalidParameter("quota size requested but no quota support")
    for key, wanted in MANDATORY.items():
        missing = [each for each in wanted if not given.get(each)]
        if given.get(key) and missing:
            raise InvalidParameter(f'missing required option: "{missing[0]}"')
    if not given.get("device"):
        return None
    flags, data = 0, []
    for word in given.get("o", "").split(","):
        if word in SET:
            flags |= SET[word]
        elif word in CLEAR:
            flags &= ~CLEAR[word]
        else:
            data.append(word)
    return MountPlan(given["device"], given.get("type", ""), flags, ",".join(data))


def resolved(plan: MountPlan, resolve: Resolve | None = None) -> MountPlan:
    """With addresses in the place of hosts' names: the kernel does not know those.  Blocks.  Raises Internal.

    Docker: the host of `addr=`, and of a CIFS share `//host/share`.
    """
    if plan.kind not in NETWORKED:
        return plan
    lookup = resolve or address_of
    words = plan.data.split(",")
    for at, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key == "addr" and equals:
            words[at] = f"addr={lookup(value)}"
    device = plan.device
    if plan.kind in CIFS and device.startswith("//"):
        host, slash, share = device[2:].partition("/")
        device = f"//{lookup(host)}{slash}{share}"
    return replace(plan, device=device, data=",".join(words))


def address_of(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as e:
        raise Internal(f"error resolving passed in network volume address: lookup {host}: {e.strerror or e}") from e
    # IPv4 first, as it is written without brackets everywhere.
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])


def carry_out(plan: MountPlan, place: str) -> None:
    """Raises OSError; nothing is mounted then.

    Linux: of a bind only the tree is taken in the same call; flags need a second one, and propagation one of its own.
    """
    flags = plan.flags & ~PROPAGATION
    is_bind = bool(flags & MS_BIND)
    first = flags & (MS_BIND | MS_REC) if is_bind else flags & ~MS_REC
    mount.mount(plan.device, place, plan.kind or None, first, plan.data or None)
    try:
        rest = flags & ~(MS_BIND | MS_REC)
        if is_bind and rest:
            mount.mount(None, place, None, MS_REMOUNT | MS_BIND | rest)
        if plan.flags & PROPAGATION:
            mount.mount(None, place, None, plan.flags & (PROPAGATION | MS_REC))
    except OSError:
        mount.detach(place)
        raise
