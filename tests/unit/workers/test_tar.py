"""The tar reader against archives of Python's own writer, and against nonsense."""

import io
import os
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.workers.tar import Entry, TarReader

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read_all(data: bytes, size: int = 1 << 20) -> list[tuple[Entry, bytes]]:
    reader = TarReader(pieces(data, size))
    return [(entry, b"".join(bytes(piece) for piece in reader.pieces())) for entry in reader]


def archive(*members: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("size", [1, 7, 512, 1000, 1 << 20])
def test_what_pythons_writer_wrote_is_read_however_it_arrives(kind: int, size: int) -> None:
    data = archive(
        member("a/b", b"content", mode=0o4755, uid=1000, gid=50, mtime=1_700_000_000),
        member("empty"),
        member("directory", type=tarfile.DIRTYPE, mode=0o1777),
        member("x" * 90 + "/" + "y" * 80, b"z" * 513),
        member("link", type=tarfile.SYMTYPE, linkname="a/b"),
        member("hard", type=tarfile.LNKTYPE, linkname="a/b"),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("fifo", type=tarfile.FIFOTYPE),
        kind=kind,
    )
    found = read_all(data, size)
    assert [(e.name.rstrip(b"/"), chr(e.kind), content) for e, content in found] == [
        (b"a/b", "0", b"content"),
        (b"empty", "0", b""),
        (b"directory", "5", b""),
        (b"x" * 90 + b"/" + b"y" * 80, "0", b"z" * 513),
        (b"link", "2", b""),
        (b"hard", "1", b""),
        (b"null", "3", b""),
        (b"fifo", "6", b""),
    ]
    first = found[0][0]
    assert (first.mode, first.uid, first.gid, first.mtime_ns) == (0o4755, 1000, 50, 1_700_000_000 * 10**9)
    assert found[4][0].link == found[5][0].link == b"a/b"
    assert found[6][0].device == (1, 3)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_long_names_links_and_numbers(kind: int) -> None:
    name, target = "n" * 300, "t" * 300
    data = archive(
        member(name, b"1", uid=3_000_000, gid=4_000_000_000, mtime=20_000_000_000),
        member("s", type=tarfile.SYMTYPE, linkname=target),
        member("plain", b"2"),
        kind=kind,
    )
    (big, one), (link, _), (plain, two) = read_all(data)
    assert (big.name, one, big.uid, big.gid) == (name.encode(), b"1", 3_000_000, 4_000_000_000)
    assert big.mtime_ns == 20_000_000_000 * 10**9
    assert link.link == target.encode()
    assert (plain.name, two) == (b"plain", b"2")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("-1.5", -1_500_000_000),
        ("7", 7 * 10**9),
        ("0.1234567899", 123_456_789),
    ],
)
def test_pax_times_keep_their_nanoseconds(text: str, ns: int) -> None:
    info, content = member("f", b"x")
    info.pax_headers = {"mtime": text}
    assert read_all(archive((info, content)))[0][0].mtime_ns == ns


def test_pax_xattrs_and_global_headers() -> None:
    info, content = member("f", b"x")
    info.pax_headers = {"SCHILY.xattr.user.note": "hello", "SCHILY.xattr.security.capability": "raw"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "from git"}) as tar:
        info.size = 1
        tar.addfile(info, io.BytesIO(content))
    ((entry, _),) = read_all(out.getvalue())
    assert entry.xattrs == {b"user.note": b"hello", b"security.capability": b"raw"}


def test_an_archive_without_closing_blocks_is_whole() -> None:
    data = archive(member("f", b"x"))
    assert [e.name for e, _ in read_all(data[:1024])] == [b"f"]


@pytest.mark.parametrize("cut", [1, 511, 513, 600, 1023])
def test_a_cut_archive_is_refused(cut: int) -> None:
    data = archive(member("f", b"x" * 300))
    with pytest.raises(InvalidParameter, match="unexpected EOF"):
        read_all(data[:cut])


def test_a_cut_between_a_long_name_and_its_entry_is_refused() -> None:
    data = archive(member("n" * 200, b""), kind=tarfile.GNU_FORMAT)
    with pytest.raises(InvalidParameter):
        read_all(data[:1024])


