"""Copies files from one root into another, with their attributes."""

import errno
import os
import posixpath
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.fileactions import Copy
from wharfd.sys import xattr
from wharfd.wire.chmod import apply_mode_text
from wharfd.wire.dockerignore import PathPatterns
from wharfd.wire.whiteout import is_overlay_whiteout
from wharfd.workers.build.places import (
    OPEN_DIRECTORY,
    Owner,
    absolute,
    make_directories,
    open_directory,
    real_path,
    status_of,
)

OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_DEPTH = 2000
CHUNK_BYTES = 1 << 30
CANNOT = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})


class Copier:
    """One copy of `how`.  `owner` None: the sources' own."""

    def __init__(self, source: int, target: int, how: Copy, owner: Owner | None) -> None:
        self.source = source
        self.target = target
        self.how = how
        self.owner = owner
        self.include = PathPatterns(how.include)
        self.exclude = PathPatterns(how.exclude)
        self.names: dict[tuple[int, int], str] = {}  # of files with several names: where the first was copied to
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 8 * MAX_DEPTH))

    def copy(self, path: str) -> None:
        """`path` of the source root.  Raises NotFound, InvalidParameter."""
        real = real_path(self.source, path, follow=self.how.follow_links)
        status = status_of(self.source, real)
        if status is None:
            raise NotFound(f'"{absolute(path)}": not found')
        target = self.place(path, status)
        os.close(
            make_directories(self.target, posixpath.dirname(target), self.made_mode, self.owner, self.how.timestamp_ns)
        )
        directory, base = posixpath.split(real)
        source = open_directory(self.source, directory)
        try:
            entry = Entry(source, base or ".", status, target)
            if stat.S_ISDIR(status.st_mode):
                self.copy_directory(entry, "", is_included=not self.include, is_top=True)
            elif not self.exclude.match(base):
                self.copy_other(entry)
        finally:
            os.close(source)

    def place(self, path: str, status: os.stat_result) -> str:
        """Where the source goes, without links."""
        wanted = self.how.destination
        is_directory = stat.S_ISDIR(status.st_mode)
        if wanted.endswith("/") or posixpath.basename(wanted) in ("", "."):
            folder = real_path(self.target, wanted, follow=True)
            os.close(make_directories(self.target, folder, self.made_mode, self.owner, self.how.timestamp_ns))
        target = real_path(self.target, wanted, follow=True)
        present = status_of(self.target, target)
        takes_it_in = present is not None and (
            not self.how.contents_only if is_directory else stat.S_ISDIR(present.st_mode)
        )
        if takes_it_in:
            target = posixpath.join(target, posixpath.basename(absolute(path)))
        return target

    def copy_directory(self, entry: "Entry", path: str, *, is_included: bool, is_top: bool = False) -> None:
        """`path` relative to the top of the copy; `is_included`: with everything in it that is not excluded."""
        if path.count("/") > MAX_DEPTH:
            raise InvalidParameter("a directory lies too deep to be copied")
        source = os.open(entry.name, OPEN_DIRECTORY, dir_fd=entry.parent)
        try:
            is_new = False
            if is_included or is_top:
                is_new = self.make_directory(entry)
            for name in sorted(os.listdir(source)):
                status = os.stat(name, dir_fd=source, follow_symlinks=False)
                inner = f"{path}/{name}" if path else name
                self.copy_inner(
                    Entry(source, name, status, posixpath.join(entry.target, name), entry), inner, is_included
                )
            if is_new and is_top and self.how.contents_only:
                self.set_made(entry)
            elif is_new or (is_included and not is_top):
                self.set_directory(entry, source)
        finally:
            os.close(source)

    def copy_inner(self, entry: "Entry", path: str, is_included: bool) -> None:
        is_directory = stat.S_ISDIR(entry.status.st_mode)
        if self.exclude and self.exclude.match(path) and not (is_directory and self.exclude.may_spare(path)):
            return
        chosen = is_included or self.include.match(path)
        if is_directory:
            self.copy_directory(entry, path, is_included=chosen)
        elif chosen:
            if not is_included:
                self.make_parents(entry)
            self.copy_other(entry)

    def make_parents(self, entry: "Entry") -> None:
        """Of what was chosen out of a directory that was not."""
        missing = []
        above = entry.above
        while above is not None and status_of(self.target, above.target) is None:
            missing.append(above)
            above = above.above
        for each in reversed(missing):
            self.make_directory(each)
            source = os.open(each.name, OPEN_DIRECTORY, dir_fd=each.parent)
            try:
                self.set_directory(each, source)
            finally:
                os.close(source)

    def make_directory(self, entry: "Entry") -> bool:
        """True if it was not there."""
        if entry.target == "/":
            return False
        directory, base = posixpath.split(entry.target)
        parent = open_directory(self.target, directory)
        try:
            try:
                os.mkdir(base, 0o700, dir_fd=parent)
                return True
            except FileExistsError:
                present = os.stat(base, dir_fd=parent, follow_symlinks=False)
                if stat.S_ISDIR(present.st_mode):
                    return False
                if not self.how.replace:
                    raise InvalidParameter(f"cannot copy to non-directory: {entry.target}") from None
            os.unlink(base, dir_fd=parent)
            os.mkdir(base, 0o700, dir_fd=parent)
            return True
        finally:
            os.close(parent)

    def set_directory(self, entry: "Entry", source: int) -> None:
        fd = open_directory(self.target, entry.target)
        try:
            self.set_attributes(fd, entry.status)
            copy_xattrs(source, fd)
            os.utime(fd, ns=self.times(entry.status))
        finally:
            os.close(fd)

    def set_made(self, entry: "Entry") -> None:
        """A directory that is made to hold another's contents is root's and open to all, whatever that other is."""
        fd = open_directory(self.target, entry.target)
        try:
            os.fchown(fd, *(self.owner or (0, 0)))
            os.fchmod(fd, self.mode(entry.status) if self.how.mode_text or self.how.mode is not None else 0o755)
            os.utime(fd, ns=self.times(entry.status))
        finally:
            os.close(fd)

    def copy_other(self, entry: "Entry") -> None:
        directory, base = posixpath.split(entry.target)
        parent = open_directory(self.target, directory)
        try:
            self.clear(parent, base, entry.target)
            mode = entry.status.st_mode
            if stat.S_ISREG(mode):
                self.copy_file(entry, parent, base)
            elif stat.S_ISLNK(mode):
                os.symlink(os.readlink(entry.name, dir_fd=entry.parent), base, dir_fd=parent)
                self.set_unopened(parent, base, entry.status)
            elif stat.S_ISSOCK(mode) or is_overlay_whiteout(mode, entry.status.st_rdev):
                return
            else:
                os.mknod(base, stat.S_IFMT(mode) | 0o600, entry.status.st_rdev, dir_fd=parent)
                self.set_unopened(parent, base, entry.status)
                os.chmod(base, self.mode(entry.status), dir_fd=parent)
        finally:
            os.close(parent)

    def clear(self, parent: int, base: str, target: str) -> None:
        try:
            os.unlink(base, dir_fd=parent)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            if not self.how.replace:
                raise InvalidParameter(f"cannot replace to directory {target} with file") from None
            remove_tree(parent, base)

    def copy_file(self, entry: "Entry", parent: int, base: str) -> None:
        if entry.status.st_nlink > 1:
            first = self.names.setdefault((entry.status.st_dev, entry.status.st_ino), entry.target)
            if first != entry.target:
                os.link(first.lstrip("/"), base, src_dir_fd=self.target, dst_dir_fd=parent, follow_symlinks=False)
                return
        source = os.open(entry.name, OPEN_FILE, dir_fd=entry.parent)
        try:
            fd = os.open(base, NEW_FILE, 0o600, dir_fd=parent)
            try:
                copy_content(source, fd, entry.status.st_size)
                self.set_attributes(fd, entry.status)
                copy_xattrs(source, fd)
                os.utime(fd, ns=self.times(entry.status))
            finally:
                os.close(fd)
        finally:
            os.close(source)

    # attributes

    def set_attributes(self, fd: int, status: os.stat_result) -> None:
        os.fchown(fd, *(self.owner or (status.st_uid, status.st_gid)))
        os.fchmod(fd, self.mode(status))

    def set_unopened(self, parent: int, base: str, status: os.stat_result) -> None:
        os.chown(base, *(self.owner or (status.st_uid, status.st_gid)), dir_fd=parent, follow_symlinks=False)
        os.utime(base, ns=self.times(status), dir_fd=parent, follow_symlinks=False)

    @property
    def made_mode(self) -> int:
        """Of directories on the way to the destination.  BuildKit: a number given for the copy is theirs, too."""
        return 0o755 if self.how.mode is None else self.how.mode

    def mode(self, status: os.stat_result) -> int:
        if self.how.mode_text:
            is_directory = stat.S_ISDIR(status.st_mode)
            return apply_mode_text(self.how.mode_text, status.st_mode, is_directory=is_directory)
        return stat.S_IMODE(status.st_mode if self.how.mode is None else self.how.mode)

    def times(self, status: os.stat_result) -> tuple[int, int]:
        if self.how.timestamp_ns is not None:
            return self.how.timestamp_ns, self.how.timestamp_ns
        return status.st_atime_ns, status.st_mtime_ns


