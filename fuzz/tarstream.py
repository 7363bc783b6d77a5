"""Archives of any bytes: members or InvalidParameter, the same for any way of reading; what was understood can be written again."""

import io

from wharfd.model.errors import InvalidParameter
from wharfd.wire.tarstream import END, Entry, Kind, TarReader, clean_parts, header, padding

_FILE = (
    header(Entry(name="some/file", size=5, mtime_ns=1_700_000_000_123_456_789, xattrs={"user.a": b"\0b"}))
    + b"hello"
    + padding(5)
)
_SPARSE = header(Entry(name="sparse", size=1 << 33, sparse=[(0, 3), (4096, 2)])) + b"abcde" + padding(5)
SEEDS = [
    _FILE
    + header(Entry(name="d/", kind=Kind.DIRECTORY))
    + header(Entry(name="l", kind=Kind.SYMLINK, link="t" * 150))
    + END,
    _SPARSE + header(Entry(name="c", kind=Kind.CHARACTER, dev_major=1, dev_minor=3)) + END,
    header(Entry(name="n" * 300, uid=1 << 30)) + _FILE,
]


def _read(data: bytes, step: int) -> list[tuple[Entry, bytes]] | None:
    stream = io.BytesIO(data)
    reader = TarReader(lambda size: stream.read(min(size, step)))
    out = []
    try:
        for entry in reader:
            body = b"".join(iter(reader.read_body, b""))
            assert len(body) == entry.stored_size or entry.kind is Kind.DIRECTORY
            out.append((entry, body))
    except InvalidParameter:
        return None
    return out


def _with_right_sums(data: bytes) -> bytes:
    """The same blocks, with the sums put right, so that mutations get past the first check."""
    out = bytearray(data)
    for at in range(0, len(out) - 511, 512):
        if out[at + 257 : at + 262] == b"ustar":
            out[at + 148 : at + 156] = b" " * 8
            out[at + 148 : at + 155] = b"%06o\0" % sum(out[at : at + 512])
    return bytes(out)


def fuzz_one(data: bytes) -> None:
    for archive in (data, _with_right_sums(data)):
        members = _read(archive, 1 << 20)
        assert members == _read(archive, 700)
        for entry, body in members or ():
            try:
                clean_parts(entry.name)
            except InvalidParameter:
                continue
            if entry.kind is Kind.FILE and not entry.name.endswith("/"):
                assert _read(header(entry) + body + padding(len(body)), 1 << 20) == [(entry, body)]
