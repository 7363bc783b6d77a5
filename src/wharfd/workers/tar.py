"""A tar reader for archives of strangers, made for speed: ustar, GNU (long names, sparse files, base-256 numbers) and PAX.

It pulls chunks of bytes and gives one `Entry` after another; the content of an entry is taken with `copy` or `read`, what is left of it
is skipped.  Everything that does not fit the format raises `InvalidParameter`; numbers and names are bounded, paths are not judged here.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from wharfd.model.errors import InvalidParameter

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
MAX_EXTENSION_BYTES = 1 << 20  # of one PAX header or GNU long name
MAX_SPARSE_PIECES = 1 << 20
MAX_SIZE = 1 << 62

REGULAR = frozenset(b"0\0007")
HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"123456"
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK, GNU_SPARSE = b"xgLKS"

XATTR = b"SCHILY.xattr."
# Docker: what Go says, which users know from dockerd.
INVALID_HEADER = "archive/tar: invalid tar header"
CUT = "unexpected EOF"


class EndOfStream(InvalidParameter):
    """Nothing follows where something was wanted."""


@dataclass(slots=True)
class Entry:
    """`kind` is the type flag.  `size` is that of the file; `pieces` are (offset, length) of what a sparse one really has."""

    name: bytes
    kind: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: dict[bytes, bytes] | None = None
    pieces: list[tuple[int, int]] | None = None


@dataclass(slots=True)
class Extensions:
    """What special headers say about the entry that follows them."""

    name: bytes | None = None
    link: bytes | None = None
    pax: dict[bytes, bytes] = field(default_factory=dict)


class TarReader:
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.buffer = b""
        self.at = 0
        self.left = 0  # bytes of the present entry's content that are still in the stream
        self.padding = 0

    def __iter__(self) -> Iterator[Entry]:
        extensions: Extensions | None = None
        while True:
            if self.left or self.padding:
                self.skip(self.left + self.padding)
                self.left = self.padding = 0
            try:
                block = self.take(BLOCK)
            except EndOfStream:
                if extensions is None:
                    return  # some writers leave the closing zero blocks out
                raise
            if block == ZERO_BLOCK:
                self.drain()
                return
            check(block)
            kind = block[156]
            self.start(number(block[124:136]))
            if kind in (PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK):
                if self.left > MAX_EXTENSION_BYTES:
                    raise InvalidParameter(INVALID_HEADER)
                content = self.read()
                if kind == PAX_GLOBAL:
                    continue
                extensions = extensions or Extensions()
                if kind == PAX:
                    extensions.pax = parse_pax(content)
                elif kind == GNU_NAME:
                    extensions.name = content.partition(b"\0")[0]
                else:
                    extensions.link = content.partition(b"\0")[0]
                continue
            entry = parse_header(block, kind)
            if extensions is not None or kind == GNU_SPARSE:
                self.extend(entry, block, extensions or Extensions())
                extensions = None
            elif kind not in REGULAR:
                self.bodiless(entry)
            yield entry

    def start(self, size: int) -> None:
        if not 0 <= size <= MAX_SIZE:
            raise InvalidParameter(INVALID_HEADER)
        self.left = size
        self.padding = -size % BLOCK

    def bodiless(self, entry: Entry) -> None:
        """Docker: Go reads no content for links, devices and directories, whatever their size field says."""
        entry.size = 0
        self.start(0)

    def extend(self, entry: Entry, block: bytes, extensions: Extensions) -> None:
        """Apply the special headers, and take the map of a sparse file from the stream."""
        if extensions.name is not None:
            entry.name = extensions.name
        if extensions.link is not None:
            entry.link = extensions.link
        if extensions.pax:
            apply_pax(entry, extensions.pax)
            self.start(entry.size)
        if entry.kind not in REGULAR and entry.kind != GNU_SPARSE:
            self.bodiless(entry)
            return
        pax = extensions.pax
        stored = entry.size
        if entry.kind == GNU_SPARSE:
            entry.kind = b"0"[0]
            entry.pieces = self.gnu_pieces(block)
            entry.size = number(block[483:495])
        elif pax.get(b"GNU.sparse.major") == b"1":
            entry.size = pax_number(pax.get(b"GNU.sparse.realsize", b""))
            entry.pieces = self.pax_pieces()
            stored = self.left
        elif b"GNU.sparse.map" in pax:
            values = [pax_number(each) for each in pax[b"GNU.sparse.map"].split(b",") if each]
            entry.size = pax_number(pax.get(b"GNU.sparse.size", b""))
            entry.pieces = pairs(values)
        else:
            return
        end = 0
        for offset, length in entry.pieces:
            if offset < end or length < 0 or offset + length > entry.size:
                raise InvalidParameter(INVALID_HEADER)
            end = offset + length
        if sum(length for _, length in entry.pieces) != stored:
            raise InvalidParameter(INVALID_HEADER)

    def gnu_pieces(self, block: bytes) -> list[tuple[int, int]]:
        """The old GNU map: four pieces in the header, 21 in each block that follows it."""
        raw = [block[386:482]]
        more = block[482]
        while more:
            following = self.take(BLOCK)
            raw.append(following[:504])
            more = following[504]
            if len(raw) * 21 > MAX_SPARSE_PIECES:
                raise InvalidParameter(INVALID_HEADER)
        pieces = []
        for part in raw:
            for at in range(0, len(part), 24):
                if part[at] == 0:
                    break
                pieces.append((number(part[at : at + 12]), number(part[at + 12 : at + 24])))
        return pieces

    def pax_pieces(self) -> list[tuple[int, int]]:
        """The PAX 1.0 map: decimal lines before the content, in whole blocks."""
        lines: list[bytes] = []
        rest = b""
        wanted = 1
        while len(lines) < wanted:
            if self.left < BLOCK:
                raise InvalidParameter(INVALID_HEADER)
            self.left -= BLOCK
            *complete, rest = (rest + self.take(BLOCK)).split(b"\n")
            lines += complete
            if wanted == 1 and lines:
                wanted = 1 + 2 * pax_number(lines[0])
            if wanted > 2 * MAX_SPARSE_PIECES or len(rest) > BLOCK:
                raise InvalidParameter(INVALID_HEADER)
        return pairs([pax_number(each) for each in lines[1:wanted]])

    # content

    def copy(self, fd: int) -> None:
        """Write the whole content of the present entry to a file."""
        while self.left:
            available = len(self.buffer) - self.at
            if not available:
                self.refill()
                continue
            count = min(available, self.left)
            write_all(fd, self.buffer[self.at : self.at + count] if count < 65536 else self.view(count))
            self.at += count
            self.left -= count

    def copy_piece(self, fd: int, offset: int, length: int) -> None:
        os.lseek(fd, offset, os.SEEK_SET)
        rest = self.left - length
        self.left = length
        self.copy(fd)
        self.left = rest

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The content of the present entry, in pieces of any length."""
        while self.left:
            available = len(self.buffer) - self.at
            if not available:
                self.refill()
                continue
            count = min(available, self.left)
            view = self.view(count)
            self.at += count
            self.left -= count
            yield view

    def read(self) -> bytes:
        """The content of the present entry, which must be small."""
        data = self.take(self.left)
        self.left = 0
        return data

    # the stream

    def view(self, count: int) -> memoryview:
        return memoryview(self.buffer)[self.at : self.at + count]

    def refill(self) -> None:
        self.buffer = next(self.chunks, b"")
        self.at = 0
        if not self.buffer:
            raise InvalidParameter(CUT)

    def take(self, count: int) -> bytes:
        """The next bytes.  Raises EndOfStream where the stream has ended before, InvalidParameter where it ends among them."""
        end = self.at + count
        data = self.buffer[self.at : end]
        self.at = end
        return data if len(data) == count else self.take_across(data, count)

    def take_across(self, data: bytes, count: int) -> bytes:
        while (missing := count - len(data)) > 0:
            self.buffer = next(self.chunks, b"")
            if not self.buffer:
                self.at = 0
                raise InvalidParameter(CUT) if data else EndOfStream(CUT)
            data += self.buffer[:missing]
            self.at = min(missing, len(self.buffer))
        return data

    def skip(self, count: int) -> None:
        while True:
            available = len(self.buffer) - self.at
            if count <= available:
                self.at += count
                return
            count -= available
            self.refill()

    def drain(self) -> None:
        """Read the stream to its end: its digest is that of everything."""
        for _ in self.chunks:
            pass


