"""Tar archives: samples made by GNU tar, Python's tarfile as a second opinion, round trips, and what must be refused.

The samples in tests/golden/tar hold the same few members in every dialect that GNU tar writes.
"""

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.tarstream import END, Entry, Kind, TarReader, clean_parts, header, padding
from wharfd.wire.tarstream.fields import format_pax, number, parse_pax

GOLDEN = Path(__file__).parents[3] / "golden" / "tar"


def source(data: bytes, step: int = 1 << 30) -> TarReader:
    stream = io.BytesIO(data)
    return TarReader(lambda size: stream.read(min(size, step)))


def body(reader: TarReader) -> bytes:
    return b"".join(iter(reader.read_body, b""))


def read_all(data: bytes, step: int = 1 << 30) -> list[tuple[Entry, bytes]]:
    reader = source(data, step)
    return [(entry, body(reader)) for entry in reader]


def pack(*members: tuple[Entry, bytes]) -> bytes:
    def pieces() -> Iterator[bytes]:
        for entry, content in members:
            yield from (header(entry), content, padding(len(content)))
        yield END

    return b"".join(pieces())


def golden(name: str) -> bytes:
    return gzip.decompress((GOLDEN / f"{name}.tar.gz").read_bytes())


@pytest.mark.parametrize("dialect", ["gnu", "pax"])
def test_members_as_gnu_tar_writes_them(dialect: str) -> None:
    members = {entry.name: (entry, content) for entry, content in read_all(golden(f"members-{dialect}"))}
    short = "dir-" + "n" * 90
    long = "d/" + "l" * 120 + "/" + "f" * 120
    assert list(members) == [short, "d/", "d/" + "l" * 120 + "/", long, "longlink", "hard", "ünïcode", "fifo", "null"]
    assert members[long][1] == b"long"
    assert members[short][0].mtime_ns == 1_700_000_000_000_000_000
    assert members["d/"][0].kind is Kind.DIRECTORY
    assert (members["longlink"][0].kind, members["longlink"][0].link) == (Kind.SYMLINK, "t" * 150)
    assert (members["hard"][0].kind, members["hard"][0].link, members["hard"][0].size) == (Kind.HARD_LINK, short, 0)
    assert members["fifo"][0].kind is Kind.FIFO
    null = members["null"][0]
    assert (null.kind, null.dev_major, null.dev_minor) == (Kind.CHARACTER, 1, 3)
    unicode = members["ünïcode"][0]
    assert unicode.uname == "root"
    if dialect == "pax":
        assert unicode.xattrs == {"user.note": b"\0\xffbin"}
        assert unicode.mtime_ns == 1_700_000_000_500_000_000


def test_members_of_old_dialects() -> None:
    v7 = read_all(golden("members-v7"))
    assert [(e.name, e.kind, content) for e, content in v7] == [
        ("v7/", Kind.DIRECTORY, b""),
        ("v7/a", Kind.FILE, b"x"),
        ("v7/b", Kind.SYMLINK, b""),
    ]
    ustar = read_all(golden("members-ustar"))
    assert ustar[-1][0].name == f"u/{'p' * 90}/{'q' * 50}/{'f' * 80}"  # through the prefix field
    assert ustar[-1][1] == b"x"


@pytest.mark.parametrize("dialect", ["oldgnu", "pax-0.0", "pax-0.1", "pax-1.0"])
@pytest.mark.parametrize("step", [1 << 30, 333])
def test_sparse_files(dialect: str, step: int) -> None:
    reader = source(golden(f"sparse-{dialect}"), step)
    files = {}
    for entry in reader:
        content = bytearray(entry.size)
        assert entry.sparse is not None
        assert entry.stored_size < entry.size
        for offset, data in reader.segments(entry):
            content[offset : offset + len(data)] = data
        files[entry.name] = (entry, bytes(content))
    assert list(files) == ["sparse.bin", "holes.bin"]
    sparse = files["sparse.bin"][1]
    assert len(sparse) == 5 << 20
    assert sparse[1 << 20 :].startswith(b"middle" * 100)
    assert sparse[3 << 20 :].startswith(b"end")
    assert sparse.count(0) == len(sparse) - 603
    entry, holes = files["holes.bin"]
    assert all(holes[n * 65536 :].startswith(b"%04d" % n) for n in range(60))
    assert (entry.uid, entry.gid) == (3_000_000_000, 2_999_999_999)  # beyond octal's range


