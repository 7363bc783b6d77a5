"""/proc/PID/mountinfo parsed, and questions about it.

    36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    id parent dev root mount_point options tags… - fs_type source super_options

Paths are given with the kernel's octal escapes undone.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountEntry:
    """One mount.  `root` is the directory of the file system that shows at `mount_point`; `tags` are "shared:N", "master:N" and so on."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    mount_point: str
    options: tuple[str, ...]
    tags: tuple[str, ...]
    fs_type: str
    source: str
    super_options: tuple[str, ...]

    @property
    def is_shared(self) -> bool:
        return any(tag.startswith("shared:") for tag in self.tags)

    @property
    def is_slave(self) -> bool:
        return any(tag.startswith("master:") for tag in self.tags)


def parse_mountinfo(text: bytes) -> list[MountEntry]:
    """The entries in the file's order: a mount comes after the one it covers.  ValueError for lines of another form."""
    return [_parse_line(line) for line in text.splitlines()]


def mountinfo(pid: int | None = None) -> list[MountEntry]:
    """The mounts of a process (ours by default) that its root can see."""
    name = "self" if pid is None else str(pid)
    with open(f"/proc/{name}/mountinfo", "rb") as f:
        return parse_mountinfo(f.read())


def mounts_below(path: str, entries: Iterable[MountEntry] | None = None) -> list[MountEntry]:
    """The mounts on `path` and below it, in the order in which they can be unmounted.  `path` is absolute and resolved."""
    top = os.path.normpath(path)
    prefix = "/" if top == "/" else top + "/"
    found = [
        entry
        for entry in (mountinfo() if entries is None else entries)
        if entry.mount_point == top or entry.mount_point.startswith(prefix)
    ]
    # Later mounts may lie on earlier ones and never the other way round.
    found.reverse()
    return found


def mount_of(path: str, entries: Iterable[MountEntry] | None = None) -> MountEntry | None:
    """The mount that `path` (absolute and resolved) lies on."""
    best: MountEntry | None = None
    for entry in mountinfo() if entries is None else entries:
        point = entry.mount_point
        below = point in (path, "/") or path.startswith(point + "/")
        # Among mounts on the same point the last one is on top.
        if below and (best is None or len(point) >= len(best.mount_point)):
            best = entry
    return best


def _parse_line(line: bytes) -> MountEntry:
    fields = line.split(b" ")
    try:
        dash = fields.index(b"-", 6)
        fs_type, source, super_options = fields[dash + 1 : dash + 4]
        mount_id, parent_id = int(fields[0]), int(fields[1])
    except ValueError as e:
        raise ValueError(f"not a mountinfo line: {line!r}") from e
    return MountEntry(
        mount_id=mount_id,
        parent_id=parent_id,
        device=os.fsdecode(fields[2]),
        root=_unescape(fields[3]),
        mount_point=_unescape(fields[4]),
        options=_options(fields[5]),
        tags=tuple(os.fsdecode(tag) for tag in fields[6:dash]),
        fs_type=_unescape(fs_type),
        source=_unescape(source),
        super_options=_options(super_options),
    )


def _options(field: bytes) -> tuple[str, ...]:
    return tuple(_unescape(option) for option in field.split(b","))


def _unescape(field: bytes) -> str:
    if b"\\" in field:
        field = _ESCAPE.sub(lambda m: bytes((int(m[1], 8) & 0xFF,)), field)
    return os.fsdecode(field)
