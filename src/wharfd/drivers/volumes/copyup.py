"""Fills a volume with what an image has at the volume's place: names, content, owners, modes, times, links, extended attributes.

The image is not trusted: the start is opened inside its root, and from there on every step is relative to a descriptor and follows no
link.  Blocks; call it on a pool.
"""

import errno
import os
import stat

from wharfd.model.errors import InvalidParameter
from wharfd.sys import xattr
from wharfd.sys.openat2 import open_in_root

COPY_BYTES = 1 << 20


def copy_up(source_root: str, path: str, target: str) -> None:
    """Nothing at `path`: nothing to do.

    Raises:
        InvalidParameter: something else than a directory lies there (dockerd's text).
    """
    root = os.open(source_root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = open_in_root(root, path.lstrip("/") or ".", os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError) as e:
        if e.errno == errno.ENOTDIR:
            raise InvalidParameter(f"cannot mount volume over existing file, file exists {path}") from e
        return
    finally:
        os.close(root)
    try:
        into = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not os.listdir(into):
                TreeCopy().fill(source, into)
        finally:
            os.close(into)
    finally:
        os.close(source)


class TreeCopy:
    """One copy: knows which inodes it has met, so that hard links stay links."""

    def __init__(self) -> None:
        self.linked: dict[tuple[int, int], int] = {}  # (device, inode) -> O_PATH descriptor of the copy

    def fill(self, source: int, into: int) -> None:
        try:
            self.copy_directory(source, into)
        finally:
            for descriptor in self.linked.values():
                os.close(descriptor)

    def copy_directory(self, source: int, into: int) -> None:
        for name in os.listdir(source):
            self.copy_entry(source, into, name)
        take_over(source, into, os.fstat(source))

    def copy_entry(self, source: int, into: int, name: str) -> None:
        info = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            os.mkdir(name, 0o700, dir_fd=into)
            below, copy = open_below(source, name), open_below(into, name)
            try:
                self.copy_directory(below, copy)
            finally:
                os.close(below)
                os.close(copy)
        elif self.is_link_to_known(info, into, name):
            pass
        elif stat.S_ISREG(info.st_mode):
            self.copy_file(source, into, name, info)
        elif stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=into)
            os.chown(name, info.st_uid, info.st_gid, dir_fd=into, follow_symlinks=False)
            os.utime(name, ns=(info.st_atime_ns, info.st_mtime_ns), dir_fd=into, follow_symlinks=False)
        else:
            os.mknod(name, info.st_mode, info.st_rdev, dir_fd=into)
            os.chown(name, info.st_uid, info.st_gid, dir_fd=into, follow_symlinks=False)
            os.utime(name, ns=(info.st_atime_ns, info.st_mtime_ns), dir_fd=into, follow_symlinks=False)

    def is_link_to_known(self, info: os.stat_result, into: int, name: str) -> bool:
        known = self.linked.get((info.st_dev, info.st_ino))
        if known is None:
            return False
        os.link(f"/proc/self/fd/{known}", name, dst_dir_fd=into, follow_symlinks=True)
        return True

    def copy_file(self, source: int, into: int, name: str, info: os.stat_result) -> None:
        reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
        try:
            writer = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=into
            )
            try:
                while os.sendfile(writer, reader, None, COPY_BYTES):
                    pass
                take_over(reader, writer, info)
            finally:
                os.close(writer)
        finally:
            os.close(reader)
        if info.st_nlink > 1:
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=into)
            self.linked[info.st_dev, info.st_ino] = descriptor


def open_below(directory: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)


def take_over(source: int, copy: int, info: os.stat_result) -> None:
    """Owner, attributes, mode, times; in this order, since a change of owner takes set-id bits and capabilities away."""
    os.fchown(copy, info.st_uid, info.st_gid)
    xattr.write_all(copy, xattr.read_all(source))
    os.fchmod(copy, stat.S_IMODE(info.st_mode))
    os.utime(copy, ns=(info.st_atime_ns, info.st_mtime_ns))
