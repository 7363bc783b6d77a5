"""Looks into a stack of overlay directories that is not mounted, as overlayfs would show it.

Names are resolved one element at a time with links kept inside the root.  The directories must not change meanwhile, which holds for
layers always and for a container's upper directory while it is not mounted.
"""

import errno
import os
import stat
from collections.abc import Sequence

from wharfd.wire.whiteout import OPAQUE_VALUE, OPAQUE_XATTR, is_overlay_whiteout

MAX_LINKS = 40  # as the kernel's


class Stack:
    def __init__(self, directories: Sequence[str]) -> None:
        """`directories`: the uppermost first."""
        self.directories = list(directories)

    def find(self, path: str, *, follow: bool = True) -> str | None:
        """The host's path of what `path` names, None if there is nothing.

        For a directory it is that of the uppermost layer, whose owner and mode overlayfs shows.  Raises OSError (ELOOP) for links that
        do not end.
        """
        trail = [self.directories]
        names = path.split("/")[::-1]
        links = 0
        while names:
            name = names.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            found = step(trail[-1], name)
            if not found:
                return None
            mode = os.lstat(found[0]).st_mode
            if stat.S_ISLNK(mode) and (names or follow):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = os.readlink(found[0])
                if target.startswith("/"):
                    del trail[1:]
                names += target.split("/")[::-1]
            elif stat.S_ISDIR(mode):
                trail.append(found)
            else:
                return found[0] if not any(rest not in ("", ".") for rest in names) else None
        return trail[-1][0]


def step(directories: Sequence[str], name: str) -> list[str]:
    """What `name` is in merged directories: nothing, one thing, or several directories that merge, the uppermost first."""
    found: list[str] = []
    for directory in directories:
        path = f"{directory}/{name}"
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if is_overlay_whiteout(status.st_mode, status.st_rdev):
            break
        if not stat.S_ISDIR(status.st_mode):
            return found or [path]
        found.append(path)
        if is_opaque(path):
            break
    return found


def is_opaque(directory: str) -> bool:
    try:
        return os.getxattr(directory, OPAQUE_XATTR, follow_symlinks=False) == OPAQUE_VALUE
    except OSError as e:
        if e.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


def read_regular(path: str, limit: int) -> bytes | None:
    """At most `limit` bytes of a regular file; None for anything else.  Never blocks on a FIFO, never wakes a device."""
    try:
        pin = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return read_pinned(pin, limit)
    finally:
        os.close(pin)


def read_pinned(pin: int, limit: int) -> bytes | None:
    """As `read_regular`, for an O_PATH descriptor."""
    if not stat.S_ISREG(os.fstat(pin).st_mode):
        return None
    fd = os.open(f"/proc/self/fd/{pin}", os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        return file.read(limit)
