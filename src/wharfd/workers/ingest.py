"""Takes archives from a client's stream apart into files of the content store's spool.

A file in the spool is called by the hex digits of its digest, so the same content twice is one file.
"""

import errno
import hashlib
import os
import posixpath
import secrets
from collections.abc import Iterator

from wharfd.model.archive import ArchiveMember, IngestedLayer
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.sys.filesystem import start_writeback
from wharfd.wire.compression import detect
from wharfd.wire.tarstream import Kind, TarReader
from wharfd.workers.source import Source, Tee, read_head
from wharfd.workers.unpack.tree import clean

MAX_MEMBERS = 100_000  # an image archive has a few hundred
RESERVE_BYTES = 64 << 20  # of the disk, that no archive may fill
FLUSH_BYTES = 16 << 20
AS_IT_IS = ("", "gzip", "zstd")  # compressions that a layer blob may have


class SpoolFile:
    """A file on its way into the spool; it gets its name from its content."""

    def __init__(self, spool: str) -> None:
        self.spool = spool
        self.path = f"{spool}/{secrets.token_hex(8)}.part"
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.hash = hashlib.sha256()
        self.size = 0
        self.flushed = 0
        space = os.statvfs(spool)
        self.budget = space.f_bavail * space.f_frsize - RESERVE_BYTES

    def write(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        if self.size > self.budget:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.hash.update(data)
        written = 0
        while written < len(data):
            written += os.write(self.fd, data[written:])
        if self.size - self.flushed >= FLUSH_BYTES:
            # The blob is synced when it is taken over: what is on its way to the disk by then does not have to be waited for.
            start_writeback(self.fd, self.flushed, self.size - self.flushed)
            self.flushed = self.size

    def keep(self) -> Digest:
        encoded = self.hash.hexdigest()
        os.rename(self.path, f"{self.spool}/{encoded}")
        return Digest("sha256:" + encoded)

    def discard(self) -> None:
        os.unlink(self.path)

    def close(self) -> None:
        os.close(self.fd)


def split_archive(fd: int, spool: str) -> list[ArchiveMember]:
    head = read_head(fd)
    if not head:
        raise InvalidParameter("the archive is empty")
    source = Source(Tee(os.dup(fd), head), detect(head), hashing=False)
    try:
        reader = TarReader(source.read)
        found = list(members(reader, spool))
        reader.drain()
        return found
    finally:
        source.close()


def members(reader: TarReader, spool: str) -> Iterator[ArchiveMember]:
    for count, entry in enumerate(reader):
        if count >= MAX_MEMBERS:
            raise InvalidParameter(f"the archive has more than {MAX_MEMBERS} members")
        name = readable(clean(entry.name))
        if entry.kind is Kind.FILE:
            if entry.sparse is not None:
                raise InvalidParameter(f"invalid archive: {name!r} is a sparse file")
            yield spool_member(reader, name, spool)
        elif entry.kind is Kind.SYMLINK:
            yield ArchiveMember(name=name, link=beside(name, readable(entry.link)))
        elif entry.kind is Kind.HARD_LINK:
            yield ArchiveMember(name=name, link=readable(clean(entry.link)))


def spool_member(reader: TarReader, name: str, spool: str) -> ArchiveMember:
    file = SpoolFile(spool)
    try:
        while data := reader.read_body():
            file.write(data)
        return ArchiveMember(name=name, size=file.size, digest=file.keep())
    finally:
        file.close()


def ingest_layer(fd: int, spool: str) -> IngestedLayer:
    head = read_head(fd)
    compression = detect(head)
    file = SpoolFile(spool)
    try:
        if compression in AS_IT_IS:
            source = Source(Tee(os.dup(fd), head, file.write), compression)
            try:
                while source.read():
                    pass
            finally:
                source.close()
        else:
            source = Source(Tee(os.dup(fd), head), compression)
            try:
                while chunk := source.read():
                    file.write(chunk)
            finally:
                source.close()
            compression = ""
        return IngestedLayer(digest=file.keep(), size=file.size, diff_id=source.digest, compression=compression)
    finally:
        file.close()


def readable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def beside(name: str, target: str) -> str:
    """Where a symbolic link in the archive points, as a path inside the archive."""
    joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), target))
    return joined.lstrip("/")