names = st.text(
    st.one_of(st.characters(codec="utf-8", exclude_characters="\0"), st.sampled_from("/ab\udcff")),
    min_size=1,
    max_size=300,
).filter(lambda s: not s.endswith("/"))
ids = st.one_of(st.integers(0, 70_000), st.integers(0, (1 << 32) - 2))
entries = st.builds(
    Entry,
    name=names,
    kind=st.just(Kind.FILE),
    mode=st.integers(0, 0o7777),
    uid=ids,
    gid=ids,
    mtime_ns=st.one_of(st.integers(-(10**20), 10**20), st.integers(0, 2**33).map(lambda s: s * 10**9)).map(
        lambda n: max(min(n, (1 << 63) - 1), -(1 << 63) + 1)
    ),
    uname=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    gname=st.sampled_from(["", "root", "g" * 33]),
    xattrs=st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["user.a", "user.=x", "security.capability", "user.é"]), st.binary(max_size=40), min_size=1
        ),
    ),
)


@given(st.lists(st.tuples(entries, st.binary(max_size=1500)), max_size=4), st.integers(1, 2000))
def test_what_is_written_is_read_back(members: list[tuple[Entry, bytes]], step: int) -> None:
    for entry, content in members:
        entry.size = len(content)
    assert read_all(pack(*members), step) == members


@given(entries)
def test_tarfile_reads_it_too(entry: Entry) -> None:
    entry.size = 3
    entry.mtime_ns = entry.mtime_ns % 2**61 // 10**9 * 10**9
    with tarfile.open(fileobj=io.BytesIO(pack((entry, b"abc")))) as archive:
        (member,) = archive.getmembers()
        extracted = archive.extractfile(member)
        assert extracted is not None
        assert extracted.read() == b"abc"
        assert (member.uid, member.gid, member.mode, member.mtime) == (
            entry.uid,
            entry.gid,
            entry.mode,
            entry.mtime_ns // 10**9,
        )
        if "\udcff" not in entry.name:
            assert member.name == entry.name


@given(names, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.binary(max_size=600))
def test_reads_what_tarfile_writes(name: str, dialect: int, content: bytes) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=dialect) as archive:
        member = tarfile.TarInfo(name.lstrip("/") or "x")
        member.size, member.mtime, member.uid = len(content), 1_700_000_000.25, 1 << 22
        archive.addfile(member, io.BytesIO(content))
    ((entry, found),) = read_all(stream.getvalue(), 1000)
    assert (entry.name, found, entry.uid) == (member.name, content, 1 << 22)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(name="d/", kind=Kind.DIRECTORY, mode=0o1777),
        Entry(name="d" * 254 + "/", kind=Kind.DIRECTORY),
        Entry(name="l", kind=Kind.SYMLINK, link="t" * 101, mode=0o777),
        Entry(name="h", kind=Kind.HARD_LINK, link="ü"),
        Entry(name="c", kind=Kind.CHARACTER, dev_major=5, dev_minor=1),
        Entry(name="b", kind=Kind.BLOCK, dev_major=4095, dev_minor=(1 << 32) - 1),
        Entry(name="f", kind=Kind.FIFO),
    ],
)
def test_other_kinds_round_trip(entry: Entry) -> None:
    assert read_all(pack((entry, b""))) == [(entry, b"")]