class Entry:
    """A file on its way: `name` in the directory `parent` of the source, its place in the target, the directory it came with."""

    __slots__ = ("above", "name", "parent", "status", "target")

    def __init__(
        self, parent: int, name: str, status: os.stat_result, target: str, above: "Entry | None" = None
    ) -> None:
        self.parent = parent
        self.name = name
        self.status = status
        self.target = target
        self.above = above


def copy_content(source: int, target: int, size: int) -> None:
    """By the kernel, which shares blocks where the file system can."""
    ways: list[Callable[[int, int, int], int]] = [
        os.copy_file_range,
        lambda source, target, count: os.sendfile(target, source, None, count),
    ]
    left = size
    while left > 0:
        try:
            count = ways[0](source, target, min(left, CHUNK_BYTES))
        except OSError as e:
            if e.errno not in CANNOT or len(ways) == 1:
                raise
            ways.pop(0)
            continue
        if not count:
            return
        left -= count


def copy_xattrs(source: int, target: int) -> None:
    found = xattr.read_all(source)
    if found:
        xattr.write_all(target, found)


def remove_tree(parent: int, base: str) -> None:
    """Nobody else is in this root."""
    fd = os.open(base, OPEN_DIRECTORY, dir_fd=parent)
    try:
        for name in os.listdir(fd):
            try:
                os.unlink(name, dir_fd=fd)
            except IsADirectoryError:
                remove_tree(fd, name)
    finally:
        os.close(fd)
    with suppress(FileNotFoundError):
        os.rmdir(base, dir_fd=parent)
