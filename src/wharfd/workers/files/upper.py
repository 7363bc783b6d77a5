"""What a container has changed: its overlay's upper directory against the layers below.

An upper directory may have a directory only because something below it changed (overlayfs copies the way to a file), and it may hide
what the layers have at a place (opaque).  Here both are told as changes of single paths, so nobody else needs to know of overlayfs.
The container may run meanwhile: what vanishes is left out.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.model.files import ChangeKind
from wharfd.sys import mount, xattr
from wharfd.sys.overlay_stack import step
from wharfd.wire.whiteout import is_overlay_whiteout
from wharfd.workers.files.view import HARMLESS

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_DEPTH = 2000
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """A changed path.  `parent` is a descriptor of the directory in which `name` lies; it is open until the next one is asked for."""

    path: str
    kind: ChangeKind
    parent: int
    name: str
    is_directory: bool


def walk(upper: str, lower: Sequence[str]) -> Iterator[Found]:
    """All changes, in the order of their paths; a directory before what is in it.

    Docker: a directory in which something changed counts as changed itself.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 8 * MAX_DEPTH))
    # Through a mount of its own on which devices are not to be opened: the container makes nodes as it likes.
    tree = mount.open_tree(upper, clone=True)
    try:
        mount.set_attributes(tree, HARMLESS)
        fd = os.open(".", OPEN_DIRECTORY, dir_fd=tree)
    finally:
        os.close(tree)
    try:
        yield from Walk().directory(fd, list(lower), "", hides=False, depth=0)
    finally:
        os.close(fd)


class Walk:
    def __init__(self) -> None:
        self.pending: list[Found] = []  # directories that are told as soon as something in them is

    def directory(self, fd: int, below: list[str], path: str, *, hides: bool, depth: int) -> Iterator[Found]:
        """`below`: the same directory in the layers; `hides`: what they have in it is gone unless it is here."""
        if depth > MAX_DEPTH:
            raise InvalidParameter("a directory lies too deep")
        names = sorted(os.listdir(fd))
        gone = set(listed(below)).difference(names) if hides else set()
        for name in sorted(gone.union(names)):
            place = f"{path}/{name}"
            if name in gone:
                yield from self.tell(Found(place, ChangeKind.DELETED, fd, name, False))
            else:
                yield from self.entry(fd, name, step(below, name) if below else [], place, hides=hides, depth=depth)

    def entry(self, fd: int, name: str, below: list[str], path: str, *, hides: bool, depth: int) -> Iterator[Found]:
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        if is_overlay_whiteout(status.st_mode, status.st_rdev):
            if below:
                yield from self.tell(Found(path, ChangeKind.DELETED, fd, name, False))
            return
        before = os.lstat(below[0]) if below else None
        if not stat.S_ISDIR(status.st_mode):
            if before is None or differs(status, before, fd, name, below[0]):
                kind = ChangeKind.ADDED if before is None else ChangeKind.MODIFIED
                yield from self.tell(Found(path, kind, fd, name, False))
            return
        try:
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            was_directory = before is not None and stat.S_ISDIR(before.st_mode)
            kind = ChangeKind.ADDED if before is None else ChangeKind.MODIFIED
            found = Found(path, kind, fd, name, True)
            if before is not None and was_directory and not differs(status, before, fd, name, below[0]):
                self.pending.append(found)
            else:
                yield from self.tell(found)
            yield from self.directory(
                inner,
                below if was_directory else [],
                path,
                hides=was_directory and (hides or xattr.is_opaque(inner)),
                depth=depth + 1,
            )
            if self.pending and self.pending[-1] is found:
                self.pending.pop()
        finally:
            os.close(inner)

    def tell(self, found: Found) -> Iterator[Found]:
        waiting, self.pending = self.pending, []
        yield from waiting
        yield found


def listed(directories: Sequence[str]) -> list[str]:
    """The names that the merged directories of the layers show."""
    names: set[str] = set()
    for directory in directories:
        names.update(os.listdir(directory))
    return [name for name in names if step(directories, name)]


def differs(now: os.stat_result, before: os.stat_result, fd: int, name: str, below: str) -> bool:
    """Docker: a directory is as before if mode, owner and time are; of other files size and capabilities count, too."""
    if (now.st_mode, now.st_uid, now.st_gid, now.st_rdev) != (
        before.st_mode,
        before.st_uid,
        before.st_gid,
        before.st_rdev,
    ):
        return True
    if not same_time(now.st_mtime_ns, before.st_mtime_ns):
        return True
    if stat.S_ISDIR(now.st_mode):
        return False
    return now.st_size != before.st_size or capability(fd, name) != capability(None, below)


def same_time(one_ns: int, other_ns: int) -> bool:
    """Docker: archives may have cut one of them to whole seconds."""
    if one_ns == other_ns:
        return True
    is_cut = one_ns % SECOND == 0 or other_ns % SECOND == 0
    return is_cut and one_ns // SECOND == other_ns // SECOND


def capability(fd: int | None, name: str) -> bytes:
    place = name if fd is None else f"/proc/self/fd/{fd}/{name}"
    try:
        return os.getxattr(place, xattr.CAPABILITY, follow_symlinks=False)
    except OSError as e:
        if e.errno in (errno.ENODATA, errno.ENOTSUP, errno.ENOENT, errno.EPERM):
            return b""
        raise
