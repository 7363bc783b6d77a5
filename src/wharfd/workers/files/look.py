"""Finding a path inside a container's root: the way to it by openat2, its last element by hand.

The kernel keeps every link and every ".." on the way inside the root.  What the end is, is asked of a descriptor, so that it cannot
become something else between the question and the use.
"""

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.files import PathStat
from wharfd.sys import openat2
from wharfd.wire.containerpath import ContainerPath

OPEN_PLACE = os.O_PATH | os.O_CLOEXEC
OPEN_PLACE_DIRECTORY = OPEN_PLACE | os.O_DIRECTORY
OPEN_PLACE_ITSELF = OPEN_PLACE | os.O_NOFOLLOW
MAX_LINKS = 255  # as dockerd's


@contextmanager
def found(root: int, path: ContainerPath) -> Iterator[int]:
    """A descriptor (O_PATH) of what `path` names; a link at its end is not followed unless the path says so.

    Raises:
        NotFound: there is nothing.
        InvalidParameter: no kernel takes that path, or it wants a directory where there is none.
    """
    fd = opened(root, path)
    try:
        yield fd
    finally:
        os.close(fd)


def opened(root: int, path: ContainerPath) -> int:
    try:
        if path.follows or path.clean == "/":
            fd = openat2.open_in_root(root, path.clean, OPEN_PLACE)
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                os.close(fd)
                raise InvalidParameter(f"lstat {path.shown}: not a directory")
            return fd
        directory, _, base = path.clean.rpartition("/")
        parent = openat2.open_in_root(root, directory or "/", OPEN_PLACE_DIRECTORY)
        try:
            return os.open(base, OPEN_PLACE_ITSELF, dir_fd=parent)
        finally:
            os.close(parent)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise NotFound(path.clean) from e
    except OSError as e:
        if e.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise InvalidParameter(f"lstat {path.shown}: {(e.strerror or '').lower()}") from e
        raise


def stat_path(root: int, path: ContainerPath) -> PathStat:
    """Raises as `found`."""
    with found(root, path) as fd:
        return stat_of(root, path, fd)


def stat_of(root: int, path: ContainerPath, fd: int) -> PathStat:
    status = os.fstat(fd)
    target = resolved(root, path.clean) if stat.S_ISLNK(status.st_mode) else ""
    return PathStat(
        name=os.fsencode(path.base),
        size=status.st_size,
        mode=status.st_mode,
        mtime_ns=status.st_mtime_ns,
        link_target=os.fsencode(target),
    )


def resolved(root: int, path: str) -> str:
    """Where a path leads when all links are followed, as far as there is something.

    A text for the client to read; nothing is opened by it.
    """
    real, rest = "/", [name for name in path.split("/") if name][::-1]
    links = 0
    while rest:
        name = rest.pop()
        if name in ("", "."):
            continue
        if name == "..":
            real = posixpath.dirname(real)
            continue
        here = posixpath.join(real, name)
        target = link_at(root, real, name)
        if target is None:
            real = here
            continue
        links += 1
        if links > MAX_LINKS:
            raise InvalidParameter(f"too many links in {path}")
        if target.startswith("/"):
            real = "/"
        rest += target.split("/")[::-1]
    return real


def link_at(root: int, directory: str, name: str) -> str | None:
    """The target of the link of that name; None if it is none, or not there."""
    try:
        parent = openat2.open_in_root(root, directory, OPEN_PLACE_DIRECTORY)
    except OSError:
        return None
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None
    finally:
        os.close(parent)