def check(block: bytes) -> None:
    """The header's sum: all bytes, those of the sum itself taken as spaces."""
    try:
        stored = int(block[148:156].strip(b" \0"), 8)
    except ValueError:
        raise InvalidParameter(INVALID_HEADER) from None
    # The low half of Adler-32 is 1 + the sum of the bytes modulo 65521, and is computed in C.
    expected = 1 + stored + sum(block[148:156]) - 8 * 32
    if zlib.adler32(block) & 0xFFFF != expected % 65521:
        raise InvalidParameter(INVALID_HEADER)


def parse_header(block: bytes, kind: int) -> Entry:
    end = block.find(b"\0", 0, 100)
    name = block[: end if end >= 0 else 100]
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    try:
        # The usual form, digits and a NUL.
        mode, uid, gid = int(block[100:107], 8), int(block[108:115], 8), int(block[116:123], 8)
        size, mtime = int(block[124:135], 8), int(block[136:147], 8)
    except ValueError:
        mode, uid, gid = number(block[100:108]), number(block[108:116]), number(block[116:124])
        size, mtime = number(block[124:136]), number(block[136:148])
    if kind in REGULAR:
        if name.endswith(b"/"):
            kind = DIRECTORY  # v7 archives have no type for directories
        return Entry(name, kind, mode, uid, gid, size, mtime * 1_000_000_000)
    link = block[157:257].partition(b"\0")[0]
    device = (number(block[329:337]), number(block[337:345])) if kind in (CHARACTER, BLOCK_DEVICE) else (0, 0)
    return Entry(name, kind, mode, uid, gid, size, mtime * 1_000_000_000, link, device)


