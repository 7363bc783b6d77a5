"""A container's files through real worker processes, on a real overlay."""

import asyncio
import gzip
import io
import os
import stat
import tarfile
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.tars import Member, directory, entry, hard_link, symlink, tar_of
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.workers.archives import WorkerArchiver
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.container import Rootfs
from wharfd.model.errors import Internal, InvalidParameter, NotFound
from wharfd.model.files import ChangeKind, Extraction, FileView, PlacedPath
from wharfd.model.ids import ContainerId
from wharfd.sys import mountinfo
from wharfd.sys.blocking import Pool
from wharfd.wire.oci import chain_ids, digest_of

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

CONTAINER = ContainerId("c" * 64)
BASE = [
    directory("etc", mtime=1000),
    entry("etc/passwd", b"root", mtime=1000),
    entry("etc/group", b"g", mtime=1000),
    directory("usr/lib", mtime=1000),
    entry("usr/lib/a", b"a", mtime=1000),
    entry("usr/lib/b", b"b", mtime=1000),
    directory("tmp", 0o1777, mtime=1000),
    symlink("bin", "usr/bin", mtime=1000),
    symlink("run", "/tmp", mtime=1000),
]


async def chunks(data: bytes, size: int = 5000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


class Rig:
    def __init__(self, top: Path) -> None:
        self.top = top
        self.threads, self.workers = Pool("storage", 2), WorkerPool()
        self.archiver = WorkerArchiver(self.workers)
        layout = Layout(str(top / "overlay2"))
        self.layers = OverlayLayers(layout, self.threads, self.workers)
        self.store = OverlayRootfs(layout, self.layers, self.threads)
        self.rootfs: Rootfs | None = None
        (top / "secret").write_text("untouched")

    async def open(self) -> "Rig":
        await self.store.open()
        blob = self.top / "base.tar"
        blob.write_bytes(tar_of(*BASE))
        diff_id = digest_of(blob.read_bytes())
        chain = chain_ids([diff_id])
        await self.layers.unpack(chain[0], None, diff_id, str(blob), "")
        self.rootfs = await self.store.prepare(CONTAINER, chain)
        return self

    async def close(self) -> None:
        await self.layers.trash.settle()
        await self.workers.close()
        self.threads.close()

    @property
    def disk(self) -> Rootfs:
        assert self.rootfs is not None
        return self.rootfs

    def view(self, *places: PlacedPath, read_only: bool = False) -> FileView:
        return FileView(root=self.disk.merged, places=list(places), read_only=read_only)

    async def put(
        self, *members: Member, path: str = "/tmp", how: Extraction | None = None, view: FileView | None = None
    ) -> None:
        await self.put_bytes(tar_of(*members), path, how, view)

    async def put_bytes(
        self, data: bytes, path: str = "/tmp", how: Extraction | None = None, view: FileView | None = None
    ) -> None:
        async with self.store.hold(CONTAINER, self.disk):
            await self.archiver.write(view or self.view(), path.encode(), chunks(data), how or Extraction())

    async def get(self, path: str, encoding: str = "", view: FileView | None = None) -> bytes:
        async with self.store.hold(CONTAINER, self.disk):
            _, stream = await self.archiver.read(view or self.view(), path.encode(), encoding)
            return b"".join([chunk async for chunk in stream])

    async def members(self, path: str, view: FileView | None = None) -> dict[str, tarfile.TarInfo]:
        with tarfile.open(fileobj=io.BytesIO(await self.get(path, view=view))) as tar:
            return {member.name: member for member in tar}

    async def changes(self) -> list[tuple[str, ChangeKind]]:
        return [(os.fsdecode(each.path), each.kind) for each in await self.archiver.changes(self.disk)]

    def upper(self, path: str) -> Path:
        return Path(self.disk.upper) / path


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = await Rig(tmp_path).open()
    yield rig
    assert (tmp_path / "secret").read_text() == "untouched"
    assert os.lstat(tmp_path / "secret").st_nlink == 1
    assert list(mountinfo.mounts_below(str(tmp_path))) == []
    await rig.close()


# Looking and reading


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/etc", ["etc", "etc/group", "etc/hostname", "etc/hosts", "etc/mtab", "etc/passwd", "etc/resolv.conf"]),
        ("/usr/lib", ["lib", "lib/a", "lib/b"]),
        ("/usr/lib/.", [".", "./a", "./b"]),
        ("/usr/lib/", ["lib", "lib/a", "lib/b"]),
        ("/etc/passwd", ["passwd"]),
        ("/run", ["run"]),  # a link
        ("/run/.", ["."]),  # where it leads
        ("usr/../usr/lib/a", ["a"]),
    ],
)
async def test_names_in_an_archive_begin_with_the_last_element_of_the_path(
    rig: Rig, path: str, names: list[str]
) -> None:
    assert list(await rig.members(path)) == names


