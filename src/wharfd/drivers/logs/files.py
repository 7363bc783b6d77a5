"""A log's files as one: those that were rotated away (`path.2`, `path.1`), then the one that the monitor writes.

Positions count from the beginning of the oldest file.  While a log is followed, files that come later go on where the last one ends.
Descriptors stay open, so that a rotation or a removal meanwhile takes nothing away from the reader.

A read takes what is in the page cache without a thread; only what must come from the disk is read by the pool.
"""

import contextlib
import os
from dataclasses import dataclass

from wharfd.model.errors import Internal
from wharfd.sys.blocking import Pool

BLOCK = 128 * 1024  # bytes of one read; formatting that much takes about 0.3 ms

# Filled and copied without a pause between, hence one for all readers.
buffer = bytearray(BLOCK)


@dataclass(slots=True)
class Segment:
    """One file: descriptor, which file it is, and the position at which it begins."""

    fd: int
    identity: tuple[int, int]
    begin: int

    def size(self) -> int:
        return os.fstat(self.fd).st_size


class LogFiles:
    """Close it."""

    def __init__(self, path: str, pool: Pool) -> None:
        self.path = path
        self.pool = pool
        self.segments: list[Segment] = []
        self.can_try = True  # the file system knows reads that do not wait

    def open(self) -> None:
        """Open what is there: all, some or none.  Raises Internal if something there cannot be opened."""
        found: list[tuple[int, tuple[int, int]]] = []
        name, number = self.path, 0
        try:
            # The newest first: what is rotated meanwhile shows twice and is taken once.
            while (opened := open_file(name)) is not None or number == 0:
                if opened is not None:
                    found.append(opened)
                number += 1
                name = f"{self.path}.{number}"
        except OSError as e:
            for fd, _ in found:
                os.close(fd)
            raise Internal(f"log {name} cannot be read: {e.strerror}") from e
        seen: set[tuple[int, int]] = set()
        for fd, identity in reversed(found):
            if identity in seen:
                os.close(fd)
            else:
                seen.add(identity)
                self.segments.append(Segment(fd, identity, self.end()))

    def close(self) -> None:
        for segment in self.segments:
            os.close(segment.fd)
        self.segments.clear()

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
            if self.can_try:
                try:
                    count = os.preadv(segment.fd, [memoryview(buffer)[:size]], offset, os.RWF_NOWAIT)
                    return bytes(buffer[:count])
                except BlockingIOError:
                    pass  # not in memory
                except OSError:
                    self.can_try = False
            return await self.pool.run(os.pread, segment.fd, size, offset)
        except OSError as e:
            raise Internal(f"log {self.path} cannot be read: {e.strerror}") from e

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
        with contextlib.suppress(OSError):
            opened = open_file(self.path)
            if opened is not None:
                self.segments.append(Segment(*opened, self.end()))
                return True
        return False


def open_file(path: str) -> tuple[int, tuple[int, int]] | None:
    """Descriptor and identity; None if there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    status = os.fstat(fd)
    return fd, (status.st_dev, status.st_ino)
