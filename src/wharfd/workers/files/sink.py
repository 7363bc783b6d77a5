"""Where archives go: pieces are gathered, encoded if that is asked for, and written to a descriptor that may make us wait."""

import os
import zlib
from collections.abc import Callable
from typing import Protocol, cast

from isal import isal_zlib

GATHER_BYTES = 256 * 1024
LEVEL = 1
RAW_DEFLATE = -15
WITH_GZIP_HEAD = 31

Write = Callable[[bytes | memoryview], object]


class Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def compressor(encoding: str) -> Compressor | None:
    """`encoding`: "", gzip, or deflate (Docker: the bare stream, without zlib's frame)."""
    match encoding:
        case "":
            return None
        case "gzip":
            return cast("Compressor", isal_zlib.compressobj(LEVEL, zlib.DEFLATED, WITH_GZIP_HEAD))
        case "deflate":
            return cast("Compressor", isal_zlib.compressobj(LEVEL, zlib.DEFLATED, RAW_DEFLATE))
    raise ValueError(f"unknown encoding {encoding!r}")


class Sink:
    """`plain` sees the bytes before they are encoded."""

    def __init__(self, write: Write, encoding: str = "", plain: Callable[[bytes], object] | None = None) -> None:
        self.write_out = write
        self.codec = compressor(encoding)
        self.plain = plain
        self.pieces: list[bytes] = []
        self.gathered = 0

    def put(self, data: bytes) -> None:
        self.pieces.append(data)
        self.gathered += len(data)
        if self.gathered >= GATHER_BYTES:
            self.flush()

    def flush(self) -> None:
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.gathered = 0
        if not data:
            return
        if self.plain is not None:
            self.plain(data)
        out = data if self.codec is None else self.codec.compress(data)
        if out:
            self.write_out(out)

    def finish(self) -> None:
        self.flush()
        if self.codec is not None and (rest := self.codec.flush()):
            self.write_out(rest)


def writer(fd: int) -> Write:
    """Writes everything, however long it takes."""

    def write(data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    return write
