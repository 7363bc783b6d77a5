"""Makes the bytes of a tar archive: ustar headers, with a PAX header before those that ustar cannot express.

    yield header(entry); yield body; yield padding(entry.stored_size); …; yield END

The same entries give the same bytes.  Sparse files are written in the way of GNU.sparse 1.0.
"""

import base64
import zlib
from struct import Struct
from urllib.parse import quote_from_bytes

from wharfd.model.errors import InvalidParameter
from wharfd.wire.tarstream.entry import Entry, Kind
from wharfd.wire.tarstream.fields import BLOCK, XATTR, XATTR_LIBARCHIVE, format_pax, format_pax_time, octal

END = bytes(2 * BLOCK)

_pack = Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x").pack
_BLANKS = b" " * 8
_MAGIC = b"ustar\x0000"
_MAX_ID = 0o7777777
_MAX_SIZE = 0o77777777777
_SECOND = 1_000_000_000


def header(entry: Entry) -> bytes:
    """Everything that goes before the body.

    Raises:
        InvalidParameter: an empty name, or a NUL in a name.
    """
    name, link = _bytes(entry.name), _bytes(entry.link)
    if not name or 0 in name or 0 in link:
        raise InvalidParameter(f"invalid name in archive: {entry.name!r}")
    has_body = entry.kind is Kind.FILE
    size = entry.size if has_body else 0
    pax: dict[bytes, bytes] = {}
    sparse_map = b""
    if has_body and entry.sparse is not None:
        sparse_map = _sparse_map(entry.sparse)
        pax |= {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": name}
        pax[b"GNU.sparse.realsize"] = b"%d" % size
        size = entry.stored_size + len(sparse_map)
    prefix, short = _split(name) if name.isascii() else (b"", None)
    if short is None:
        pax[b"path"] = name
        prefix, short = b"", _ascii(name)[:100].rstrip(b"/") or b"_"
    if len(link) > 100 or not link.isascii():
        pax[b"linkpath"] = link
        link = _ascii(link)[:100]
    uid, gid = _limit(pax, b"uid", entry.uid, _MAX_ID), _limit(pax, b"gid", entry.gid, _MAX_ID)
    shown_size = _limit(pax, b"size", size, _MAX_SIZE)
    seconds, nanos = divmod(entry.mtime_ns, _SECOND)
    if nanos or not 0 <= seconds <= _MAX_SIZE:
        pax[b"mtime"] = format_pax_time(entry.mtime_ns)
        seconds = min(max(seconds, 0), _MAX_SIZE)
    uname, gname = _owner(pax, b"uname", entry.uname), _owner(pax, b"gname", entry.gname)
    for key, value in (entry.xattrs or {}).items():
        if "=" in key:  # PAX has no quoting; libarchive's spelling has
            pax[XATTR_LIBARCHIVE + quote_from_bytes(_bytes(key), safe="").encode()] = base64.b64encode(value)
        else:
            pax[XATTR + _bytes(key)] = value
    is_device = entry.kind in {Kind.CHARACTER, Kind.BLOCK}
    major, minor = (entry.dev_major, entry.dev_minor) if is_device else (0, 0)
    plain = _header(
        short, entry.mode, uid, gid, shown_size, seconds, entry.kind.value, link, uname, gname, major, minor, prefix
    )
    if not pax:
        return plain
    body = format_pax(pax)
    # The name of the extended header is for people only; readers take the one inside.
    extended = _header(
        b"PaxHeaders.0/" + _ascii(name.rsplit(b"/", 1)[-1])[:80],
        0o644,
        0,
        0,
        len(body),
        0,
        b"x",
        b"",
        b"",
        b"",
        0,
        0,
        b"",
    )
    return b"".join((extended, body, padding(len(body)), plain, sparse_map))


def padding(size: int) -> bytes:
    """Zeros after a body of `size` bytes up to the next block."""
    return bytes(-size % BLOCK)


def _header(
    name: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    kind: bytes,
    link: bytes,
    uname: bytes,
    gname: bytes,
    major: int,
    minor: int,
    prefix: bytes,
) -> bytes:
    block = _pack(
        name,
        octal(mode & 0o7777, 8),
        octal(uid, 8),
        octal(gid, 8),
        octal(size, 12),
        octal(mtime, 12),
        _BLANKS,
        kind,
        link,
        _MAGIC,
        uname,
        gname,
        _device(major),
        _device(minor),
        prefix,
    )
    # All bytes are ASCII, so the sum is below Adler's modulus (reader.py has the idea).
    total = (zlib.adler32(block) & 0xFFFF) - 1 if block.isascii() else sum(block)
    return b"%b%06o\0 %b" % (block[:148], total, block[156:])


def _device(value: int) -> bytes:
    # GNU base 256 beyond octal's range: PAX has no record for device numbers.
    return octal(value, 8) if value <= _MAX_ID else b"\x80" + value.to_bytes(7, "big")


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """Prefix and name for ustar; None if it does not fit."""
    if len(name) <= 100:
        return b"", name
    if len(name) > 256:
        return b"", None
    # The slash between the two is not stored; the name must not be empty.
    cut = name.find(b"/", len(name) - 101)
    if not 0 < cut <= 155 or cut == len(name) - 1:
        return b"", None
    return name[:cut], name[cut + 1 :]


def _limit(pax: dict[bytes, bytes], key: bytes, value: int, most: int) -> int:
    if 0 <= value <= most:
        return value
    pax[key] = b"%d" % value
    return 0


def _owner(pax: dict[bytes, bytes], key: bytes, value: str) -> bytes:
    name = _bytes(value)
    if len(name) <= 31 and name.isascii():
        return name
    pax[key] = name
    return b""


def _sparse_map(parts: list[tuple[int, int]]) -> bytes:
    numbers = [len(parts), *(number for part in parts for number in part)]
    data = b"".join(b"%d\n" % number for number in numbers)
    return data + padding(len(data))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ascii(name: bytes) -> bytes:
    return bytes(byte if byte < 128 else 0x5F for byte in name)
