"""Unpacks a layer's archive into a directory as overlayfs wants it: one pass for content, attributes, whiteouts and the diff id."""

import errno
import io
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from wharfd.model.archive import MissingLink, UnpackedLayer
from wharfd.model.errors import InvalidParameter
from wharfd.wire.compression import MAGIC_BYTES, detect
from wharfd.wire.tarstream import Entry, Kind, TarReader
from wharfd.wire.whiteout import OPAQUE_VALUE, OPAQUE_XATTR, Mark, classify
from wharfd.workers.growing import GrowingFile
from wharfd.workers.source import Source, Tee, read_head
from wharfd.workers.unpack.tree import Tree, clean

WHITEOUT = ".wh."
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PERMISSIONS = 0o777
STICKY = 0o1000
SET_ID = 0o6000

# A layer that a stranger made must not tell overlayfs where to look for other files.
FOREIGN_XATTRS = ("trusted.", "user.overlay.")
UNSUPPORTED = frozenset((errno.ENOTSUP, errno.EPERM, errno.ENODATA))

# What a hostile or broken archive makes the kernel say, as opposed to a full or failing disk.
ARCHIVE_ERRORS = frozenset(
    (errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EMLINK, errno.EFBIG, errno.ENOENT,
     errno.EEXIST, errno.ENOTEMPTY, errno.EPERM, errno.EXDEV, errno.ERANGE, errno.E2BIG)
)  # fmt: skip

SHOWN_CHARACTERS = 64  # of a name, in a message
RESERVE_BYTES = 64 << 20  # of the disk, that no archive may fill


