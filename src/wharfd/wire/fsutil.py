"""Directory trees as BuildKit's clients send and take them (fsutil): what each packet means, and what may not be.

The sender tells of its files (STAT, in order; without a stat at the end), the receiver asks by number for the contents it wants (REQ), gets
them in pieces (DATA, empty at a file's end), and says that it has all (FIN); the sender repeats that.

A receiver trusts nothing: names stay inside the tree, stand below directories that were told of before, and come once.
"""

import stat

from wharfd.model.errors import InvalidParameter
from wharfd.model.tree import TreeEntry
from wharfd.wire.proto.fsutil_pb2 import Stat

MAX_ENTRIES = 1_000_000
MAX_PATH = 4096  # bytes
# Go's os.FileMode, which is not the kernel's
GO_DIR, GO_SYMLINK, GO_DEVICE, GO_PIPE, GO_SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
GO_SETUID, GO_SETGID, GO_CHAR_DEVICE, GO_STICKY, GO_IRREGULAR = 1 << 23, 1 << 22, 1 << 21, 1 << 20, 1 << 19
GO_TYPE = GO_DIR | GO_SYMLINK | GO_DEVICE | GO_PIPE | GO_SOCKET | GO_CHAR_DEVICE | GO_IRREGULAR
_TYPES = {
    0: stat.S_IFREG,
    GO_DIR: stat.S_IFDIR,
    GO_SYMLINK: stat.S_IFLNK,
    GO_PIPE: stat.S_IFIFO,
    GO_SOCKET: stat.S_IFSOCK,
    GO_DEVICE: stat.S_IFBLK,
    GO_DEVICE | GO_CHAR_DEVICE: stat.S_IFCHR,
}
_GO_TYPES = {ours: theirs for theirs, ours in _TYPES.items()}
_BITS = ((GO_SETUID, stat.S_ISUID), (GO_SETGID, stat.S_ISGID), (GO_STICKY, stat.S_ISVTX))


def has_content(mode: int) -> bool:
    """May the file's bytes be asked for?  `mode` is Go's."""
    return mode & GO_TYPE == 0


def decode_mode(mode: int) -> int:
    """Raises InvalidParameter for a kind of file that there is not."""
    kind = _TYPES.get(mode & GO_TYPE)
    if kind is None:
        raise InvalidParameter(f"unknown file mode {mode:#x}")
    for theirs, ours in _BITS:
        if mode & theirs:
            kind |= ours
    return kind | mode & 0o777


def encode_mode(mode: int) -> int:
    kind = _GO_TYPES.get(stat.S_IFMT(mode), GO_IRREGULAR)
    for theirs, ours in _BITS:
        if mode & ours:
            kind |= theirs
    return kind | mode & 0o777


class StatReader:
    """The sender's files in their order.  Kept: one name for each, to know what comes twice and what has no directory."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {"": stat.S_IFDIR}

    @property
    def paths(self) -> set[str]:
        return set(self._kinds) - {""}

    def read(self, told: Stat) -> TreeEntry:
        """Raises InvalidParameter for what cannot be in a tree."""
        path = told.path
        check_path(path)
        if path in self._kinds:
            raise InvalidParameter(f"the client sent {path!r} twice")
        parent = path.rpartition("/")[0]
        if self._kinds.get(parent) != stat.S_IFDIR:
            raise InvalidParameter(f"the client sent {path!r} without its directory")
        mode = decode_mode(told.mode)
        kind = stat.S_IFMT(mode)
        if kind == stat.S_IFREG and told.linkname:
            check_path(told.linkname)
            if self._kinds.get(told.linkname) != stat.S_IFREG:
                raise InvalidParameter(f"the client sent {path!r} as a link to {told.linkname!r}, which is not there")
        if told.size < 0:
            raise InvalidParameter(f"the client sent {path!r} with a size of {told.size}")
        if len(self._kinds) > MAX_ENTRIES:
            raise InvalidParameter(f"the client sent more than {MAX_ENTRIES} files")
        self._kinds[path] = kind
        is_link = kind == stat.S_IFLNK or (kind == stat.S_IFREG and bool(told.linkname))
        return TreeEntry(
            path=path,
            mode=mode,
            size=told.size if kind == stat.S_IFREG else 0,
            mtime_ns=told.mod_time,
            uid=told.uid,
            gid=told.gid,
            link_target=told.linkname if is_link else "",
            device=(told.dev_major, told.dev_minor),
            xattrs=dict(told.xattrs),
        )


def check_path(path: str) -> None:
    """Raises InvalidParameter unless it is relative, clean, and inside."""
    parts = path.split("/")
    if not path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise InvalidParameter(f"the client sent the path {path[:200]!r}")
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH:
        raise InvalidParameter("the client sent a path that is too long")


def encode_stat(entry: TreeEntry) -> Stat:
    return Stat(
        path=entry.path,
        mode=encode_mode(entry.mode),
        uid=entry.uid,
        gid=entry.gid,
        size=len(entry.link_target.encode()) if entry.is_symlink else entry.size,
        mod_time=entry.mtime_ns,
        linkname=entry.link_target,
        dev_major=entry.device[0],
        dev_minor=entry.device[1],
        xattrs=entry.xattrs,
    )
