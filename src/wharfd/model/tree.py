"""Files of a tree, as build contexts and build results are told of."""

import stat

import msgspec


class TreeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file.  `path` relative to the tree's root, with slashes, without a leading one; the root itself is "".

    `mode` is the kernel's st_mode.  `link_target`: what a symbolic link says; of a regular file: the path (in the tree) of an entry before
    it that is the same file (a hard link).
    """

    path: str
    mode: int
    size: int = 0
    mtime_ns: int = 0
    uid: int = 0
    gid: int = 0
    link_target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: dict[str, bytes] = {}

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)


class RootView(msgspec.Struct, frozen=True, kw_only=True):
    """A root file system as directories of the host, for worker processes.

    `lower`: the uppermost first.  `upper` and `work` (empty: it is only read) take what is written.  `options` are overlayfs's.
    """

    lower: list[str] = []
    upper: str = ""
    work: str = ""
    options: list[str] = []


class DigestedEntry(msgspec.Struct, frozen=True, array_like=True):
    """A file with the digest (hex, SHA-256) of its content; empty for what is no regular file."""

    entry: TreeEntry
    digest: str = ""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a root, as a copy takes it: see `fileactions.Copy` for the meaning of the fields."""

    path: str
    wildcard: bool = False
    follow_links: bool = False
    include: list[str] = []
    exclude: list[str] = []
    required: list[str] = []