class LayerWriter:
    def __init__(self, root: str) -> None:
        self.tree = Tree(root)
        self.tree.implied.add("")
        self.size = 0
        self.entries = 0
        self.missing: dict[str, MissingLink] = {}  # by its real path
        space = os.statvfs(root)
        self.budget = max(0, space.f_bavail * space.f_frsize - RESERVE_BYTES)

    def add_all(self, reader: TarReader) -> None:
        """Raises InvalidParameter, which names the entry that is broken or hostile."""
        for entry in reader:
            try:
                self.add(entry, reader)
            except OSError as e:
                if e.errno in ARCHIVE_ERRORS:
                    raise InvalidParameter(f"invalid archive: {shown(entry.name)}: {e.strerror}") from e
                raise
            except (ValueError, OverflowError) as e:
                raise InvalidParameter(f"invalid archive: {shown(entry.name)}: {e}") from e
        reader.drain()

    def add(self, entry: Entry, reader: TarReader) -> None:
        self.entries += 1
        name = clean(entry.name)
        if not name:
            self.add_root(entry)
            return
        fd, directory, base = self.tree.locate(name)
        if base.startswith(WHITEOUT):
            self.add_mark(fd, directory, base)
            return
        kind = entry.kind
        if self.missing:
            self.missing.pop(directory + base, None)  # a later entry takes its place
        if kind is Kind.FILE:
            self.add_file(fd, directory, base, entry, reader)
        elif kind is Kind.DIRECTORY:
            self.add_directory(fd, directory + base, base, entry)
        elif kind is Kind.SYMLINK:
            self.replacing(lambda: os.symlink(entry.link, base, dir_fd=fd), fd, directory, base)
            self.set_attributes(fd, base, entry)
        elif kind is Kind.HARD_LINK:
            self.add_link(fd, directory, base, entry)
        else:
            self.replacing(lambda: make_node(entry, base, fd), fd, directory, base)
            self.set_attributes(fd, base, entry)

    def replacing(self, make: Callable[[], object], fd: int, directory: str, base: str) -> None:
        """Docker: a later entry takes the place of an earlier one."""
        try:
            make()
        except FileExistsError:
            self.make_way(fd, directory, base)
            make()

    def make_way(self, fd: int, directory: str, base: str) -> None:
        self.tree.make_way(fd, base, directory + base)
        below = f"{directory}{base}/"
        for path in [each for each in self.missing if each.startswith(below)]:
            del self.missing[path]

    def add_file(self, fd: int, directory: str, base: str, entry: Entry, reader: TarReader) -> None:
        try:
            file = os.open(base, NEW_FILE, entry.mode & PERMISSIONS, dir_fd=fd)
        except FileExistsError:
            self.make_way(fd, directory, base)
            file = os.open(base, NEW_FILE, entry.mode & PERMISSIONS, dir_fd=fd)
        try:
            if entry.size:
                self.size += entry.size
                if reader.body_left > self.budget:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self.budget -= reader.body_left
                copy_content(reader, entry, file)
            if entry.uid or entry.gid:
                os.fchown(file, entry.uid, entry.gid)
            if entry.mode & ~PERMISSIONS:
                os.fchmod(file, stat.S_IMODE(entry.mode))
            if entry.xattrs:
                set_xattrs(file, entry.xattrs)
            mtime_ns = entry.mtime_ns
            os.utime(file, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(file)

    def add_directory(self, fd: int, path: str, base: str, entry: Entry) -> None:
        mode = stat.S_IMODE(entry.mode)
        is_new = self.tree.make_directory(fd, base, mode & ~SET_ID)
        if not is_new or entry.uid or entry.gid:
            os.chown(base, entry.uid, entry.gid, dir_fd=fd, follow_symlinks=False)
        if not is_new:
            self.tree.implied.discard(path)
            self.tree.modes.pop(path, None)
        if entry.xattrs:
            self.set_directory_xattrs(fd, base, entry.xattrs)
        if mode & SET_ID:
            self.tree.modes[path] = mode
        self.tree.mtimes[path] = entry.mtime_ns

    def add_root(self, entry: Entry) -> None:
        if entry.kind is not Kind.DIRECTORY:
            raise InvalidParameter("invalid archive: its root is no directory")
        root = self.tree.open[""]
        os.fchown(root, entry.uid, entry.gid)
        self.tree.modes[""] = stat.S_IMODE(entry.mode)
        self.tree.mtimes[""] = entry.mtime_ns
        self.tree.implied.discard("")
        if entry.xattrs:
            set_xattrs(root, entry.xattrs)

    def add_mark(self, fd: int, directory: str, base: str) -> None:
        # The marks need no directory of theirs in the path: `fd` is that directory.
        found = classify(base)
        if found.mark is Mark.WHITEOUT and directory + found.target not in self.missing:
            self.tree.white_out(fd, found.target)
        elif found.mark is Mark.OPAQUE:
            os.setxattr(fd, OPAQUE_XATTR, OPAQUE_VALUE)

    def add_link(self, fd: int, directory: str, base: str, entry: Entry) -> None:
        target = clean(entry.link)
        try:
            source, name = self.tree.find(target)
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                self.make_way(fd, directory, base)
            path = directory + base
            self.missing[path] = MissingLink(path=os.fsencode(path), target=os.fsencode(target))
            return
        if stat.S_ISDIR(status.st_mode):
            raise InvalidParameter(f"invalid archive: hard link to the directory {target!r}")
        try:
            os.link(name, base, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
        except FileExistsError:
            present = os.stat(base, dir_fd=fd, follow_symlinks=False)
            if (present.st_ino, present.st_dev) != (status.st_ino, status.st_dev):
                self.make_way(fd, directory, base)
                os.link(name, base, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
        self.set_link_attributes(fd, base, entry, status)

    def set_link_attributes(self, fd: int, base: str, entry: Entry, status: os.stat_result) -> None:
        """Docker: the file gets those that its last name has in the archive; usually all have the same."""
        owner = (entry.uid, entry.gid)
        if owner != (status.st_uid, status.st_gid):
            os.chown(base, *owner, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            return
        mode = stat.S_IMODE(entry.mode)
        if mode != stat.S_IMODE(status.st_mode) or owner != (status.st_uid, status.st_gid):
            os.chmod(base, mode, dir_fd=fd)
        if entry.mtime_ns != status.st_mtime_ns:
            os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=fd, follow_symlinks=False)

    def set_attributes(self, fd: int, base: str, entry: Entry) -> None:
        """Of links and nodes, which are not opened."""
        if entry.uid or entry.gid:
            os.chown(base, entry.uid, entry.gid, dir_fd=fd, follow_symlinks=False)
        os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=fd, follow_symlinks=False)

    def set_directory_xattrs(self, fd: int, base: str, xattrs: dict[str, bytes]) -> None:
        file = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            set_xattrs(file, xattrs)
        finally:
            os.close(file)


def copy_content(reader: TarReader, entry: Entry, fd: int) -> None:
    if entry.sparse is None:
        while data := reader.read_body():
            write_all(fd, data)
        return
    for offset, data in reader.segments(entry):
        os.lseek(fd, offset, os.SEEK_SET)
        write_all(fd, data)
    os.ftruncate(fd, entry.size)


def write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, data[written:])


def make_node(entry: Entry, base: str, fd: int) -> None:
    permissions = stat.S_IMODE(entry.mode)
    if entry.kind is Kind.FIFO:
        os.mkfifo(base, permissions, dir_fd=fd)
        return
    kind = stat.S_IFCHR if entry.kind is Kind.CHARACTER else stat.S_IFBLK
    os.mknod(base, kind | permissions, os.makedev(entry.dev_major, entry.dev_minor), dir_fd=fd)


def set_xattrs(fd: int, xattrs: dict[str, bytes]) -> None:
    for name, value in xattrs.items():
        if name.startswith(FOREIGN_XATTRS):
            continue
        try:
            os.setxattr(fd, name, value)
        except OSError as e:
            if e.errno not in UNSUPPORTED:
                raise


def shown(name: str) -> str:
    """Of a message."""
    return repr(name) if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]!r}…"


def unpack_layer(blob_path: str, compression: str, into: str, link: int | None = None) -> UnpackedLayer:
    """Unpack into `into`, which is made.  `link`: the blob is on its way, and this tells how far (see `growing.py`).

    Docker: how a layer is compressed is seen from its bytes; media types are often wrong.
    """
    os.mkdir(into, 0o755)
    fd = os.open(blob_path, os.O_RDONLY | os.O_CLOEXEC)
    raw: io.RawIOBase
    if link is None:
        head = read_head(fd)
        raw = Tee(fd, head)
    else:
        raw = growing = GrowingFile(fd, os.dup(link))
        head = growing.head(MAGIC_BYTES)
    source = Source(raw, detect(head) if head else compression)
    writer = LayerWriter(into)
    try:
        writer.add_all(TarReader(source.read))
        writer.tree.finish()
    finally:
        source.close()
        writer.tree.close()
    return UnpackedLayer(
        diff_id=source.digest,
        size_bytes=writer.size,
        entries=writer.entries,
        implied=sorted(map(os.fsencode, writer.tree.implied)),
        missing_links=list(writer.missing.values()),
    )
