"""A file that somebody else is still writing, read as far as he says.

    link := offset*      8 bytes each, little endian, growing: so many bytes can be read

The end of the link is the end of the file, at the last offset.
"""

import io
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

OFFSET = struct.Struct("<Q")


class GrowingFile(io.RawIOBase):
    """Has both descriptors from now on."""

    def __init__(self, fd: int, link: int) -> None:
        self.fd = fd
        self.link = link
        self.at = 0
        self.known = 0  # bytes that are there
        self.is_whole = False
        self.part = b""  # of an offset

    def readable(self) -> bool:
        return True

    def head(self, count: int) -> bytes:
        """The first bytes, which are read again; fewer only if there are no more."""
        while self.known < count and not self.is_whole:
            self.listen()
        return os.pread(self.fd, min(count, self.known), 0)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        while self.at == self.known and not self.is_whole:
            self.listen()
        count = os.preadv(self.fd, [view[: self.known - self.at]], self.at) if self.known > self.at else 0
        self.at += count
        return count

    def listen(self) -> None:
        """Wait for the next offset, or the end."""
        data = os.read(self.link, 512 * OFFSET.size)
        if not data:
            self.is_whole = True
            return
        told = self.part + data
        whole = len(told) - len(told) % OFFSET.size
        self.part = told[whole:]
        if whole:
            (self.known,) = OFFSET.unpack_from(told, whole - OFFSET.size)

    def close(self) -> None:
        if not self.closed:
            os.close(self.fd)
            os.close(self.link)
        super().close()
