"""Names inside a root: found, made and matched against patterns, links followed inside the root only."""

import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.sys import openat2
from wharfd.wire.dockerignore import clean
from wharfd.wire.globs import compile_glob, matches
from wharfd.wire.treedigest import has_wildcards
from wharfd.workers.files import look

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Owner = tuple[int, int]


def absolute(path: str) -> str:
    """Raises InvalidParameter for a path that no kernel takes."""
    if "\0" in path:
        raise InvalidParameter("path contains a NUL byte")
    return "/" + clean("/" + path).strip("/")


def real_path(root: int, path: str, *, follow: bool) -> str:
    """The path without links, as far as there is something; `follow`: also its last element."""
    path = absolute(path)
    if follow or path == "/":
        return look.resolved(root, path)
    directory, base = posixpath.split(path)
    return posixpath.join(look.resolved(root, directory), base)


def open_directory(root: int, path: str) -> int:
    """A descriptor of the directory at a path without links.  Raises NotFound, InvalidParameter (it is none)."""
    try:
        return openat2.openat2(
            root,
            path.lstrip("/") or ".",
            os.O_RDONLY | os.O_DIRECTORY,
            resolve=openat2.RESOLVE_IN_ROOT | openat2.RESOLVE_NO_SYMLINKS,
        )
    except FileNotFoundError as e:
        raise NotFound(f'"{path}": not found') from e
    except OSError as e:
        if e.errno in (errno.ENOTDIR, errno.ELOOP):
            raise InvalidParameter(f"{path}: not a directory") from e
        raise


def status_of(root: int, path: str) -> os.stat_result | None:
    """Of a path without links (itself may be one); None if there is nothing."""
    if path == "/":
        return os.fstat(root)
    directory, base = posixpath.split(path)
    try:
        parent = open_directory(root, directory)
    except (NotFound, InvalidParameter):
        return None
    try:
        return os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    finally:
        os.close(parent)


def make_directories(root: int, path: str, mode: int, owner: Owner | None, time_ns: int | None) -> int:
    """A descriptor of the directory at a path without links; what is missing of it is made.  Raises InvalidParameter."""
    fd = os.dup(root)
    for name in path.split("/"):
        if not name:
            continue
        try:
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
        except FileNotFoundError:
            os.mkdir(name, mode, dir_fd=fd)
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
            os.fchown(inner, *(owner or (0, 0)))
            os.fchmod(inner, mode)
            if time_ns is not None:
                os.utime(inner, ns=(time_ns, time_ns))
        except NotADirectoryError as e:
            os.close(fd)
            raise InvalidParameter(f"{path}: not a directory") from e
        os.close(fd)
        fd = inner
    return fd


def expand(root: int, pattern: str, *, follow: bool) -> Sequence[str]:
    """The paths that fit, in order; a pattern without wildcards is a path, whether it is there or not.

    Docker: the elements before the first wildcard are followed as links, those behind are not.  Raises InvalidParameter.
    """
    parts = [part for part in clean(pattern).split("/") if part not in ("", ".")]
    first = next((number for number, part in enumerate(parts) if has_wildcards(part)), None)
    if first is None:
        return ["/" + "/".join(parts)]
    base = real_path(root, "/".join(parts[:first]), follow=follow)
    for part in parts[first:]:
        compile_glob(part)
    try:
        fd = open_directory(root, base)
    except (NotFound, InvalidParameter):
        return []
    try:
        return sorted(found(fd, base.rstrip("/"), parts[first:]))
    finally:
        os.close(fd)


def found(fd: int, path: str, parts: Sequence[str]) -> Iterator[str]:
    for name in os.listdir(fd):
        if not matches(parts[0], name):
            continue
        here = f"{path}/{name}"
        if len(parts) == 1:
            yield here
        elif stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            inner = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
            try:
                yield from found(inner, here, parts[1:])
            finally:
                os.close(inner)
