"""The bytes of an archive as they are to be parsed: read, decompressed and hashed on a thread of their own.

Reading, decompression and hashing happen in C without the interpreter's lock, so they run beside the parsing.  The main thread takes
chunks; an error of the other thread arrives among them.
"""

import bz2
import hashlib
import io
import lzma
import os
import threading
import zlib
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol, cast

import zstandard
from isal import igzip, isal_zlib

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.wire.compression import MAGIC_BYTES

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES = 256 * 1024
CHUNKS_AHEAD = 8
# Formats let an archive ask for a decoder with gigabytes.
XZ_MEMORY_BYTES = 256 << 20
ZSTD_WINDOW_BYTES = 128 << 20
ZSTD_INPUT_BYTES = 4096  # at once: four bytes can stand for 128 KiB

# What the decoders raise for broken data; `OSError` only where it has no errno.
BROKEN: tuple[type[Exception], ...] = (
    EOFError,
    ValueError,
    zlib.error,
    cast("type[Exception]", isal_zlib.error),
    lzma.LZMAError,
    zstandard.ZstdError,
)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def decoder(compression: str, raw: io.BufferedIOBase) -> Readable:
    """A reader of the plain bytes.  Raises InvalidParameter for a compression it does not know."""
    match compression:
        case "":
            return raw
        case "gzip":
            return opened_gzip(raw)
        case "zstd":
            return ZstdReader(raw)
        case "bzip2":
            return bz2.BZ2File(raw)
        case "xz":
            return XzReader(raw)
    raise InvalidParameter(f"unknown compression {compression!r}")


def opened_gzip(raw: io.BufferedIOBase) -> Readable:
    reader: Readable = igzip.IGzipFile(fileobj=raw)  # type: ignore[no-untyped-call]
    return reader


class ZstdReader:
    """As `zstandard`'s reader, which takes a stream that is cut for one that ends.  Frames may follow each other."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self.raw = raw
        self.codec = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
        self.frame = self.codec.decompressobj()
        self.begun = False
        self.unused = b""

    def read(self, size: int, /) -> bytes:
        parts: list[bytes] = []
        wanted = size
        while wanted > 0:
            data = self.unused or self.raw.read(ZSTD_INPUT_BYTES)
            self.unused = b""
            if not data:
                if self.begun:
                    raise EOFError("zstd stream ends too early")
                break
            self.begun = True
            parts.append(self.frame.decompress(data))
            wanted -= len(parts[-1])
            if self.frame.eof:
                self.unused = self.frame.unused_data
                self.frame = self.codec.decompressobj()
                self.begun = False
        return b"".join(parts)


class XzReader:
    """As `lzma.LZMAFile`, with a limit on the decoder's memory.  Streams may follow each other."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self.raw = raw
        self.codec = self.fresh()

    def fresh(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)

    def read(self, size: int, /) -> bytes:
        while True:
            if self.codec.eof:
                rest = self.codec.unused_data.lstrip(b"\0") or self.raw.read(CHUNK_BYTES).lstrip(b"\0")
                if not rest:
                    return b""
                self.codec = self.fresh()
            elif self.codec.needs_input:
                rest = self.raw.read1(CHUNK_BYTES)
                if not rest:
                    raise EOFError("xz stream ends too early")
            else:
                rest = b""
            data = self.codec.decompress(rest, size)
            if data:
                return data


class Tee(io.RawIOBase):
    """Reads a descriptor (its own from now on), gives `head` first, and shows everything to `watch`."""

    def __init__(self, fd: int, head: bytes = b"", watch: Callable[[memoryview], object] | None = None) -> None:
        self.fd = fd
        self.head = head
        self.watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        if self.head:
            count = min(len(view), len(self.head))
            view[:count], self.head = self.head[:count], self.head[count:]
        else:
            count = os.readv(self.fd, [view])
        if count and self.watch is not None:
            self.watch(view[:count])
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self.fd)
        super().close()


def read_head(fd: int, count: int = MAGIC_BYTES) -> bytes:
    """The first bytes of a stream, fewer only if it is shorter."""
    head = b""
    while len(head) < count:
        chunk = os.read(fd, count - len(head))
        if not chunk:
            break
        head += chunk
    return head


class Source:
    """After the last `read`, `digest` is that of everything.  Leave with `close`."""

    def __init__(self, raw: io.RawIOBase, compression: str, *, hashing: bool = True) -> None:
        self.raw = io.BufferedReader(raw, CHUNK_BYTES)
        self.plain = decoder(compression, self.raw)
        self.compression = compression
        self.hash = hashlib.sha256()
        self.hashing = hashing
        self.queue: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self.room = threading.Semaphore(CHUNKS_AHEAD)
        self.stopped = False
        self.at_end = False
        self.thread = threading.Thread(target=self.fill, name="source", daemon=True)
        self.thread.start()

    @property
    def digest(self) -> Digest:
        return Digest("sha256:" + self.hash.hexdigest())

    def fill(self) -> None:
        try:
            while not self.stopped:
                chunk = self.plain.read(CHUNK_BYTES)
                if self.hashing:
                    self.hash.update(chunk)
                self.room.acquire()
                self.queue.put(chunk)
                if not chunk:
                    return
        except BaseException as e:  # noqa: BLE001 - raised again where the chunks are taken
            self.queue.put(e)
        finally:
            self.raw.close()

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        """The next bytes, as many as there are at once (`size` is only a wish); b"" at the end."""
        if self.at_end:
            return b""
        chunk = self.queue.get()
        if isinstance(chunk, BaseException):
            self.at_end = True
            raise self.translated(chunk)
        self.at_end = not chunk
        self.room.release()
        return chunk

    def translated(self, error: BaseException) -> BaseException:
        if isinstance(error, BROKEN) or (isinstance(error, OSError) and error.errno is None):
            return InvalidParameter(f"broken {self.compression or 'archive'} stream: {error}")
        return error

    def close(self) -> None:
        """Stop the thread.  One that waits for a socket ends when the other side closes it."""
        self.stopped = True
        self.room.release()
