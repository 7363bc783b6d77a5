"""Layers unpacked on a real file system: fidelity, overlay marks, and archives that try to leave their directory."""

import bz2
import gzip
import hashlib
import lzma
import os
import stat
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.tars import Member, directory, entry, hard_link, symlink, tar_of
from wharfd.model.archive import MissingLink, UnpackedLayer
from wharfd.model.errors import InvalidParameter
from wharfd.workers.unpack.layer import unpack_layer

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A file beside the directory that is unpacked into; it must stay as it is, and alone."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    before = sorted(os.listdir("/tmp")), sorted(p.name for p in tmp_path.iterdir())
    yield victim
    assert victim.read_text() == "untouched"
    assert victim.stat().st_nlink == 1
    assert sorted(p.name for p in tmp_path.iterdir() if p.name not in {"layer", "root"}) == before[1]


def unpack(tmp_path: Path, *members: Member, raw: bytes | None = None, compression: str = "") -> UnpackedLayer:
    blob = tmp_path / "layer"
    blob.write_bytes(raw if raw is not None else tar_of(*members))
    return unpack_layer(str(blob), compression, str(tmp_path / "root"))


def test_attributes_arrive(tmp_path: Path) -> None:
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    done = unpack(
        tmp_path,
        directory("./", 0o751, mtime=1000),
        directory("sticky", 0o1777, mtime=2000),
        directory("group", 0o2775, gid=50, mtime=3000),
        entry("group/file", b"x", mode=0o644, mtime=4000),
        entry("suid", b"elf", mode=0o4755, uid=1000, gid=1001, mtime=5000),
        entry("cap", b"elf", pax={"SCHILY.xattr.security.capability": capability.decode("latin-1")}, mode=0o755),
        entry("note", b"", pax={"SCHILY.xattr.user.note": "hello", "mtime": "1700000000.123456789"}),
        symlink("link", "/somewhere/else", uid=7, gid=8, mtime=6000),
        hard_link("hard", "suid", mode=0o4755, uid=1000, gid=1001, mtime=5000),
        entry("twice", b"x", mode=0o600, uid=1),
        hard_link("twice again", "twice", mode=0o4711, uid=2, mtime=7000),
        entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        entry("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o660, gid=6),
        entry("pipe", type=tarfile.FIFOTYPE, mode=0o622),
    )
    root = tmp_path / "root"

    def look(name: str) -> os.stat_result:
        return os.lstat(root / name)

    assert (stat.S_IMODE(look("").st_mode), look("").st_mtime) == (0o751, 1000)
    assert (stat.S_IMODE(look("sticky").st_mode), look("sticky").st_mtime) == (0o1777, 2000)
    assert (stat.S_IMODE(look("group").st_mode), look("group").st_gid, look("group").st_mtime) == (0o2775, 50, 3000)
    assert (look("group/file").st_gid, look("group/file").st_mtime) == (0, 4000)
    twice = look("twice")
    assert (stat.S_IMODE(twice.st_mode), twice.st_uid, twice.st_mtime) == (0o4711, 2, 7000)
    suid = look("suid")
    assert (stat.S_IMODE(suid.st_mode), suid.st_uid, suid.st_gid, suid.st_mtime, suid.st_nlink) == (
        0o4755,
        1000,
        1001,
        5000,
        2,
    )
    assert look("hard").st_ino == suid.st_ino
    assert look("note").st_mtime_ns == 1_700_000_000_123_456_789
    assert os.getxattr(root / "note", "user.note") == b"hello"
    assert os.readlink(root / "link") == "/somewhere/else"
    assert (look("link").st_uid, look("link").st_gid, look("link").st_mtime) == (7, 8, 6000)
    assert (stat.S_ISCHR(look("null").st_mode), look("null").st_rdev) == (True, os.makedev(1, 3))
    assert (stat.S_ISBLK(look("sda").st_mode), look("sda").st_gid) == (True, 6)
    assert (stat.S_ISFIFO(look("pipe").st_mode), stat.S_IMODE(look("pipe").st_mode)) == (True, 0o622)
    assert done.implied == []
    assert done.entries == 14
    assert done.size_bytes == 1 + 3 + 3 + 1


def test_file_capabilities_arrive(tmp_path: Path) -> None:
    raw = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    info, data = entry("cap", b"elf", mode=0o755)
    name = b"SCHILY.xattr.security.capability"
    body = name + b"=" + raw + b"\n"
    record = b"%d %s" % (len(body) + 3, body)
    assert len(record) == int(record[:2])
    extended = tarfile.TarInfo("././@PaxHeader")
    extended.type = tarfile.XHDTYPE
    extended.size = len(record)
    archive = extended.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + tar_of((info, data))
    unpack(tmp_path, raw=archive)
    assert os.getxattr(tmp_path / "root/cap", "security.capability") == raw


@pytest.mark.parametrize(
    ("compression", "pack"),
    [
        ("", bytes),
        ("gzip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:])),
        ("zstd", zstandard.compress),
        ("zstd", lambda data: zstandard.compress(data[:5000]) + zstandard.compress(data[5000:])),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
        ("xz", lambda data: lzma.compress(data[:5000]) + lzma.compress(data[5000:])),
    ],
)
def test_every_compression(tmp_path: Path, compression: str, pack: Callable[[bytes], bytes]) -> None:
    plain = tar_of(entry("f", b"content" * 3000))
    done = unpack(tmp_path, raw=pack(plain), compression=compression)
    assert done.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert (tmp_path / "root/f").read_bytes() == b"content" * 3000


def test_the_diff_id_is_that_of_everything_also_behind_the_end_of_the_archive(tmp_path: Path) -> None:
    plain = tar_of(entry("f", b"x")) + bytes(700_000)
    assert unpack(tmp_path, raw=plain).diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()


@pytest.mark.parametrize("compression", ["gzip", "zstd", "bzip2", "xz"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_broken_stream_is_refused(tmp_path: Path, compression: str, damage: str) -> None:
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
    }
    data = pack[compression](tar_of(entry("f", os.urandom(100_000))))
    match damage:
        case "cut":
            data = data[: len(data) // 2]
        case "flipped":
            data = data[:50_000] + bytes([data[50_000] ^ 0x55]) + data[50_001:]
        case _:
            data = b"something else altogether" * 10
    with pytest.raises(InvalidParameter):
        unpack(tmp_path, raw=data, compression=compression)


def is_whiteout(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return "trusted.overlay.opaque" in os.listxattr(path)


def test_whiteouts_become_what_overlayfs_knows(tmp_path: Path) -> None:
    done = unpack(
        tmp_path,
        entry("etc/.wh.gone"),
        directory("opaque"),
        entry("opaque/.wh..wh..opq"),
        entry("opaque/new", b"x"),
        entry(".wh..wh.aufs"),
        entry(".wh..wh.plnk/1", b""),
    )
    root = tmp_path / "root"
    assert is_whiteout(root / "etc/gone")
    assert is_opaque(root / "opaque")
    assert not is_opaque(root / "etc")
    assert (root / "opaque/new").read_bytes() == b"x"
    assert not (root / ".wh..wh.aufs").exists()
    assert b"etc" in done.implied
    assert b"" in done.implied


def test_marks_speak_of_lower_layers_only(tmp_path: Path) -> None:
    unpack(
        tmp_path,
        entry("kept", b"mine"),
        entry(".wh.kept"),
        directory("dir"),
        entry("dir/file", b"mine"),
        entry(".wh.dir"),
        entry(".wh.back"),
        entry("back", b"again"),
        entry(".wh.again"),
        directory("again"),
        entry(".wh.deep"),
        entry("deep/inside", b"x"),
    )
    root = tmp_path / "root"
    assert (root / "kept").read_bytes() == b"mine"
    assert (root / "dir/file").read_bytes() == b"mine"
    assert is_opaque(root / "dir")
    assert (root / "back").read_bytes() == b"again"
    assert is_opaque(root / "again")
    assert is_opaque(root / "deep")
    assert (root / "deep/inside").read_bytes() == b"x"


def test_a_later_entry_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    unpack(
        tmp_path,
        entry("f", b"first"),
        entry("f", b"second"),
        directory("d"),
        entry("d/inside", b"x"),
        entry("d", b"now a file"),
        symlink("l", "nowhere"),
        directory("l"),
        entry("l/inside", b"y"),
        hard_link("f", "f"),
    )
    root = tmp_path / "root"
    assert (root / "f").read_bytes() == b"second"
    assert (root / "d").read_bytes() == b"now a file"
    assert (root / "l").is_dir()
    assert not (root / "l").is_symlink()


def test_links_of_the_archive_are_followed_inside_it(tmp_path: Path) -> None:
    unpack(
        tmp_path,
        symlink("lib", "usr/lib"),
        directory("usr/lib"),
        entry("lib/so", b"1"),
        symlink("abs", "/usr"),
        entry("abs/lib/so2", b"2"),
        symlink("usr/up", "../../../../etc"),
        entry("usr/up/passwd", b"3"),
    )
    root = tmp_path / "root"
    assert (root / "usr/lib/so").read_bytes() == b"1"
    assert (root / "usr/lib/so2").read_bytes() == b"2"
    assert (root / "etc/passwd").read_bytes() == b"3"
    assert os.readlink(root / "lib") == "usr/lib"


def test_a_link_to_a_file_of_a_lower_layer_is_reported(tmp_path: Path) -> None:
    done = unpack(tmp_path, hard_link("a/b", "usr/bin/tool"))
    assert done.missing_links == [MissingLink(path=b"a/b", target=b"usr/bin/tool")]
    assert not (tmp_path / "root/usr").exists()


HOSTILE = {
    "parent": [entry("../victim", b"evil")],
    "parent in the middle": [entry("a/../../victim", b"evil")],
    "only parents": [entry("..", b"evil")],
    "hard link to the outside": [hard_link("h", "../victim"), entry("h", b"evil")],
    "deep": [entry("/".join("a" * 1200), b"x")],
    "long": [entry("x" * 5000, b"x")],
    "name too long": [entry("x" * 300, b"x")],
    "file as a directory": [entry("f", b"x"), entry("f/g", b"y")],
    "endless links": [symlink("a", "b"), symlink("b", "a"), entry("a/f", b"x")],
    "hard link to a directory": [directory("d"), hard_link("h", "d")],
    "root as a file": [entry("./", b"x"), entry(".", b"x")],
    "unknown kind": [entry("f", b"", type=b"M")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_are_refused(tmp_path: Path, outside: Path, members: list[Member]) -> None:
    with pytest.raises(InvalidParameter):
        unpack(tmp_path, *members)


TRICKY = {
    "symlink out": [symlink("esc", ".."), entry("esc/victim", b"evil")],
    "absolute symlink out": [symlink("esc", "/tmp"), entry("esc/victim", b"evil")],
    "symlink to a file": [symlink("esc", "../victim"), entry("esc", b"evil")],
    "symlink chain": [symlink("a", "/.."), symlink("b", "a/.."), entry("b/victim", b"evil")],
    "directory becomes a link": [directory("d"), entry("d/x", b"x"), symlink("d", ".."), entry("d/victim", b"evil")],
    "hard link to a link out": [symlink("s", "../victim"), hard_link("h", "s"), entry("h", b"evil")],
    "hard link through a link": [symlink("s", ".."), hard_link("h", "s/victim"), entry("h", b"evil")],
    "absolute and upwards": [entry("/../../victim", b"evil")],
    "absolute name": [entry("/victim", b"evil")],
    "whiteout upwards": [entry("a/.wh.../victim")],
    "whiteout of parents": [entry(".wh..."), entry(".wh..")],
    "link then directory mode": [symlink("d", ".."), directory("d", 0o777)],
    "times through a link": [directory("d", mtime=5), symlink("d", "..")],
}


@pytest.mark.parametrize("members", TRICKY.values(), ids=TRICKY.keys())
def test_tricky_archives_stay_inside(tmp_path: Path, outside: Path, members: list[Member]) -> None:
    before = os.stat(tmp_path)
    unpack(tmp_path, *members)
    assert stat.S_IMODE(os.stat(tmp_path).st_mode) == stat.S_IMODE(before.st_mode)


def test_a_layer_cannot_speak_to_overlayfs(tmp_path: Path) -> None:
    unpack(
        tmp_path,
        directory(
            "d", pax={"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.opaque": "y"}
        ),
        entry("f", b"", pax={"SCHILY.xattr.user.overlay.metacopy": "", "SCHILY.xattr.trusted.overlay.metacopy": ""}),
    )
    assert os.listxattr(tmp_path / "root/d") == []
    assert os.listxattr(tmp_path / "root/f") == []


def test_a_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        unpack(tmp_path, entry("f", b"", pax={"path": "a\0b"}))


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(tmp_path: Path) -> None:
    info, _ = entry("huge")
    info.size = 1 << 50
    with pytest.raises(OSError, match="No space left"):
        unpack(tmp_path, raw=info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))


def test_sparse_files_take_no_room(tmp_path: Path) -> None:
    info, data = entry("f", b"ab", pax={"GNU.sparse.size": str(1 << 30), "GNU.sparse.map": f"0,1,{(1 << 30) - 1},1"})
    unpack(tmp_path, (info, data))
    status = os.stat(tmp_path / "root/f")
    assert (status.st_size, status.st_blocks * 512 < 1 << 20) == (1 << 30, True)


def test_thousands_of_directories_need_few_descriptors(tmp_path: Path) -> None:
    done = unpack(tmp_path, *(entry(f"d{number}/e/f", b"x") for number in range(2000)))
    assert done.entries == 2000
    assert len(done.implied) == 4001
    assert len(os.listdir("/proc/self/fd")) < 200