async def test_an_archive_says_what_the_file_system_says(rig: Rig) -> None:
    await rig.put(
        entry("f", b"content", mode=0o4751, uid=5, gid=6, mtime=1234567890, pax={"SCHILY.xattr.user.k": "v"}),
        symlink("s", "../etc"),
        hard_link("h", "f"),
        entry("p", type=tarfile.FIFOTYPE, mode=0o600),
        entry("n", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
    )
    os.mknod(rig.upper("tmp/socket"), stat.S_IFSOCK | 0o600)
    found = await rig.members("/tmp")
    assert sorted(found) == ["tmp", "tmp/f", "tmp/h", "tmp/n", "tmp/p", "tmp/s"]
    file = found["tmp/f"]
    assert (file.mode, file.uid, file.gid, file.mtime, file.size) == (0o4751, 5, 6, 1234567890, 7)
    assert file.pax_headers["SCHILY.xattr.user.k"] == "v"
    assert (found["tmp/h"].islnk(), found["tmp/h"].linkname) == (True, "tmp/f")
    assert found["tmp/s"].linkname == "../etc"
    assert (found["tmp/n"].ischr(), found["tmp/n"].devmajor, found["tmp/n"].devminor) == (True, 1, 3)
    assert found["tmp/p"].isfifo()


async def test_encodings(rig: Rig) -> None:
    plain = await rig.get("/usr")
    assert gzip.decompress(await rig.get("/usr", "gzip")) == plain
    assert zlib.decompress(await rig.get("/usr", "deflate"), wbits=-15) == plain


async def test_a_link_is_told_with_its_end_inside_the_root(rig: Rig) -> None:
    await rig.put(symlink("a", "../../../secret"), symlink("b", "a"), symlink("loop", "loop"))
    async with rig.store.hold(CONTAINER, rig.disk):
        stats = {name: await rig.archiver.stat(rig.view(), f"/tmp/{name}".encode()) for name in ("a", "b")}
        with pytest.raises(InvalidParameter, match="too many links"):
            await rig.archiver.stat(rig.view(), b"/tmp/loop")
        through = await rig.archiver.stat(rig.view(), b"/run/a")
    assert [found.link_target for found in stats.values()] == [b"/secret", b"/secret"]
    assert stat.S_ISLNK(through.mode)


@pytest.mark.parametrize("path", ["/nope", "/etc/passwd/x", "/tmp/../nope", "/bin/x"])
async def test_what_is_not_there(rig: Rig, path: str) -> None:
    with pytest.raises(NotFound):
        await rig.get(path)


@pytest.mark.parametrize("path", ["/etc/passwd/", "/etc/passwd/."])
async def test_a_directory_that_is_none(rig: Rig, path: str) -> None:
    with pytest.raises(InvalidParameter, match=rf"^lstat {path}: not a directory$"):
        await rig.get(path)


async def test_an_export_is_everything_without_what_is_mounted(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/inside").write_text("x")
    async with rig.store.hold(CONTAINER, rig.disk):
        await rig.archiver.stat(rig.view(PlacedPath(source=f"{tmp_path}/volume", destination="/data")), b"/data/inside")
        stream = await rig.archiver.export(rig.view())
        data = b"".join([chunk async for chunk in stream])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    assert {"etc", "etc/passwd", "bin", ".dockerenv", "data"} <= set(names)
    assert "data/inside" not in names
    assert names == sorted(names, key=lambda name: name.split("/"))


async def test_a_reader_that_leaves_ends_its_worker(rig: Rig) -> None:
    await rig.put(*(entry(f"f{number}", bytes(1 << 20)) for number in range(20)))
    async with rig.store.hold(CONTAINER, rig.disk):
        _, stream = await rig.archiver.read(rig.view(), b"/tmp", "")
        await stream.__anext__()
        assert len(rig.workers.busy) == 1
        await stream.aclose()
    assert not rig.workers.busy


async def test_a_worker_that_dies_breaks_the_stream(rig: Rig) -> None:
    await rig.put(*(entry(f"f{number}", bytes(1 << 20)) for number in range(20)))
    async with rig.store.hold(CONTAINER, rig.disk):
        _, stream = await rig.archiver.read(rig.view(), b"/tmp", "")
        await stream.__anext__()
        next(iter(rig.workers.busy)).process.kill()
        with pytest.raises(Internal, match="died"):
            async for _ in stream:
                pass
        await stream.aclose()


async def test_a_slow_reader_holds_the_worker_up(rig: Rig) -> None:
    """Back-pressure: what is made and not read stays below what sockets hold."""
    await rig.put(entry("big", bytes(64 << 20)))
    pid = rig.workers.idle[-1].process.pid
    at_rest = read_bytes_of(pid)
    async with rig.store.hold(CONTAINER, rig.disk):
        _, stream = await rig.archiver.read(rig.view(), b"/tmp/big", "")
        await stream.__anext__()
        before = -1
        while (now := read_bytes_of(pid)) != before:
            before = now
            await asyncio.sleep(0.2)
        assert 0 < now - at_rest < 16 << 20
        await stream.aclose()


def read_bytes_of(pid: int) -> int:
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["rchar"])


# Volumes and binds


async def test_mounts_are_seen_and_written_to_and_nothing_stays_of_them(rig: Rig, tmp_path: Path) -> None:
    volume, hosts = tmp_path / "volume", tmp_path / "hosts"
    volume.mkdir()
    (volume / "old").write_text("x")
    hosts.write_text("127.0.0.1 me")
    view = rig.view(
        PlacedPath(source=str(volume), destination="/run/data/deep"),
        PlacedPath(source=str(hosts), destination="/etc/hosts"),
        PlacedPath(source=str(tmp_path / "absent"), destination="/etc/hostname"),
    )
    await rig.put(entry("new", b"n"), path="/tmp/data/deep", view=view)
    assert (volume / "new").read_text() == "n"
    assert sorted(await rig.members("/tmp/data", view)) == ["data", "data/deep", "data/deep/new", "data/deep/old"]
    assert (await rig.members("/etc/hosts", view))["hosts"].size == 12
    assert (await rig.members("/etc/hostname", view))["hostname"].size == 0
    assert await rig.changes() == [
        ("/tmp", ChangeKind.MODIFIED),
        ("/tmp/data", ChangeKind.ADDED),
        ("/tmp/data/deep", ChangeKind.ADDED),
    ]


async def test_read_only_places(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir()
    (tmp_path / "rw").mkdir()
    view = rig.view(
        PlacedPath(source=str(tmp_path / "ro"), destination="/ro", read_only=True),
        PlacedPath(source=str(tmp_path / "rw"), destination="/rw"),
        read_only=True,
    )
    with pytest.raises(InvalidParameter, match=r"^container rootfs is marked read-only$"):
        await rig.put(entry("f"), view=view)
    with pytest.raises(InvalidParameter, match=r"^mounted volume is marked read-only$"):
        await rig.put(entry("f"), path="/ro", view=view)
    with pytest.raises(NotFound):
        await rig.put(entry("f"), path="/ro/nope", view=view)
    await rig.put(entry("f", b"1"), path="/rw", view=view)
    assert os.listdir(tmp_path / "rw") == ["f"]


# Writing


async def test_owners_modes_and_times_are_the_archives(rig: Rig) -> None:
    await rig.put(
        directory("d", 0o2710, uid=7, gid=8, mtime=1000),
        entry("d/f", b"1", uid=9, gid=10, mode=0o6755, mtime=2000),
        symlink("d/l", "f", uid=11, gid=12, mtime=3000),
        entry("implied/deep/f", b"2", uid=1),
    )
    facts = {
        name: (oct(s.st_mode & 0o7777), s.st_uid, s.st_gid, int(s.st_mtime))
        for name in ("d", "d/f", "d/l")
        for s in [os.lstat(rig.upper(f"tmp/{name}"))]
    }
    assert facts == {"d": ("0o2710", 7, 8, 1000), "d/f": ("0o6755", 9, 10, 2000), "d/l": ("0o777", 11, 12, 3000)}
    implied = os.lstat(rig.upper("tmp/implied/deep"))
    assert (oct(implied.st_mode & 0o7777), implied.st_uid) == ("0o755", 0)


async def test_all_may_belong_to_one_user(rig: Rig) -> None:
    await rig.put(directory("d", uid=7), entry("d/f", uid=9, mode=0o4755), how=Extraction(owner=(1000, 1001)))
    for name in ("d", "d/f"):
        status = os.lstat(rig.upper(f"tmp/{name}"))
        assert (status.st_uid, status.st_gid) == (1000, 1001)
    assert os.lstat(rig.upper("tmp/d/f")).st_mode & 0o7777 == 0o4755


async def test_what_is_there_gives_way(rig: Rig) -> None:
    await rig.put(directory("d"), entry("d/in", b"1"), entry("f", b"old"), symlink("l", "f"))
    await rig.put(entry("d", b"file now"), directory("f"), entry("f/in", b"2"), entry("l", b"no link now"))
    assert rig.upper("tmp/d").read_text() == "file now"
    assert rig.upper("tmp/f/in").read_text() == "2"
    assert not rig.upper("tmp/l").is_symlink()


async def test_a_directory_keeps_what_is_in_it(rig: Rig) -> None:
    await rig.put(directory("d"), entry("d/in", b"1"))
    await rig.put(directory("d", 0o700), entry("d/more", b"2"), directory(".", 0o700))
    assert sorted(os.listdir(rig.upper("tmp/d"))) == ["in", "more"]
    assert rig.upper("tmp/d").stat().st_mode & 0o777 == 0o700
    assert rig.upper("tmp").stat().st_mode & 0o7777 == 0o1777  # Docker: the target itself stays as it is


async def test_kinds_may_be_kept(rig: Rig) -> None:
    keep = Extraction(keep_kinds=True)
    await rig.put(directory("d"), entry("f", b"1"))
    for member, words in (
        (entry("d"), 'cannot overwrite directory "d" with non-directory "/tmp"'),
        (symlink("d", "x"), 'cannot overwrite directory "d" with non-directory "/tmp"'),
        (directory("f"), 'cannot overwrite non-directory "f/" with directory "/tmp"'),
    ):
        with pytest.raises(InvalidParameter, match=f"^{words}$"):
            await rig.put(member, how=keep)
    await rig.put(entry("f", b"2"), directory("d", 0o700), how=keep)
    assert rig.upper("tmp/f").read_text() == "2"


@pytest.mark.parametrize("path", ["/run", "/run/", "/run/.", "/tmp", "tmp"])
async def test_the_target_may_be_a_link_to_a_directory(rig: Rig, path: str) -> None:
    await rig.put(entry("f", b"1"), path=path)
    assert rig.upper("tmp/f").read_text() == "1"


@pytest.mark.parametrize("path", ["/etc/passwd", "/tmp/file"])
async def test_the_target_must_be_a_directory(rig: Rig, path: str) -> None:
    await rig.put(entry("file"))
    with pytest.raises(InvalidParameter, match=r"^extraction point is not a directory$"):
        await rig.put(entry("f"), path=path)


@pytest.mark.parametrize("path", ["/nope", "/bin"])  # /bin leads nowhere
async def test_the_target_must_exist(rig: Rig, path: str) -> None:
    with pytest.raises(NotFound):
        await rig.put(entry("f"), path=path)


async def test_nothing_is_an_archive_without_members(rig: Rig) -> None:
    await rig.put_bytes(b"")
    assert await rig.changes() == []


# What is hostile


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([entry("../x", b"1")], 'invalid entry name "../x"'),
        ([entry("a/../../x", b"1")], 'invalid entry name "a/../../x"'),
        ([hard_link("h", "../etc/passwd")], 'invalid hardlink target "../etc/passwd"'),
        ([hard_link("h", "nope")], 'invalid hardlink target "nope": no such file or directory'),
        ([hard_link("h", "/etc/passwd")], 'invalid hardlink target "/etc/passwd": no such file or directory'),
        ([directory("d"), hard_link("h", "d")], 'invalid hardlink target "d": it is a directory'),
        ([entry("f"), entry("f/x")], "is used as a directory and is none"),
        ([symlink("l", "l"), entry("l/x")], "too many links"),
        ([entry("n" * 300)], "file name too long"),
        ([entry("a/" * 3000 + "x")], "file name too long"),
        ([entry("s", type=b"s")], "unhandled kind"),
        ([entry("n", type=tarfile.CHRTYPE, devmajor=0, devminor=0)], "operation not permitted"),
    ],
)
async def test_what_a_hostile_archive_is_told(rig: Rig, members: Sequence[Member], words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        await rig.put(*members)
    assert words in str(refused.value)


async def test_links_and_dots_stay_in_the_root(rig: Rig, tmp_path: Path) -> None:
    await rig.put(
        symlink("up", "../../../.."),
        entry("up/one", b"1"),
        symlink("away", str(tmp_path)),
        entry("away/secret", b"evil"),
        symlink("proc", "/proc/self/root"),
        entry("proc/two", b"2"),
        entry("/three", b"3"),
        entry("./x/../four", b"4"),
    )
    assert rig.upper("one").read_text() == "1"
    assert (rig.upper(str(tmp_path)[1:]) / "secret").read_text() == "evil"
    assert rig.upper("proc/self/root/two").read_text() == "2"
    assert rig.upper("tmp/three").read_text() == "3"
    assert rig.upper("tmp/four").read_text() == "4"


async def test_a_later_link_does_not_lead_an_earlier_directory_astray(rig: Rig, tmp_path: Path) -> None:
    await rig.put(directory("d"), entry("d/x", b"1"), symlink("d", str(tmp_path)), entry("d/secret", b"evil"))
    assert (tmp_path / "secret").read_text() == "untouched"


async def test_attributes_of_overlayfs_are_not_taken(rig: Rig) -> None:
    pax = {
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.user.mine": "1",
    }
    await rig.put(directory("d", pax=pax), entry("f", pax=pax))
    for name in ("d", "f"):
        assert "user.mine" in os.listxattr(rig.upper(f"tmp/{name}"))
        assert not [each for each in os.listxattr(rig.upper(f"tmp/{name}")) if "opaque" in each]


@pytest.mark.parametrize("data", [b"garbage", b"garbage" * 200, tar_of(entry("f", b"x" * 3000))[:2000]])
async def test_broken_archives(rig: Rig, data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        await rig.put_bytes(data)


async def test_a_sparse_file_of_a_terabyte_takes_no_room(rig: Rig) -> None:
    pax = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "s",
        "GNU.sparse.realsize": str(1 << 40),
    }
    await rig.put(entry("GNUSparse/s", b"1\n0\n4\n".ljust(512, b"\0") + b"data", pax=pax))
    status = os.lstat(rig.upper("tmp/s"))
    assert status.st_size == 1 << 40
    assert status.st_blocks * 512 < 1 << 20


async def test_thousands_of_directories_do_not_use_up_descriptors(rig: Rig) -> None:
    count = 1500
    await rig.put(
        *(directory(f"d{number}") for number in range(count)), *(entry(f"d{n}/f", b"1") for n in range(count))
    )
    assert len(os.listdir(rig.upper("tmp"))) == count
    assert all(os.path.exists(rig.upper(f"tmp/d{number}/f")) for number in range(count))


# Changes


async def test_a_fresh_container_has_no_changes(rig: Rig) -> None:
    await rig.members("/etc")
    assert await rig.changes() == []
    assert await rig.archiver.pack(rig.disk, str(rig.top)) is None
    assert sorted(os.listdir(rig.top)) == ["base.tar", "overlay2", "secret"]


async def change(rig: Rig) -> None:
    async with rig.store.hold(CONTAINER, rig.disk) as root:
        top = Path(root)
        (top / "etc/group").unlink()
        (top / "etc/passwd").write_text("changed")
        (top / "new/deep").mkdir(parents=True)
        (top / "new/deep/f").write_text("n")
        for name in ("a", "b"):
            (top / f"usr/lib/{name}").unlink()
        (top / "usr/lib").rmdir()
        (top / "usr/lib").mkdir()
        (top / "usr/lib/b").write_text("another b")
        (top / "usr/lib/c").write_text("c")
        (top / "run").unlink()
        (top / "run").mkdir()


async def test_changes_are_told_by_path(rig: Rig) -> None:
    await change(rig)
    assert await rig.changes() == [
        ("/etc", ChangeKind.MODIFIED),
        ("/etc/group", ChangeKind.DELETED),
        ("/etc/passwd", ChangeKind.MODIFIED),
        ("/new", ChangeKind.ADDED),
        ("/new/deep", ChangeKind.ADDED),
        ("/new/deep/f", ChangeKind.ADDED),
        ("/run", ChangeKind.MODIFIED),
        ("/usr", ChangeKind.MODIFIED),
        ("/usr/lib", ChangeKind.MODIFIED),
        ("/usr/lib/a", ChangeKind.DELETED),
        ("/usr/lib/b", ChangeKind.MODIFIED),
        ("/usr/lib/c", ChangeKind.ADDED),
    ]


async def test_what_was_copied_up_and_is_the_same_is_no_change(rig: Rig) -> None:
    async with rig.store.hold(CONTAINER, rig.disk) as root:
        os.chmod(f"{root}/etc/passwd", 0o600)
        os.chmod(f"{root}/etc/passwd", 0o644)
    assert rig.upper("etc/passwd").exists()
    assert await rig.changes() == []


async def test_a_packed_layer_shows_the_same_root(rig: Rig, tmp_path: Path) -> None:
    await change(rig)
    spool = tmp_path / "spool"
    spool.mkdir()
    layer = await rig.archiver.pack(rig.disk, str(spool))
    assert layer is not None
    blob = spool / layer.digest.removeprefix("sha256:")
    assert (blob.stat().st_size, digest_of(blob.read_bytes())) == (layer.size, layer.digest)
    assert digest_of(gzip.decompress(blob.read_bytes())) == layer.diff_id
    chain = chain_ids([digest_of((tmp_path / "base.tar").read_bytes()), layer.diff_id])
    await rig.layers.unpack(chain[1], chain[0], layer.diff_id, str(blob), "gzip")
    other = ContainerId("d" * 64)
    copy = await rig.store.prepare(other, chain)
    async with rig.store.hold(CONTAINER, rig.disk) as one, rig.store.hold(other, copy) as two:
        assert shown(one) == shown(two)
    assert await rig.archiver.changes(copy) == []


def shown(top: str) -> list[tuple[str, int, int, bytes]]:
    found = []
    for place, directories, files in os.walk(top):
        for name in [*directories, *files]:
            path = f"{place}/{name}"
            status = os.lstat(path)
            content = Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found.append((path[len(top) :], status.st_mode, status.st_uid, content))
    return sorted(found)


async def test_a_device_in_the_upper_layer_is_packed_and_never_opened(rig: Rig, tmp_path: Path) -> None:
    """Were it opened, ENXIO would be the least: nobody drives major 511."""
    await rig.put(entry("n", type=tarfile.CHRTYPE, devmajor=511, devminor=1), entry("p", type=tarfile.FIFOTYPE))
    layer = await rig.archiver.pack(rig.disk, str(tmp_path))
    assert layer is not None
    blob = tmp_path / layer.digest.removeprefix("sha256:")
    with tarfile.open(blob) as tar:
        assert tar.getmember("tmp/n").ischr()
        assert tar.getmember("tmp/p").isfifo()
