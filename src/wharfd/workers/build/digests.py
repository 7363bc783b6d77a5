"""Digests of parts of a root: the same as `wire/treedigest.TreeIndex` computes of a tree that it knows."""

import hashlib
import os
import posixpath
import stat
from collections.abc import Sequence

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.model.tree import DigestedEntry, RootView, Selection, TreeEntry
from wharfd.sys import xattr
from wharfd.wire.dockerignore import PathPatterns
from wharfd.wire.treedigest import TreeHash
from wharfd.wire.whiteout import is_overlay_whiteout
from wharfd.workers.build.copying import OPEN_FILE
from wharfd.workers.build.places import OPEN_DIRECTORY, absolute, expand, open_directory, real_path, status_of
from wharfd.workers.build.roots import opened

MAX_DEPTH = 2000


def digest_selections(view: RootView, selections: Sequence[Selection]) -> list[Digest]:
    """Raises NotFound for a path that is not there (`"/nope": not found`)."""
    with opened(view) as root:
        return [digest_selection(root, each) for each in selections]


def digest_selection(root: int, selection: Selection) -> Digest:
    for path in selection.required:
        if status_of(root, real_path(root, path, follow=True)) is None:
            raise NotFound(f'"{absolute(path)}": not found')
    paths: Sequence[str] = [absolute(selection.path)]
    if selection.wildcard:
        paths = expand(root, selection.path, follow=selection.follow_links)
    walk = Walk(selection)
    for path in paths:
        real = real_path(root, path, follow=selection.follow_links)
        status = status_of(root, real)
        if status is None:
            raise NotFound(f'"{path}": not found')
        walk.found.begin(posixpath.basename(path))
        directory, base = posixpath.split(real)
        parent = open_directory(root, directory)
        try:
            walk.entry(parent, base or ".", "", status)
        finally:
            os.close(parent)
    return walk.found.digest()


class Walk:
    def __init__(self, selection: Selection) -> None:
        self.found = TreeHash()
        self.include = PathPatterns(selection.include)
        self.exclude = PathPatterns(selection.exclude)

    def entry(self, parent: int, base: str, path: str, status: os.stat_result) -> None:
        """`path` relative to the top of the selection."""
        if path.count("/") > MAX_DEPTH:
            raise InvalidParameter("a directory lies too deep")
        if is_overlay_whiteout(status.st_mode, status.st_rdev):
            return
        is_directory = stat.S_ISDIR(status.st_mode)
        if path and self.exclude and self.exclude.match(path):
            if not is_directory or not self.exclude.may_spare(path):
                return
        elif not path or not self.include or self.include.match(path):
            self.found.add(path, digested(parent, base, path, status))
        if is_directory:
            fd = os.open(base, OPEN_DIRECTORY, dir_fd=parent)
            try:
                for name in sorted(os.listdir(fd)):
                    inner = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    self.entry(fd, name, f"{path}/{name}" if path else name, inner)
            finally:
                os.close(fd)


def digested(parent: int, base: str, path: str, status: os.stat_result) -> DigestedEntry:
    entry = entry_of(parent, base, path, status)
    if not stat.S_ISREG(status.st_mode):
        return DigestedEntry(entry)
    fd = os.open(base, OPEN_FILE, dir_fd=parent)
    with os.fdopen(fd, "rb", buffering=0) as file:
        return DigestedEntry(entry, hashlib.file_digest(file, "sha256").hexdigest())


def entry_of(parent: int, base: str, path: str, status: os.stat_result) -> TreeEntry:
    """`path` is what the entry is called."""
    is_link = stat.S_ISLNK(status.st_mode)
    xattrs: dict[str, bytes] = {}
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        fd = os.open(base, OPEN_FILE, dir_fd=parent)
        try:
            xattrs = xattr.read_all(fd)
        finally:
            os.close(fd)
    return TreeEntry(
        path=path.encode(errors="surrogateescape").decode(errors="backslashreplace"),
        mode=status.st_mode,
        size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
        mtime_ns=status.st_mtime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        link_target=os.readlink(base, dir_fd=parent) if is_link else "",
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)),
        xattrs=xattrs,
    )