def header(**over: bytes) -> bytearray:
    block = bytearray(archive(member("f", b"x" * 10), kind=tarfile.USTAR_FORMAT)[:512])
    places = {"name": 0, "size": 124, "mtime": 136, "kind": 156}
    for key, value in over.items():
        block[places[key] : places[key] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


@pytest.mark.parametrize(
    "block",
    [
        b"not a tar" * 100,
        bytes(header())[:100] + b"\x01" + bytes(header())[101:],
        bytes(header(size=b"zzzzzzzzzzz\0")),
        bytes(header(size=b"\xff" * 12)),
        bytes(header(size=b"\x80" + b"\xff" * 11)),
        bytes(header(kind=b"x", size=b"77777777777\0")),
        bytes(header(kind=b"x")) + b"999 a=b\n".ljust(512, b"\0"),
        bytes(header(kind=b"x")) + b"abcdefghij".ljust(512, b"\0"),
        bytes(header(kind=b"x", size=b"00000000006\0")) + b"6 a=bb".ljust(512, b"\0") + bytes(header()),
    ],
    ids=["text", "sum", "letters", "negative", "huge", "long-extension", "long-record", "no-record", "no-newline"],
)
def test_headers_that_are_none(block: bytes) -> None:
    with pytest.raises(InvalidParameter):
        read_all(block.ljust(2048, b"\0"))


def test_old_gnu_sparse_files() -> None:
    block = header(kind=b"S", size=b"%011o\0" % 1024)
    block[386:482] = b"".join(b"%011o\0%011o\0" % pair for pair in ((0, 512), (4096, 512), (8192, 0))) + bytes(24)
    block[483:495] = b"%011o\0" % 8192
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    ((entry, content),) = read_all(bytes(block) + b"a" * 512 + b"b" * 512 + bytes(1024))
    assert entry.pieces == [(0, 512), (4096, 512), (8192, 0)]
    assert entry.size == 8192
    assert content == b"a" * 512 + b"b" * 512


def pax_sparse(version: str) -> bytes:
    info, content = member("GNUSparseFile.1/real", b"ab")
    if version == "1.0":
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "real"}
        info.pax_headers["GNU.sparse.realsize"] = "100"
        content = b"2\n0\n1\n99\n1\n".ljust(512, b"\0") + b"ab"
    else:
        info.pax_headers = {"GNU.sparse.size": "100", "GNU.sparse.map": "0,1,99,1", "GNU.sparse.name": "real"}
    return archive((info, content))


@pytest.mark.parametrize("version", ["0.1", "1.0"])
def test_pax_sparse_files(version: str) -> None:
    ((entry, content),) = read_all(pax_sparse(version))
    assert (entry.name, entry.size, entry.pieces, content) == (b"real", 100, [(0, 1), (99, 1)], b"ab")


@pytest.mark.parametrize(
    "pieces", ["50,60", "10,1,5,1", "0,1", "0", "0,1,99,2"], ids=["beyond", "backwards", "too-few", "odd", "too-long"]
)
def test_sparse_maps_that_do_not_fit(pieces: str) -> None:
    info, content = member("f", b"ab")
    info.pax_headers = {"GNU.sparse.size": "100", "GNU.sparse.map": pieces}
    with pytest.raises(InvalidParameter):
        read_all(archive((info, content)))


@given(data=st.binary(max_size=2000), at=st.integers(0, 3000), size=st.sampled_from([1, 100, 512, 4096]))
def test_damage_is_refused_or_harmless(data: bytes, at: int, size: int) -> None:
    whole = archive(member("f" * 120, b"x" * 600, uid=5), member("l", type=tarfile.SYMTYPE, linkname="t" * 200))
    damaged = whole[:at] + data + whole[at + len(data) :]
    try:
        read_all(damaged, size)
    except InvalidParameter:
        pass


def test_content_goes_to_a_file(tmp_path: os.PathLike[str]) -> None:
    reader = TarReader(pieces(archive(member("f", b"x" * 100_000), member("g", b"y")), 3000))
    entries = iter(reader)
    next(entries)
    with open(os.path.join(tmp_path, "out"), "wb", buffering=0) as out:
        reader.copy(out.fileno())
    with open(os.path.join(tmp_path, "out"), "rb") as out:
        assert out.read() == b"x" * 100_000
    assert next(entries).name == b"g"
