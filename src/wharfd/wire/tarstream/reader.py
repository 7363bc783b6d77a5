"""Reads a tar archive from any source of bytes, member by member, without ever seeking.

    reader = TarReader(source.read)         # read(n) gives up to n bytes, b"" at the end
    for entry in reader:
        while data := reader.read_body():
            ...

Understood: V7, ustar, star's prefix, GNU (long names, base-256 numbers, sparse files), PAX (with SCHILY and LIBARCHIVE extended
attributes, sparse 0.0, 0.1, 1.0).  Global PAX headers are skipped, as dockerd does.  A member of a kind that nobody unpacks
(multi-volume parts, unknown letters) is an error.  An archive may end with zero blocks or just end between two members.

All errors are `InvalidParameter`; what `read` raises passes through.
"""

import zlib
from collections.abc import Callable, Iterator
from struct import Struct

from wharfd.wire.tarstream import fields, sparse
from wharfd.wire.tarstream.entry import Entry, Kind
from wharfd.wire.tarstream.fields import (
    BLOCK,
    MAX_SPECIAL,
    ZERO_BLOCK,
    bad_header,
    cached_text,
    number,
    text,
    truncated,
)

READ_SIZE = 256 * 1024

# name mode uid gid size mtime checksum kind link magic uname gname major minor prefix
_unpack = Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x").unpack_from
_KINDS = {kind.value: kind for kind in Kind} | {
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.FILE,
    b"D": Kind.DIRECTORY,
}
_SPARSE_KEYS = frozenset({b"GNU.sparse.major", b"GNU.sparse.map", b"GNU.sparse.numblocks"})
_SKIPPED = frozenset({b"g", b"V", b"X"})
_MAX_SIZE = (1 << 63) - 1
_MAX_ID = (1 << 32) - 2  # the last number means "leave it" to chown
_MAX_DEVICE = (1 << 32) - 1
_SECOND = 1_000_000_000


