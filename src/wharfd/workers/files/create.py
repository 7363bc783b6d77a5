"""Makes archives of what lies in a container, file by file, while the container may change it.

A file that vanishes meanwhile is left out; one that shrinks is filled up with zeros, one that grows is cut: the header has been sent.
Docker: times are whole seconds, owners are numbers, sockets are left out, further names of a file are hard links.
"""

import errno
import os
import stat
import sys

from wharfd.model.errors import InvalidParameter
from wharfd.wire.tarstream import END, Entry, Kind, header, padding
from wharfd.workers.files.sink import Sink

OPEN_ANY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
READ_BYTES = 1 << 20
MAX_DEPTH = 2000  # a path that long can be made, and followed by nobody
SECOND = 1_000_000_000
ZEROS = bytes(64 * 1024)

# The attributes that mean something on another machine.
XATTRS_KEPT = ("user.", "security.capability")
XATTRS_LEFT_OUT = ("user.overlay.",)

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFIFO: Kind.FIFO,
}


class Creator:
    """Entries come in the order of their names, directories before what is in them."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.names: dict[tuple[int, int], str] = {}  # of files with several names: the first one
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 4 * MAX_DEPTH))

    def finish(self) -> None:
        self.sink.put(END)
        self.sink.finish()

    def add(self, directory: int, base: str, name: str) -> None:
        """What is called `base` in `directory`, as `name`, with everything below it."""
        try:
            fd = os.open(base, OPEN_ANY, dir_fd=directory)
        except FileNotFoundError:
            return
        except OSError as e:
            # A link (ELOOP), a socket (ENXIO), a device (EACCES: the mount does not let it be opened).
            if e.errno not in (errno.ELOOP, errno.ENXIO, errno.EACCES, errno.ENODEV, errno.EOPNOTSUPP):
                raise
            self.add_unopened(directory, base, name)
            return
        try:
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode):
                self.add_file(fd, status, name)
            elif stat.S_ISDIR(status.st_mode):
                self.add_directory(fd, status, name)
            else:
                self.add_special(status, name)
        finally:
            os.close(fd)

    def add_directory(self, fd: int, status: os.stat_result, name: str) -> None:
        self.sink.put(self.head(fd, status, name if name.endswith("/") else name + "/"))
        self.add_content(fd, name)

    def add_directory_only(self, parent: int, base: str, name: str) -> None:
        """Without what is in it."""
        try:
            fd = os.open(base, OPEN_ANY | os.O_DIRECTORY, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            self.sink.put(self.head(fd, os.fstat(fd), name + "/"))
        finally:
            os.close(fd)

    def add_content(self, fd: int, name: str) -> None:
        """What is in a directory; `name` empty: names have nothing before them."""
        if name.count("/") > MAX_DEPTH:
            raise InvalidParameter("a directory lies too deep to be archived")
        prefix = f"{name.rstrip('/')}/" if name else ""
        for base in sorted(os.listdir(fd)):
            self.add(fd, base, prefix + base)

    def add_file(self, fd: int, status: os.stat_result, name: str) -> None:
        if status.st_nlink > 1:
            first = self.names.setdefault((status.st_dev, status.st_ino), name)
            if first != name:
                self.sink.put(self.head(fd, status, name, kind=Kind.HARD_LINK, link=first))
                return
        put = self.sink.put
        put(self.head(fd, status, name))
        left = status.st_size
        while left:
            data = os.read(fd, min(left, READ_BYTES))
            if not data:
                data = ZEROS[:left]
            put(data)
            left -= len(data)
        if filler := padding(status.st_size):
            put(filler)

    def add_unopened(self, directory: int, base: str, name: str) -> None:
        try:
            status = os.stat(base, dir_fd=directory, follow_symlinks=False)
            link = os.readlink(base, dir_fd=directory) if stat.S_ISLNK(status.st_mode) else ""
        except (FileNotFoundError, OSError) as e:
            if e.errno not in (errno.ENOENT, errno.EINVAL):
                raise
            return
        if stat.S_ISLNK(status.st_mode):
            self.sink.put(self.head(None, status, name, link=link))
        elif not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            self.add_special(status, name)

    def add_pinned(self, place: int, name: str) -> None:
        """What a descriptor (O_PATH) stands for: a link or a node."""
        status = os.fstat(place)
        if stat.S_ISLNK(status.st_mode):
            self.sink.put(self.head(None, status, name, link=os.readlink("", dir_fd=place)))
        else:
            self.add_special(status, name)

    def add_special(self, status: os.stat_result, name: str) -> None:
        if not stat.S_ISSOCK(status.st_mode):
            self.sink.put(self.head(None, status, name))

    def head(
        self, fd: int | None, status: os.stat_result, name: str, *, kind: Kind | None = None, link: str = ""
    ) -> bytes:
        kind = kind or KINDS[stat.S_IFMT(status.st_mode)]
        return header(
            Entry(
                name=name,
                kind=kind,
                mode=stat.S_IMODE(status.st_mode),
                uid=status.st_uid,
                gid=status.st_gid,
                size=status.st_size if kind is Kind.FILE else 0,
                mtime_ns=status.st_mtime_ns // SECOND * SECOND,
                link=link,
                dev_major=os.major(status.st_rdev),
                dev_minor=os.minor(status.st_rdev),
                xattrs=kept_xattrs(fd) if fd is not None and kind is not Kind.HARD_LINK else None,
            )
        )


def kept_xattrs(fd: int) -> dict[str, bytes] | None:
    try:
        names = os.listxattr(fd)
    except OSError:
        return None
    found: dict[str, bytes] = {}
    for name in names:
        if name.startswith(XATTRS_KEPT) and not name.startswith(XATTRS_LEFT_OUT):
            try:
                found[name] = os.getxattr(fd, name)
            except OSError:
                continue  # removed meanwhile
    return found or None
