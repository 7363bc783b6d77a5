"""The `VolumeDriver` contract, on every implementation; what only real directories can show is at the end."""

import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from wharfd.drivers.volumes.local.driver import LocalVolumes
from wharfd.model.errors import Internal, InvalidParameter, NotFound
from wharfd.model.ids import VolumeName
from wharfd.model.volume import VolumeRecord
from wharfd.ports.volumes import VolumeDriver
from wharfd.sys import mountinfo, xattr
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_volume
from wharfd.testing.volumes import FakeVolumes


@dataclass
class VolumeRig:
    driver: VolumeDriver
    root: Path

    def put(self, path: str, data: bytes) -> None:
        """A file in the image."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if isinstance(self.driver, FakeVolumes):
            self.driver.roots.setdefault(str(self.root), {})[path] = data

    def has(self, volume: VolumeRecord, path: str) -> bytes | None:
        if isinstance(self.driver, FakeVolumes):
            return self.driver.content[volume.name].get(path)
        file = Path(volume.mountpoint) / path
        return file.read_bytes() if file.exists() else None


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[VolumeRig]:
    pool = Pool("storage", 2)
    driver = LocalVolumes(str(tmp_path / "volumes"), pool)
    await driver.open()
    (tmp_path / "root").mkdir()
    yield VolumeRig(driver, tmp_path / "root")
    pool.close()
    assert mountinfo.mounts_below(str(tmp_path)) == []


@pytest.fixture(params=[pytest.param("local", marks=pytest.mark.root), "fake"])
def volumes(request: pytest.FixtureRequest, tmp_path: Path) -> VolumeRig:
    if request.param == "local":
        rig: VolumeRig = request.getfixturevalue("local")
        return rig
    return VolumeRig(FakeVolumes(), tmp_path)


async def test_a_volume_from_beginning_to_end(volumes: VolumeRig) -> None:
    driver = volumes.driver
    volume = await driver.create(a_volume(name=VolumeName("data")))
    assert volume.mountpoint
    assert await driver.create(volume) == volume
    assert list(await driver.leftovers()) == ["data"]
    assert await driver.mount(volume, "holder") == volume.mountpoint
    await driver.unmount(volume, "holder")
    await driver.unmount(volume, "holder")
    assert await driver.size(volume) == 0
    for _ in range(2):
        await driver.remove(volume)
        assert list(await driver.leftovers()) == []


async def test_a_removed_volume_has_no_size(volumes: VolumeRig) -> None:
    volume = await volumes.driver.create(a_volume())
    await volumes.driver.remove(volume)
    with pytest.raises(NotFound):
        await volumes.driver.size(volume)


async def test_a_name_is_free_again_and_its_volume_empty(volumes: VolumeRig) -> None:
    volumes.put("/data/file", b"old")
    volume = await volumes.driver.create(a_volume())
    await volumes.driver.copy_up(volume, str(volumes.root), "/data")
    await volumes.driver.remove(volume)
    again = await volumes.driver.create(volume)
    assert volumes.has(again, "file") is None


async def test_unknown_options_are_refused(volumes: VolumeRig) -> None:
    with pytest.raises(InvalidParameter, match="invalid option"):
        await volumes.driver.create(a_volume(options={"colour": "red"}))


async def test_an_empty_volume_is_filled_from_the_image(volumes: VolumeRig) -> None:
    volumes.put("/data/sub/file", b"content")
    volume = await volumes.driver.create(a_volume())
    await volumes.driver.copy_up(volume, str(volumes.root), "/data")
    assert volumes.has(volume, "sub/file") == b"content"
    assert await volumes.driver.size(volume) == 7


async def test_a_volume_with_content_keeps_it(volumes: VolumeRig) -> None:
    volumes.put("/first/file", b"mine")
    volumes.put("/second/other", b"image's")
    volume = await volumes.driver.create(a_volume())
    await volumes.driver.copy_up(volume, str(volumes.root), "/first")
    await volumes.driver.copy_up(volume, str(volumes.root), "/second")
    assert volumes.has(volume, "file") == b"mine"
    assert volumes.has(volume, "other") is None


async def test_nothing_at_the_place_in_the_image_is_no_error(volumes: VolumeRig) -> None:
    volume = await volumes.driver.create(a_volume())
    await volumes.driver.copy_up(volume, str(volumes.root), "/not/there")
    assert await volumes.driver.size(volume) == 0


# local only


@pytest.mark.root
async def test_the_copy_is_like_the_original(local: VolumeRig) -> None:
    source = local.root / "data"
    (source / "sub").mkdir(parents=True)
    (source / "file").write_bytes(b"x" * 3_000_000)
    os.chown(source / "file", 1000, 1001)
    os.chmod(source / "file", 0o4755)
    os.link(source / "file", source / "sub" / "link")
    os.symlink("/etc/passwd", source / "symlink")
    os.mkfifo(source / "fifo", 0o600)
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    xattr.write_all(str(source / "file"), {"user.colour": b"red"})
    os.chown(source, 5, 6)
    os.chmod(source, 0o1777)
    os.utime(source / "file", ns=(1_000_000_001, 2_000_000_002))
    volume = await local.driver.create(a_volume())
    await local.driver.copy_up(volume, str(local.root), "/data")
    copy = Path(volume.mountpoint)
    top, file = copy.stat(), (copy / "file").stat()
    assert (top.st_uid, top.st_gid, stat.S_IMODE(top.st_mode)) == (5, 6, 0o1777)
    assert (file.st_uid, file.st_gid, stat.S_IMODE(file.st_mode)) == (1000, 1001, 0o4755)
    assert (file.st_size, file.st_mtime_ns, file.st_nlink) == (3_000_000, 2_000_000_002, 2)
    assert xattr.read_all(str(copy / "file"))["user.colour"] == b"red"
    assert os.readlink(copy / "symlink") == "/etc/passwd"
    assert stat.S_ISFIFO((copy / "fifo").stat().st_mode)
    assert (copy / "null").stat().st_rdev == os.makedev(1, 3)
    assert await local.driver.size(volume) == 3_000_000 + len("/etc/passwd")


@pytest.mark.root
async def test_links_of_the_image_do_not_lead_out_of_it(local: VolumeRig, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("host's")
    os.symlink(str(secret), local.root / "data")
    volume = await local.driver.create(a_volume())
    await local.driver.copy_up(volume, str(local.root), "/data")
    assert os.listdir(volume.mountpoint) == []


@pytest.mark.root
async def test_a_volume_over_a_file_is_refused(local: VolumeRig) -> None:
    local.put("/file", b"")
    volume = await local.driver.create(a_volume())
    with pytest.raises(InvalidParameter, match="cannot mount volume over existing file, file exists /file"):
        await local.driver.copy_up(volume, str(local.root), "/file")


@pytest.mark.root
async def test_mount_options_are_carried_out_while_it_is_used(local: VolumeRig) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,noexec"}
    volume = await local.driver.create(a_volume(options=options))
    await local.driver.mount(volume, "holder")
    await local.driver.mount(volume, "holder")
    entry = mountinfo.mount_of(volume.mountpoint)
    assert entry is not None
    assert entry.mount_point == volume.mountpoint
    await local.driver.unmount(volume, "holder")
    assert mountinfo.mounts_below(volume.mountpoint)
    await local.driver.unmount(volume, "holder")
    assert mountinfo.mounts_below(volume.mountpoint) == []


@pytest.mark.root
async def test_a_mount_that_fails_says_why(local: VolumeRig) -> None:
    options = {"type": "cifs", "device": "//127.0.0.1/share", "o": "ro,username=x,password=secret"}
    volume = await local.driver.create(a_volume(options=options))
    with pytest.raises(Internal) as told:
        await local.driver.mount(volume, "holder")
    place = volume.mountpoint
    assert str(told.value).startswith(
        f"error while mounting volume '{place}': failed to mount local volume: mount //127.0.0.1/share:{place}, "
        "flags: 0x1, data: username=x,password=********: "
    )


@pytest.mark.root
async def test_a_directory_of_the_host_that_is_only_read(local: VolumeRig, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "file").write_text("there")
    options = {"type": "none", "device": str(tmp_path / "host"), "o": "bind,ro"}
    volume = await local.driver.create(a_volume(options=options))
    await local.driver.mount(volume, "holder")
    assert Path(volume.mountpoint, "file").read_text() == "there"
    with pytest.raises(OSError, match="Read-only file system"):
        Path(volume.mountpoint, "new").touch()
    await local.driver.unmount(volume, "holder")


@pytest.mark.root
async def test_an_overlay(local: VolumeRig, tmp_path: Path) -> None:
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower" / "file").write_text("lower")
    words = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
    volume = await local.driver.create(a_volume(options={"type": "overlay", "device": "overlay", "o": words}))
    await local.driver.mount(volume, "holder")
    Path(volume.mountpoint, "file").write_text("upper")
    await local.driver.unmount(volume, "holder")
    assert (tmp_path / "upper" / "file").read_text() == "upper"
    assert (tmp_path / "lower" / "file").read_text() == "lower"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"o": "ro"}, 'missing required option: "device"'),
        ({"o": "ro", "device": "/dev/x"}, 'missing required option: "type"'),
        ({"device": "/dev/x"}, 'missing required option: "type"'),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"size": "1g"}, "quota size requested but no quota support"),
    ],
)
@pytest.mark.root
async def test_options_that_do_not_go_together(local: VolumeRig, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        await local.driver.create(a_volume(options=options))
    assert list(await local.driver.leftovers()) == []


@pytest.mark.root
async def test_a_name_that_no_directory_can_have(local: VolumeRig) -> None:
    for length in (256, 5000):
        with pytest.raises(InvalidParameter, match="volume name is too long"):
            await local.driver.create(a_volume(name="x" * length))
    assert await local.driver.leftovers() == []