def test_sparse_round_trip() -> None:
    entry = Entry(name="s", size=1 << 40, sparse=[(0, 10), (5000, 20), (1 << 39, 5)])
    ((read, content),) = read_all(pack((entry, b"x" * 35)))
    assert (read, content) == (entry, b"x" * 35)


def test_bodies_that_are_not_read_are_skipped() -> None:
    data = pack((Entry(name="a", size=1000), bytes(1000)), (Entry(name="b", size=3), b"abc"))
    reader = source(data)
    assert [entry.name for entry in reader] == ["a", "b"]
    reader = source(data)
    next(reader)
    assert reader.read_body(10) == bytes(10)
    assert reader.body_left == 990
    assert next(reader).name == "b"
    assert body(reader) == b"abc"


def test_an_archive_may_end_without_zero_blocks() -> None:
    data = pack((Entry(name="a", size=1), b"x"))
    assert read_all(data[: -len(END)]) == read_all(data)
    assert read_all(data[: -len(END) // 2]) == read_all(data)
    assert read_all(b"") == []
    assert read_all(data + bytes(512 * 10_000)) == read_all(data)


@pytest.mark.parametrize("cut", [1, 511, 513, 1025])
def test_a_truncated_archive_is_an_error(cut: int) -> None:
    data = pack((Entry(name="a", size=1000), bytes(1000)))[: 512 + 1024]
    with pytest.raises(InvalidParameter, match="unexpected EOF"):
        read_all(data[:-cut])


def raw_header(**fields: bytes) -> bytes:
    """A header with fields replaced and the sum put right."""
    places = {
        "name": 0,
        "mode": 100,
        "uid": 108,
        "size": 124,
        "mtime": 136,
        "kind": 156,
        "link": 157,
        "magic": 257,
        "more": 386,
    }
    block = bytearray(header(Entry(name="x")))
    for name, value in fields.items():
        block[places[name] : places[name] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "data",
    [
        header(Entry(name="x"))[:-1] + b"x",  # checksum
        raw_header(size=b"0000000009\0\0"),
        raw_header(size=b"+0000000001\0"),
        raw_header(size=b"0_000000001\0"),
        raw_header(size=b"\xff" * 12),
        raw_header(size=b"\x80" + b"\x7f" * 11),
        raw_header(uid=b"\xff" * 8),
        raw_header(kind=b"M"),
        raw_header(kind=b"?"),
        raw_header(name=bytes(100)),
        raw_header(kind=b"2"),
        raw_header(kind=b"x", size=b"77777777777\0"),
        raw_header(kind=b"L", size=b"00004000001\0"),
        raw_header(kind=b"S", more=b"00000000000\x0000000001000\x00" + bytes(73) + b"00000000001\0"),
        raw_header(kind=b"x", size=b"00000000005\0") + b"5 a=\n".ljust(512, b"\0"),  # nothing follows
        bytes(512) + raw_header(),
        b"not a tar at all, but long enough for one block. ".ljust(1024, b"x"),
    ],
)
def test_broken_headers_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        read_all(data)


@pytest.mark.parametrize(
    "records",
    [
        b"x",
        b"5 a=\nx",
        b"6 a=b",
        b"0 a=b\n",
        b"-6 a=b\n",
        b"99 a=b\n",
        b"6 =ab\n",
        b"6 abc\n",
        b"9 path=\0\n",
        b"12 size=a1\n\n",
    ],
)
def test_broken_pax_records_are_refused(records: bytes) -> None:
    block = raw_header(kind=b"x", size=b"%011o\0" % len(records)) + records.ljust(512, b"\0") + raw_header()
    with pytest.raises(InvalidParameter):
        read_all(block)


@pytest.mark.parametrize(
    "records",
    [
        {b"GNU.sparse.map": b"0,1,0,1", b"GNU.sparse.size": b"10"},  # overlap
        {b"GNU.sparse.map": b"0,1,9,2", b"GNU.sparse.size": b"10"},  # beyond the end
        {b"GNU.sparse.map": b"0,1,9", b"GNU.sparse.size": b"10"},
        {b"GNU.sparse.map": b"0,-1", b"GNU.sparse.size": b"10"},
        {b"GNU.sparse.map": b"0,2", b"GNU.sparse.size": b"10"},  # more than the body
        {b"GNU.sparse.map": b"0,0"},
        {b"GNU.sparse.major": b"2", b"GNU.sparse.realsize": b"1"},
        {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"1"},
    ],
)
def test_broken_sparse_maps_are_refused(records: dict[bytes, bytes]) -> None:
    pax = format_pax(records)
    data = raw_header(kind=b"x", size=b"%011o\0" % len(pax)) + pax.ljust(512, b"\0") + raw_header() + END
    with pytest.raises(InvalidParameter):
        read_all(data)


def test_an_empty_pax_value_leaves_the_header_as_it_is() -> None:
    pax = format_pax({b"path": b"", b"uid": b""})
    data = raw_header(kind=b"x", size=b"%011o\0" % len(pax)) + pax.ljust(512, b"\0") + raw_header() + END
    assert read_all(data)[0][0].name == "x"


def test_libarchive_attributes() -> None:
    pax = format_pax({b"LIBARCHIVE.xattr.user.%3Dx": b"AQI", b"SCHILY.xattr.user.y": b"z"})
    data = raw_header(kind=b"x", size=b"%011o\0" % len(pax)) + pax.ljust(512, b"\0") + raw_header() + END
    assert read_all(data)[0][0].xattrs == {"user.=x": b"\1\2", "user.y": b"z"}


def test_signed_checksums_of_old_programs() -> None:
    block = bytearray(header(Entry(name="\udce9\udce9")))[-512:]
    block[148:156] = b" " * 8
    signed = sum(byte - 256 if byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % signed
    block[0:2] = b"\xe9\xe9"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in block)
    assert read_all(bytes(block) + END)[0][0].name == "\udce9\udce9"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"\0" * 8, 0),
        (b"\x80\0\0\0\0\0\1\0", 256),
        (b"\xff" * 8, -1),
        (b"\xff" * 7 + b"\xfe", -2),
    ],
)
def test_numbers(field: bytes, value: int) -> None:
    assert number(field) == value


