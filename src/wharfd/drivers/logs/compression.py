"""Rotated files, compressed: gzip members that any tool can read, with a note in their header of what is in them.

The note is an extra field (RFC 1952, section 2.3.1.1) with the identifier `WL`: the size before compression and the time of the last
record, eight bytes each, little-endian.  So a reader need not unpack a file to know that it holds nothing it wants.
"""

import os
import struct
from dataclasses import dataclass

from isal import igzip_lib, isal_zlib

from wharfd.drivers.logs.continuation import copy_note
from wharfd.model.errors import InvalidParameter
from wharfd.wire.crilog import parse_record, parse_time

PIECE = 1 << 20
LEVEL = 1
_ENDING = 64 * 1024  # bytes at the end in which the last record is looked for

DAMAGED: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]

_HEAD = struct.Struct("<2sBBIBB")
_EXTRA = struct.Struct("<H2sHQQ")
_TAIL = struct.Struct("<II")
_MAGIC = b"\x1f\x8b"
_DEFLATE, _HAS_EXTRA, _UNIX = 8, 4, 3
_NOTE = b"WL"


@dataclass(frozen=True, slots=True)
class Note:
    """`size_bytes` before compression; `last_ns` the time of the last record, 0 if that is not known."""

    size_bytes: int
    last_ns: int


def compress(source: str, target: str) -> None:
    """Write `target`, whole and on the disk when this returns.  Blocks.  Raises OSError."""
    with open(source, "rb") as plain:
        size = os.fstat(plain.fileno()).st_size
        plain.seek(max(0, size - _ENDING))
        note = Note(size, last_time(plain.read(_ENDING)))
        plain.seek(0)
        # Never seen half: another file is made, and renamed by the caller.
        with open(target, "wb", opener=private) as packed:
            packed.write(header(note))
            checksum, compressor = 0, isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
            left = size
            while left and (piece := plain.read(min(PIECE, left))):
                checksum = isal_zlib.crc32(piece, checksum)
                packed.write(compressor.compress(piece))
                left -= len(piece)
            packed.write(compressor.flush())
            packed.write(_TAIL.pack(checksum, (size - left) & 0xFFFFFFFF))
            copy_note(plain.fileno(), packed.fileno())
            packed.flush()
            os.fsync(packed.fileno())


def private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o640)


def header(note: Note) -> bytes:
    extra = _EXTRA.pack(_EXTRA.size - 2, _NOTE, 16, note.size_bytes, note.last_ns)
    return _HEAD.pack(_MAGIC, _DEFLATE, _HAS_EXTRA, 0, 0, _UNIX) + extra


def read_note(fd: int) -> Note:
    """Of an open compressed file.  One without a note (made by another program) is believed its size modulo 4 GiB."""
    head = os.pread(fd, _HEAD.size + _EXTRA.size, 0)
    if len(head) == _HEAD.size + _EXTRA.size and head[:2] == _MAGIC and head[3] & _HAS_EXTRA:
        _, name, length, size, last_ns = _EXTRA.unpack_from(head, _HEAD.size)
        if name == _NOTE and length == 16:
            return Note(size, last_ns)
    tail = os.pread(fd, 4, max(0, os.fstat(fd).st_size - 4))
    return Note(int.from_bytes(tail, "little") if len(tail) == 4 else 0, 0)


def expand(fd: int, folder: str) -> int:
    """A descriptor of an unnamed file with what is in the compressed one.  Blocks.

    Of a damaged file what comes before the damage.  Raises OSError.
    """
    plain = os.open(folder or ".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        unpacker = isal_zlib.decompressobj(16 + isal_zlib.MAX_WBITS)
        at = 0
        while not unpacker.eof:
            piece: bytes = unpacker.unconsumed_tail or os.pread(fd, PIECE, at)
            if not unpacker.unconsumed_tail:
                at += len(piece)
            try:
                data = unpacker.decompress(piece, PIECE)
            except DAMAGED:
                break
            if not piece and not data:
                break
            while data:
                data = data[os.write(plain, data) :]
    except BaseException:
        os.close(plain)
        raise
    return plain


def last_time(window: bytes) -> int:
    """Of the last record that ends in the window; 0 if there is none."""
    stop = window.rfind(b"\n")
    while stop > 0:
        start = window.rfind(b"\n", 0, stop) + 1
        record = parse_record(window[start:stop])
        if record is not None:
            try:
                return parse_time(record.time)
            except InvalidParameter:
                pass
        stop = start - 1
    return 0