class TarReader:
    """Iterate for entries; between two of them, take the body with `read_body`.  What is not taken is skipped."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._buffer = b""
        self._at = 0
        self._body_left = 0
        self._padding = 0
        self._done = False

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        if self._body_left or self._padding:
            self.skip_body()
        entry = None if self._done else self._next()
        if entry is None:
            self._done = True
            raise StopIteration
        return entry

    @property
    def body_left(self) -> int:
        """Bytes of the present body that have not been read."""
        return self._body_left

    def read_body(self, limit: int = READ_SIZE) -> bytes:
        """The next bytes of the present member's body, at most `limit`; b"" at its end.  Holes of sparse files are not in it."""
        left = self._body_left
        if not left:
            return b""
        have = len(self._buffer) - self._at
        if have <= 0:
            self._fill()
            have = len(self._buffer)
        size = min(left, have, limit)
        data = self._buffer[self._at : self._at + size]
        self._at += size
        self._body_left = left - size
        return data

    def segments(self, entry: Entry) -> Iterator[tuple[int, bytes]]:
        """The body as (offset in the file, bytes), also for sparse files."""
        for offset, length in [(0, entry.size)] if entry.sparse is None else entry.sparse:
            at, end = offset, offset + length
            while at < end:
                data = self.read_body(min(end - at, READ_SIZE))
                yield at, data
                at += len(data)

    def skip_body(self) -> None:
        self._skip(self._body_left + self._padding)
        self._body_left = self._padding = 0

    def drain(self) -> None:
        """Read the source to its end, so that a digest over it sees everything."""
        self._buffer, self._at = b"", 0
        while self._read(READ_SIZE):
            pass

    # --- bytes

    def _fill(self) -> None:
        """New bytes in the buffer; what was in it is used up."""
        data = self._read(READ_SIZE)
        if not data:
            raise truncated()
        self._buffer, self._at = data, 0

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        at = self._at
        data = self._buffer[at : at + size]
        self._at = at + len(data)
        if len(data) == size:
            return data
        parts = [data]
        missing = size - len(data)
        while missing:
            self._fill()
            parts.append(self._buffer[:missing])
            self._at = len(parts[-1])
            missing -= self._at
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size > len(self._buffer) - self._at:
            size -= len(self._buffer) - self._at
            self._fill()
        self._at += size

    def _header(self) -> bytes | None:
        """The next header block; None at the end of the archive."""
        block = self._block_or_end()
        if block != ZERO_BLOCK:
            return block
        if self._block_or_end() not in {None, ZERO_BLOCK}:
            raise bad_header("data after a zero block")
        return None

    def _block_or_end(self) -> bytes | None:
        """A block; None if the source ends here, as archives without closing blocks do."""
        if self._at >= len(self._buffer):
            data = self._read(READ_SIZE)
            if not data:
                return None
            self._buffer, self._at = data, 0
        return self._take(BLOCK)

    def _special(self, size: int) -> bytes:
        """The body of a header that describes the next one."""
        if size > MAX_SPECIAL:
            raise bad_header("extended header too large")
        data = self._take(size)
        self._skip(-size % BLOCK)
        return data

    # --- headers

    def _next(self) -> Entry | None:
        pax: dict[bytes, bytes] = {}
        pax_map: sparse.SparseMap = []
        long_name = long_link = None
        while True:
            block = self._header()
            if block is None:
                if pax or long_name is not None or long_link is not None:
                    raise truncated()
                return None
            values = _unpack(block)
            _check_sum(block, values[6])
            kind = values[7]
            size = number(values[4])
            if not 0 <= size <= _MAX_SIZE:
                raise bad_header("size")
            if kind == b"x":
                pax, pax_map = fields.parse_pax(self._special(size))
            elif kind == b"L":
                long_name = text(self._special(size))
            elif kind == b"K":
                long_link = text(self._special(size))
            elif kind in _SKIPPED:
                self._skip(size + -size % BLOCK)
            else:
                break
        entry = _plain(block, values, size)
        if long_name is not None:
            entry.name = long_name
        if long_link is not None:
            entry.link = long_link
        if pax:
            _apply_pax(entry, pax)
        if kind in {b"\0", b"0"} and entry.name.endswith("/"):
            entry.kind = Kind.DIRECTORY  # V7
        stored = entry.size if entry.kind is Kind.FILE or kind == b"D" else 0
        if entry.kind is not Kind.FILE:
            entry.size = 0
        self._body_left, self._padding = stored, -stored % BLOCK
        if kind == b"S":
            self._read_old_sparse(entry, block)
        elif entry.kind is Kind.FILE and not _SPARSE_KEYS.isdisjoint(pax):
            self._read_pax_sparse(entry, pax, pax_map)
        _validate(entry)
        return entry

    def _read_old_sparse(self, entry: Entry, header: bytes) -> None:
        entries = sparse.old_entries(header, sparse.OLD_HEADER_AT, sparse.OLD_HEADER_ENTRIES)
        more = sparse.old_header_continues(header)
        while more:
            block = self._take(BLOCK)
            entries += sparse.old_entries(block, 0, sparse.OLD_BLOCK_ENTRIES)
            if len(entries) > MAX_SPECIAL:
                raise bad_header("sparse map too large")
            more = sparse.old_block_continues(block)
        entry.size = number(header[sparse.OLD_SIZE_AT : sparse.OLD_SIZE_AT + 12])
        entry.sparse = sparse.check(entries, entry.size, self._body_left)

    def _read_pax_sparse(self, entry: Entry, pax: dict[bytes, bytes], entries: sparse.SparseMap) -> None:
        version = (pax.get(b"GNU.sparse.major", b"0"), pax.get(b"GNU.sparse.minor", b"0"))
        if version == (b"1", b"0"):
            reading = sparse.BodyMap()
            found = None
            while found is None:
                if self._body_left < BLOCK:
                    raise bad_header("sparse map")
                self._body_left -= BLOCK
                found = reading.feed(self._take(BLOCK))
            entries = found
        elif version[0] != b"0":
            raise bad_header("sparse version")
        elif not entries:
            entries = sparse.from_list(pax.get(b"GNU.sparse.map", b""))
        real = pax.get(b"GNU.sparse.realsize", pax.get(b"GNU.sparse.size"))
        if real is None:
            raise bad_header("sparse size")
        entry.size = fields.pax_number(real)
        if b"GNU.sparse.name" in pax:
            entry.name = text(pax[b"GNU.sparse.name"])
        entry.sparse = sparse.check(entries, entry.size, self._body_left)


