"""What frontends and exporters ask of a root: one file's content, a directory's entries, everything."""

import os
import posixpath
import stat
from collections.abc import Iterator

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.tree import RootView, TreeEntry
from wharfd.wire.whiteout import is_overlay_whiteout
from wharfd.workers.build.copying import OPEN_FILE
from wharfd.workers.build.digests import entry_of
from wharfd.workers.build.places import OPEN_DIRECTORY, absolute, open_directory, real_path, status_of
from wharfd.workers.build.roots import opened

MAX_DEPTH = 2000


def read_range(view: RootView, path: str, offset: int, length: int) -> bytes:
    """Links are followed.  Raises NotFound, InvalidParameter (no regular file)."""
    with opened(view) as root:
        real = real_path(root, path, follow=True)
        status = status_of(root, real)
        if status is None:
            raise NotFound(f"open {absolute(path)}: no such file or directory")
        if not stat.S_ISREG(status.st_mode):
            kind = "is a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise InvalidParameter(f"read {absolute(path)}: {kind}")
        directory, base = posixpath.split(real)
        parent = open_directory(root, directory)
        try:
            fd = os.open(base, OPEN_FILE, dir_fd=parent)
        finally:
            os.close(parent)
        with os.fdopen(fd, "rb") as file:
            file.seek(offset)
            return file.read(length)


def stat_entry(view: RootView, path: str) -> TreeEntry:
    """Of a link itself; its name is the path's last element.  Raises NotFound."""
    with opened(view) as root:
        real = real_path(root, path, follow=False)
        status = status_of(root, real)
        if status is None:
            raise NotFound(f"lstat {absolute(path)}: no such file or directory")
        directory, base = posixpath.split(real)
        parent = open_directory(root, directory)
        try:
            return entry_of(parent, base or ".", base or "/", status)
        finally:
            os.close(parent)


def resolve(view: RootView, path: str) -> TreeEntry:
    """What a path leads to, all links followed; its path is that of the end.  Raises NotFound."""
    with opened(view) as root:
        real = real_path(root, path, follow=True)
        status = status_of(root, real)
        if status is None:
            raise NotFound(f'"{absolute(path)}": not found')
        return TreeEntry(path=real, mode=status.st_mode, uid=status.st_uid, gid=status.st_gid, size=status.st_size)


def list_directory(view: RootView, path: str) -> list[TreeEntry]:
    """Raises NotFound, InvalidParameter (it is none)."""
    with opened(view) as root:
        real = real_path(root, path, follow=True)
        if status_of(root, real) is None:
            raise NotFound(f"open {absolute(path)}: no such file or directory")
        fd = open_directory(root, real)
        try:
            return list(entries(fd, "", is_deep=False))
        finally:
            os.close(fd)


def list_tree(view: RootView) -> list[TreeEntry]:
    """Everything but the root, a directory before what is in it; further names of a file are links to the first."""
    with opened(view) as root:
        fd = os.open(".", OPEN_DIRECTORY, dir_fd=root)
        try:
            return list(entries(fd, "", is_deep=True, names={}))
        finally:
            os.close(fd)


def entries(
    fd: int,
    prefix: str,
    *,
    is_deep: bool,
    names: dict[tuple[int, int], str] | None = None,
    numbers: dict[str, int] | None = None,
) -> Iterator[TreeEntry]:
    """`names` makes links of further names of a file; `numbers` takes inodes by path."""
    if prefix.count("/") > MAX_DEPTH:
        raise InvalidParameter("a directory lies too deep")
    for name in sorted(os.listdir(fd)):
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if is_overlay_whiteout(status.st_mode, status.st_rdev) or stat.S_ISSOCK(status.st_mode):
            continue
        path = prefix + name
        entry = entry_of(fd, name, path, status)
        if numbers is not None:
            numbers[entry.path] = status.st_ino
        if names is not None and stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            first = names.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                entry = TreeEntry(path=path, mode=status.st_mode, link_target=first, mtime_ns=status.st_mtime_ns)
        yield entry
        if is_deep and stat.S_ISDIR(status.st_mode):
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
            try:
                yield from entries(inner, path + "/", is_deep=True, names=names, numbers=numbers)
            finally:
                os.close(inner)
