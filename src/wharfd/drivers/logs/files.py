"""A log's files as one: those that were rotated away (`path.2.gz`, `path.1`), then the one that the monitor writes.

Positions count from the beginning of the oldest file, in what was written, compressed since or not.  While a log is followed, files that
come later go on where the last one ends.  Descriptors stay open, so that a rotation or a removal meanwhile takes nothing away from the
reader.  Files are renamed and removed on the loop only, hence looking for them needs no second look.

A compressed file is unpacked, into a file without a name, when something in it is read; of these a reader keeps the last two.

A read takes what is in the page cache without a thread; only what must come from the disk is read by the pool.
"""

import contextlib
import os
from dataclasses import dataclass

from wharfd.drivers.logs.compression import Note, expand, read_note
from wharfd.drivers.logs.continuation import continued_streams
from wharfd.drivers.logs.generations import all_files
from wharfd.model.errors import Internal
from wharfd.sys.blocking import Pool

BLOCK = 128 * 1024  # bytes of one read; formatting that much takes about 0.3 ms

# Filled and copied without a pause between, hence one for all readers.
buffer = bytearray(BLOCK)


EXPANDED_KEPT = 2
MOST_BEHIND = 32  # files that a slow follower may hold open


@dataclass(slots=True)
class Segment:
    """One file: descriptor, which file it is, and the position at which it begins.

    Of a compressed one (`note`) `plain_fd` is what it was unpacked to, −1 as long as it was not.
    """

    fd: int
    identity: tuple[int, int]
    begin: int
    note: Note | None = None
    plain_fd: int = -1

    def size(self) -> int:
        return os.fstat(self.fd).st_size if self.note is None else self.note.size_bytes

    def close(self) -> None:
        os.close(self.fd)
        self.fold()

    def fold(self) -> None:
        if self.plain_fd >= 0:
            os.close(self.plain_fd)
            self.plain_fd = -1


class LogFiles:
    """Close it."""

    def __init__(self, path: str, pool: Pool) -> None:
        self.path = path
        self.pool = pool
        self.segments: list[Segment] = []
        self.expanded: list[Segment] = []
        self.continued: set[int] = set()  # streams that begin in the middle of a line
        self.can_try = True  # the file system knows reads that do not wait
        self.is_too_slow = False  # more files have come than it may hold

    def open(self) -> None:
        """Open what is there: all, some or none.  Raises Internal if something there cannot be opened."""
        found: list[Segment] = []
        name = self.path
        try:
            for each in all_files(self.path):
                name = each.path
                opened = open_file(name)
                if opened is None:
                    continue
                fd, identity = opened
                if any(identity == other.identity for other in found):
                    os.close(fd)
                    continue
                found.append(Segment(fd, identity, 0))
                if each.is_compressed:
                    found[-1].note = read_note(fd)
        except OSError as e:
            for segment in found:
                segment.close()
            raise Internal(f"log {name} cannot be read: {e.strerror}") from e
        for segment in reversed(found):
            segment.begin = self.end()
            self.segments.append(segment)
        if found:
            self.continued = continued_streams(found[-1].fd)

    def close(self) -> None:
        for segment in self.segments:
            segment.close()
        self.segments.clear()
        self.expanded.clear()

    def end(self) -> int:
        """The position behind the last byte that is there now."""
        return self.segments[-1].begin + self.segments[-1].size() if self.segments else 0

    async def read(self, at: int, limit: int) -> bytes:
        """Some bytes from `at` on, of one file, at most `limit` and BLOCK; empty at the end."""
        for number, segment in enumerate(self.segments):
            stop = self.segments[number + 1].begin if number + 1 < len(self.segments) else at + limit
            if at < stop:
                return await self.read_from(segment, at - segment.begin, min(limit, stop - at, BLOCK))
        return b""

    async def read_exactly(self, at: int, size: int) -> bytes:
        """`size` bytes from `at` on, of any number of files; fewer only at the end."""
        pieces: list[bytes] = []
        while size > 0 and (piece := await self.read(at, size)):
            pieces.append(piece)
            at += len(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read_from(self, segment: Segment, offset: int, size: int) -> bytes:
        try:
            fd = segment.fd if segment.note is None else await self.expand(segment)
            if self.can_try:
                try:
                    count = os.preadv(fd, [memoryview(buffer)[:size]], offset, os.RWF_NOWAIT)
                    return bytes(buffer[:count])
                except BlockingIOError:
                    pass  # not in memory
                except OSError:
                    self.can_try = False
            return await self.pool.run(os.pread, fd, size, offset)
        except OSError as e:
            raise Internal(f"log {self.path} cannot be read: {e.strerror}") from e

    async def expand(self, segment: Segment) -> int:
        if segment.plain_fd < 0:
            while len(self.expanded) >= EXPANDED_KEPT:
                self.expanded.pop(0).fold()
            segment.plain_fd = await self.pool.run(expand, segment.fd, os.path.dirname(self.path))
            self.expanded.append(segment)
        return segment.plain_fd

    def renew(self, at: int) -> bool:
        """Look whether a new file has taken the place of the last one, or the last one was emptied; `at` is how far we have read.

        If so, it goes on behind the last one.  The last one may have grown until then: there is more to read, before the new one.
        """
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        identity = (status.st_dev, status.st_ino)
        if self.segments and self.segments[-1].identity == identity:
            if status.st_size >= at - self.segments[-1].begin:
                return False
            self.segments.append(Segment(os.dup(self.segments[-1].fd), identity, at))
            return True
        return self.add_newest()

    def add_newest(self) -> bool:
        """The file that has the name now goes on behind the last one, unless it is the last one."""
        with contextlib.suppress(OSError):
            opened = open_file(self.path)
            if opened is None:
                return False
            if self.segments and self.segments[-1].identity == opened[1]:
                os.close(opened[0])
                return False
            if len(self.segments) >= MOST_BEHIND:
                os.close(opened[0])
                self.is_too_slow = True
                return False
            self.segments.append(Segment(*opened, self.end()))
            return True
        return False

    def let_go(self, at: int) -> None:
        """Nothing in front of `at` will be read any more."""
        while len(self.segments) > 1 and self.segments[1].begin <= at:
            gone = self.segments.pop(0)
            gone.close()
            if gone in self.expanded:
                self.expanded.remove(gone)

    def older_than(self, since_ns: int) -> int:
        """A position in front of which all is older, as far as that is known without reading."""
        for segment in self.segments:
            if segment.note is None or not 0 < segment.note.last_ns < since_ns:
                return segment.begin
        return self.segments[-1].begin if self.segments else 0


def open_file(path: str) -> tuple[int, tuple[int, int]] | None:
    """Descriptor and identity; None if there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    status = os.fstat(fd)
    return fd, (status.st_dev, status.st_ino)