def _check_sum(block: bytes, field: bytes) -> None:
    """The sum of all bytes with the field itself as blanks; Adler's low half is that sum modulo 65521, 40 times as fast."""
    want = number(field)
    if (want - 8 * 0x20 + sum(field) + 1) % 65521 == zlib.adler32(block) & 0xFFFF:
        return
    signed = sum(block) - 256 * sum(byte > 127 for byte in block)  # as some old programs count
    if want != signed + 8 * 0x20 - sum(field) + 256 * sum(byte > 127 for byte in field):
        raise bad_header("checksum")


def _plain(block: bytes, values: tuple[bytes, ...], size: int) -> Entry:
    name, mode, uid, gid, _, mtime, _, kind, link, magic, uname, gname, major, minor, prefix = values
    known = _KINDS.get(kind)
    if known is None:
        raise bad_header(f"unhandled kind {kind!r}")
    entry = Entry(
        name=text(name),
        kind=known,
        mode=number(mode) & 0o7777,
        uid=number(uid),
        gid=number(gid),
        size=size,
        mtime_ns=number(mtime) * _SECOND,
        link=text(link) if known is Kind.SYMLINK or known is Kind.HARD_LINK else "",
    )
    if magic[:5] == b"ustar":
        entry.uname, entry.gname = cached_text(uname), cached_text(gname)
        if known is Kind.CHARACTER or known is Kind.BLOCK:
            entry.dev_major, entry.dev_minor = number(major), number(minor)
        if magic[5:6] == b"\0" and prefix[0]:
            head = prefix[:131] if block[508:512] == b"tar\0" else prefix
            entry.name = f"{text(head)}/{entry.name}"
    return entry


def _apply_pax(entry: Entry, pax: dict[bytes, bytes]) -> None:
    """An empty value leaves what the header says."""
    for key, value in pax.items():
        if not value:
            continue
        match key:
            case b"mtime":
                entry.mtime_ns = fields.pax_time(value)
            case b"path":
                entry.name = value.decode("utf-8", "surrogateescape")
            case b"linkpath":
                entry.link = value.decode("utf-8", "surrogateescape")
            case b"size":
                entry.size = fields.pax_number(value)
            case b"uid":
                entry.uid = fields.pax_number(value)
            case b"gid":
                entry.gid = fields.pax_number(value)
            case b"uname":
                entry.uname = value.decode("utf-8", "surrogateescape")
            case b"gname":
                entry.gname = value.decode("utf-8", "surrogateescape")
    entry.xattrs = fields.pax_xattrs(pax)


def _validate(entry: Entry) -> None:
    if not entry.name:
        raise bad_header("empty name")
    if not (0 <= entry.size <= _MAX_SIZE and 0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
        raise bad_header("number out of range")
    if not (0 <= entry.dev_major <= _MAX_DEVICE and 0 <= entry.dev_minor <= _MAX_DEVICE):
        raise bad_header("device number out of range")
    if (entry.kind is Kind.SYMLINK or entry.kind is Kind.HARD_LINK) and not entry.link:
        raise bad_header("link without a target")
    if not -_MAX_SIZE <= entry.mtime_ns <= _MAX_SIZE:
        entry.mtime_ns = _MAX_SIZE if entry.mtime_ns > 0 else -_MAX_SIZE  # what utimensat can take
