"""Fits a layer that was unpacked on its own to the layers below it.

An archive may name a directory only as a part of longer names: what it leaves unsaid (owner, mode, times) is as below, or the new layer
would change it.  It may also link to a file that only a layer below has: overlayfs cannot link across layers, so the file is copied.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wharfd.model.archive import MissingLink, UnpackedLayer
from wharfd.model.errors import InvalidParameter
from wharfd.sys.overlay_stack import Stack

HIDDEN_XATTRS = "trusted.overlay."
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PIECE = 1 << 20


def settle(diff: str, unpacked: UnpackedLayer, below: Sequence[str]) -> int:
    """`below`: the diff directories of the layers under it, the uppermost first.  Returns the bytes copied.

    The archive has chosen every name here and what links lie on its way: the layer's own tree is entered by descriptors that follow none.
    Raises InvalidParameter if a link's target is nowhere.
    """
    stack = Stack(below)
    root = os.open(diff, OPEN_DIRECTORY)
    try:
        for name in unpacked.implied if below else ():
            path = os.fsdecode(name)
            found = stack.find(path, follow=False) if path else below[0]
            if found is not None and os.path.isdir(found) and not os.path.islink(found):
                with entered(root, path) as fd:
                    take_attributes(found, fd)
        return sum(copy_links(root, stack, unpacked.missing_links))
    finally:
        os.close(root)


def copy_links(root: int, stack: Stack, links: Sequence[MissingLink]) -> Iterator[int]:
    """The bytes of each copy.  Several names of one file below become names of one copy."""
    copies: dict[str, str] = {}  # the path of the copy, by the file below and by each of its paths
    for link in links:
        path, wanted = os.fsdecode(link.path), os.fsdecode(link.target)
        source = wanted if wanted in copies else stack.find(wanted, follow=False)
        if source is None or (source not in copies and not stat.S_ISREG(os.lstat(source).st_mode)):
            raise InvalidParameter(f"invalid layer: hard link {path!r} to {wanted!r}, which does not exist")
        folder, _, base = path.rpartition("/")
        with entered(root, folder) as fd:
            times = os.fstat(fd)
            if source in copies:
                of_folder, _, of_base = copies[source].rpartition("/")
                with entered(root, of_folder) as of_fd:
                    os.link(of_base, base, src_dir_fd=of_fd, dst_dir_fd=fd, follow_symlinks=False)
                copies[path] = copies[source]
            else:
                yield copy_file(source, fd, base)
                copies[path] = copies[source] = path
            os.utime(fd, ns=(times.st_atime_ns, times.st_mtime_ns))


def copy_file(source: str, folder: int, name: str) -> int:
    with open(source, "rb") as content, os.fdopen(os.open(name, NEW_FILE, 0o600, dir_fd=folder), "wb") as file:
        shutil.copyfileobj(content, file, PIECE)
        file.flush()
        take_attributes(source, file.fileno())
        return file.tell()


@contextmanager
def entered(root: int, path: str) -> Iterator[int]:
    """A descriptor of a directory below `root`."""
    fd = os.dup(root)
    try:
        for name in path.split("/") if path else ():
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def take_attributes(source: str, target: int) -> None:
    status = os.lstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source, follow_symlinks=False):
        if not name.startswith(HIDDEN_XATTRS):
            os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