@given(
    st.dictionaries(
        st.sampled_from([b"a", b"path", b"SCHILY.xattr.user.x", b"k" * 95]),
        st.binary(max_size=1200).filter(lambda v: 0 not in v),
    )
)
def test_pax_records_round_trip(records: dict[bytes, bytes]) -> None:
    assert parse_pax(format_pax(records)) == (records, [])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b", ["a", "b"]),
        ("./a//b/", ["a", "b"]),
        ("/etc/passwd", ["etc", "passwd"]),
        ("a/../b", ["b"]),
        ("/../x", ["x"]),
        ("./", []),
    ],
)
def test_clean_parts(name: str, parts: list[str]) -> None:
    assert clean_parts(name) == parts


@pytest.mark.parametrize("name", ["..", "../x", "a/../../x", "./.."])
def test_names_that_leave_the_root(name: str) -> None:
    with pytest.raises(InvalidParameter, match="outside of the root"):
        clean_parts(name)


@pytest.mark.parametrize("entry", [Entry(name=""), Entry(name="a\0b"), Entry(name="l", kind=Kind.SYMLINK, link="\0")])
def test_names_that_cannot_be_written(entry: Entry) -> None:
    with pytest.raises(InvalidParameter):
        header(entry)


def test_drain_reads_to_the_end() -> None:
    stream = io.BytesIO(pack((Entry(name="a"), b"")) + bytes(1 << 20))
    reader = TarReader(stream.read)
    list(reader)
    reader.drain()
    assert stream.read() == b""
