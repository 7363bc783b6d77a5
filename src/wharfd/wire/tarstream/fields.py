"""The fields of tar headers: numbers in octal and base 256, names, times, PAX records."""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from wharfd.model.errors import InvalidParameter

BLOCK = 512
MAX_SPECIAL = 1 << 20  # bytes of a PAX header or a long name, as Go's reader has it
ZERO_BLOCK = bytes(BLOCK)

_SECOND = 1_000_000_000
_MAX_INT64 = (1 << 63) - 1
_PAX_TIME = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?")
_PAX_NUMBER = re.compile(rb"-?[0-9]{1,19}")

XATTR = b"SCHILY.xattr."
XATTR_LIBARCHIVE = b"LIBARCHIVE.xattr."


def bad_header(why: str = "") -> InvalidParameter:
    return InvalidParameter(f"archive/tar: invalid tar header{': ' if why else ''}{why}")


def truncated() -> InvalidParameter:
    return InvalidParameter("unexpected EOF")


@lru_cache(maxsize=4096)
def number(field: bytes) -> int:
    """Octal text, or GNU's base 256 where the first bit is set (two's complement)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = len(field) * 8 - 1
        value -= 1 << bits  # the marking bit
        if field[0] & 0x40:
            value -= 1 << bits
        if not -_MAX_INT64 <= value <= _MAX_INT64:
            raise bad_header("number out of range")
        return value
    text = field.strip(b" \0")
    if not text:
        return 0
    if not text.isdigit():
        text = text.partition(b"\0")[0].rstrip(b" ")
        if not text.isdigit():
            raise bad_header("number")
    try:
        return int(text, 8)
    except ValueError:
        raise bad_header("number") from None


def octal(value: int, size: int) -> bytes:
    """`size` bytes: octal and a NUL."""
    return b"%0*o\0" % (size - 1, value)


def text(field: bytes) -> str:
    """A NUL-terminated name."""
    end = field.find(0)
    return (field if end < 0 else field[:end]).decode("utf-8", "surrogateescape")


cached_text = lru_cache(maxsize=256)(text)  # of users and groups, which are few


def pax_time(value: bytes) -> int:
    match = _PAX_TIME.fullmatch(value)
    if match is None:
        raise bad_header("time")
    nanos = int((match[3] or b"").ljust(9, b"0")[:9])
    total = int(match[2]) * _SECOND + nanos
    return -total if match[1] else total


def format_pax_time(at_ns: int) -> bytes:
    sign = b"-" if at_ns < 0 else b""
    seconds, nanos = divmod(abs(at_ns), _SECOND)
    return sign + (b"%d.%09d" % (seconds, nanos)).rstrip(b"0").rstrip(b".") if nanos else sign + b"%d" % seconds


def pax_number(value: bytes) -> int:
    if not _PAX_NUMBER.fullmatch(value):
        raise bad_header("number")
    return int(value)


def parse_pax(body: bytes) -> tuple[dict[bytes, bytes], list[tuple[int, int]]]:
    """The records of an extended header, and the map of a sparse file in the way of GNU.sparse 0.0 (repeated keys), if any."""
    records: dict[bytes, bytes] = {}
    sparse: list[int] = []
    at, end = 0, len(body)
    while at < end:
        blank = body.find(b" ", at, at + 8)
        digits = body[at:blank] if blank > at else b""
        if not digits.isdigit():
            raise bad_header("PAX record")
        stop = at + int(digits)
        if stop > end or stop <= blank + 1 or body[stop - 1] != 0x0A:
            raise bad_header("PAX record")
        key, equals, value = body[blank + 1 : stop - 1].partition(b"=")
        if not equals or not key or 0 in key or (0 in value and not key.startswith(XATTR)):
            raise bad_header("PAX record")
        if key in {b"GNU.sparse.offset", b"GNU.sparse.numbytes"}:
            if (len(sparse) % 2 == 0) != (key == b"GNU.sparse.offset"):
                raise bad_header("sparse map")
            sparse.append(pax_number(value))
        records[key] = value
        at = stop
    if len(sparse) % 2:
        raise bad_header("sparse map")
    return records, list(zip(sparse[::2], sparse[1::2], strict=True))


def format_pax(records: Mapping[bytes, bytes]) -> bytes:
    """Records in the order of their keys, each with its own length in front."""
    out = []
    for key in sorted(records):
        rest = b" %b=%b\n" % (key, records[key])
        size = len(rest)
        size += len(b"%d" % size)
        if len(b"%d" % size) + len(rest) != size:  # one digit more made one digit more
            size += 1
        out.append(b"%d%b" % (size, rest))
    return b"".join(out)


def pax_xattrs(records: Mapping[bytes, bytes]) -> dict[str, bytes] | None:
    """Extended attributes in either spelling: as they are, or name percent-encoded and value in base 64."""
    out: dict[str, bytes] = {}
    for key, value in records.items():
        if key.startswith(XATTR):
            out[key[len(XATTR) :].decode("utf-8", "surrogateescape")] = value
        elif key.startswith(XATTR_LIBARCHIVE):
            name = unquote_to_bytes(key[len(XATTR_LIBARCHIVE) :]).decode("utf-8", "surrogateescape")
            try:
                out.setdefault(name, base64.b64decode(value + b"=" * (-len(value) % 4), validate=True))
            except binascii.Error:
                raise bad_header("extended attribute") from None
    if any(not name or "\0" in name for name in out):
        raise bad_header("extended attribute")
    return out or None
