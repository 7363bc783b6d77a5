"""Takes in a build context that comes as an archive: its files go into a directory, their digests are told.

Nothing of it is trusted: names and hard links stay inside, devices are refused, and there is a limit to how many files there are and to
how much of the disk they take.  Docker: everything belongs to root, whoever it belonged to at the client.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator

from wharfd.model.errors import InvalidParameter
from wharfd.model.tree import DigestedEntry
from wharfd.wire.compression import detect
from wharfd.wire.tarstream import Entry, Kind, TarReader
from wharfd.workers.build.looking import entries
from wharfd.workers.source import Source, Tee, read_head
from wharfd.workers.unpack.layer import NEW_FILE, LayerWriter, set_xattrs, shown, write_all
from wharfd.workers.unpack.tree import clean

MAX_ENTRIES = 1_000_000
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class ContextWriter(LayerWriter):
    """As a layer's, but a mark of deletion is a file like others, and contents are hashed."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.digests: dict[int, str] = {}  # by inode

    def add(self, entry: Entry, reader: TarReader) -> None:
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise InvalidParameter(f"the build context has more than {MAX_ENTRIES} files")
        if entry.kind in (Kind.CHARACTER, Kind.BLOCK):
            raise InvalidParameter(f"the build context has a device: {shown(entry.name)}")
        name = clean(entry.name)
        if not name:
            return
        entry.uid = entry.gid = 0
        fd, directory, base = self.tree.locate(name)
        match entry.kind:
            case Kind.FILE:
                self.add_file(fd, directory, base, entry, reader)
            case Kind.DIRECTORY:
                self.add_directory(fd, directory + base, base, entry)
            case Kind.SYMLINK:
                self.replacing(lambda: os.symlink(entry.link, base, dir_fd=fd), fd, directory, base)
                self.set_attributes(fd, base, entry)
            case Kind.HARD_LINK:
                self.add_link(fd, directory, base, entry)
            case _:
                self.replacing(lambda: os.mkfifo(base, stat.S_IMODE(entry.mode), dir_fd=fd), fd, directory, base)
                self.set_attributes(fd, base, entry)

    def add_file(self, fd: int, directory: str, base: str, entry: Entry, reader: TarReader) -> None:
        try:
            file = os.open(base, NEW_FILE, 0o600, dir_fd=fd)
        except FileExistsError:
            self.make_way(fd, directory, base)
            file = os.open(base, NEW_FILE, 0o600, dir_fd=fd)
        try:
            self.digests[os.fstat(file).st_ino] = self.fill(file, entry, reader)
            os.fchmod(file, stat.S_IMODE(entry.mode))
            if entry.xattrs:
                set_xattrs(file, entry.xattrs)
            os.utime(file, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(file)

    def fill(self, file: int, entry: Entry, reader: TarReader) -> str:
        """Returns the content's digest."""
        plain = hashlib.sha256()
        self.size += entry.size
        if entry.size > self.budget:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.budget -= entry.size
        if entry.sparse is None:
            while data := reader.read_body():
                plain.update(data)
                write_all(file, data)
            return plain.hexdigest()
        for offset, data in reader.segments(entry):
            os.lseek(file, offset, os.SEEK_SET)
            write_all(file, data)
        os.ftruncate(file, entry.size)
        with open(f"/proc/self/fd/{file}", "rb", buffering=0) as written:
            return hashlib.file_digest(written, "sha256").hexdigest()

    def listed(self) -> Iterator[DigestedEntry]:
        """Everything but the root."""
        numbers: dict[str, int] = {}
        fd = os.dup(self.tree.open[""])
        try:
            for entry in entries(fd, "", is_deep=True, numbers=numbers):
                yield DigestedEntry(entry, self.digests.get(numbers[entry.path], "") if entry.is_regular else "")
        finally:
            os.close(fd)


def receive_context(archive: int, into: str) -> list[DigestedEntry]:
    """The archive that the descriptor gives, plain or compressed in any way, goes into the empty directory `into`.

    Raises InvalidParameter: it is broken or hostile; what was written is the caller's to delete.
    """
    head = read_head(archive)
    if not head:
        return []
    source = Source(Tee(os.dup(archive), head), detect(head), hashing=False)
    writer = ContextWriter(into)
    try:
        writer.add_all(TarReader(source.read))
        for path in writer.missing:
            raise InvalidParameter(f"invalid archive: {shown(path)}: its link leads to nothing")
        writer.tree.finish()
        return list(writer.listed())
    finally:
        source.close()
        writer.tree.close()