def number(raw: bytes) -> int:
    """Octal digits, or (GNU) a binary number with the top bit of the first byte set."""
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big") & ((1 << (8 * len(raw) - 1)) - 1)
        return value - (1 << (8 * len(raw) - 1)) if raw[0] & 0x40 else value
    digits = raw.strip(b" \0")
    if not digits:
        return 0
    try:
        return int(digits, 8)
    except ValueError:
        raise InvalidParameter(INVALID_HEADER) from None


def parse_pax(content: bytes) -> dict[bytes, bytes]:
    """Records `length key=value\\n`, the length in decimal counting itself."""
    records = {}
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        length = pax_number(content[at:space]) if space > 0 else 0
        record = content[space + 1 : at + length]
        key, equals, value = record[:-1].partition(b"=")
        if at + length > len(content) or not record.endswith(b"\n") or not equals or not key:
            raise InvalidParameter(INVALID_HEADER)
        records[key] = value
        at += length
    return records


def apply_pax(entry: Entry, records: dict[bytes, bytes]) -> None:
    for key, value in records.items():
        match key:
            case b"path":
                entry.name = value
            case b"linkpath":
                entry.link = value
            case b"size":
                entry.size = pax_number(value)
            case b"uid":
                entry.uid = pax_number(value)
            case b"gid":
                entry.gid = pax_number(value)
            case b"mtime":
                entry.mtime_ns = pax_time(value)
            case b"GNU.sparse.name":
                entry.name = value
            case _ if key.startswith(XATTR):
                entry.xattrs = entry.xattrs or {}
                entry.xattrs[key[len(XATTR) :]] = value
    if b"GNU.sparse.name" in records:
        entry.name = records[b"GNU.sparse.name"]


def pax_number(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise InvalidParameter(INVALID_HEADER)
    return int(value)


def pax_time(value: bytes) -> int:
    """`[-]seconds[.fraction]` in nanoseconds."""
    whole, _, fraction = value.partition(b".")
    negative = whole.startswith(b"-")
    digits = whole[1:] if negative else whole
    if not digits.isdigit() or len(digits) > 19 or (fraction and not fraction.isdigit()):
        raise InvalidParameter(INVALID_HEADER)
    ns = int(digits) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    return -ns if negative else ns


def pairs(values: list[int]) -> list[tuple[int, int]]:
    if len(values) % 2:
        raise InvalidParameter(INVALID_HEADER)
    return list(zip(values[::2], values[1::2], strict=True))


def write_all(fd: int, data: bytes | memoryview) -> None:
    written = os.write(fd, data)
    if written < len(data):
        view = memoryview(data)
        while written < len(view):
            written += os.write(fd, view[written:])
