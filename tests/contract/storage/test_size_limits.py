"""Writable layers of limited size, on file systems with project quotas: xfs and ext4 where this kernel can keep them."""

import errno
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.storage.rig import CONTAINER, StorageRig, on_disk
from tests.tars import directory, entry
from tests.waiting import until
from wharfd.drivers.storage.overlay.sizes import SizeLimits
from wharfd.model.container import Rootfs
from wharfd.model.ids import ContainerId
from wharfd.sys import quota

pytestmark = pytest.mark.root

KINDS = {
    "xfs": (["mkfs.xfs", "-q"], "pquota"),
    "ext4": (["mkfs.ext4", "-q", "-O", "project,quota", "-E", "quotatype=prjquota"], "prjquota"),
}
MIB = 1 << 20


@pytest.fixture(params=KINDS)
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system that keeps projects to their limits."""
    make, option = KINDS[request.param]
    if shutil.which(make[0]) is None:
        pytest.skip(f"not installed: {make[0]}")
    image, place = tmp_path / "image", tmp_path / "place"
    with image.open("wb") as file:
        file.truncate(320 * MIB)
    place.mkdir()
    subprocess.run([*make, str(image)], check=True)
    # Read-only it is mounted by every kernel that knows the file system, so what fails after that are the quotas.
    if subprocess.run(["mount", "-o", "loop,ro", str(image), str(place)], check=False).returncode:
        assert f"\t{request.param}\n" not in Path("/proc/filesystems").read_text()
        pytest.skip(f"this kernel has no {request.param}")
    subprocess.run(["umount", str(place)], check=True)
    if subprocess.run(["mount", "-o", f"loop,{option}", str(image), str(place)], check=False).returncode:
        pytest.skip(f"this kernel has no quotas on {request.param}")
    try:
        assert quota.is_enforced(str(place))
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
async def storage(limited: Path, tmp_path: Path) -> AsyncIterator[StorageRig]:
    async with on_disk(limited / "overlay2", tmp_path) as rig:
        yield rig


async def limited_root(storage: StorageRig, container_id: ContainerId, size_bytes: int) -> tuple[Rootfs, Path]:
    layers = await storage.stack([directory("etc"), entry("etc/below", b"b" * 3 * MIB)])
    rootfs = await storage.rootfs.prepare(container_id, layers, size_bytes=size_bytes)
    return rootfs, Path(await storage.rootfs.mount(container_id, rootfs))


def fill(path: Path, size: int) -> int:
    """How much of so many bytes can be written."""
    written = 0
    with path.open("wb", buffering=0) as file:
        try:
            while written < size:
                written += file.write(bytes(min(64 << 10, size - written)))
        except OSError as e:
            if e.errno not in (errno.EDQUOT, errno.ENOSPC):
                raise
    return written


async def test_what_is_written_stays_within_the_limit(storage: StorageRig) -> None:
    assert storage.rootfs.can_limit_size()
    _, root = await limited_root(storage, CONTAINER, 10 * MIB)
    (root / "somewhere/deep").mkdir(parents=True)
    first = fill(root / "somewhere/deep/file", 6 * MIB)
    assert first == 6 * MIB
    rest = fill(root / "file", 20 * MIB)
    assert 2 * MIB < rest <= 4 * MIB
    os.unlink(root / "somewhere/deep/file")
    assert fill(root / "again", 5 * MIB) == 5 * MIB


async def test_what_is_copied_up_counts(storage: StorageRig) -> None:
    _, root = await limited_root(storage, CONTAINER, 10 * MIB)
    with (root / "etc/below").open("ab") as file:
        file.write(b"x")
    assert fill(root / "file", 20 * MIB) <= 7 * MIB


async def test_each_has_its_own_and_who_has_none_is_free(storage: StorageRig) -> None:
    other, free = ContainerId("d" * 64), ContainerId("e" * 64)
    _, first = await limited_root(storage, CONTAINER, 5 * MIB)
    _, second = await limited_root(storage, other, 20 * MIB)
    _, third = await limited_root(storage, free, 0)
    assert fill(first / "file", 30 * MIB) < 5 * MIB + 1
    assert 15 * MIB < fill(second / "file", 30 * MIB) <= 20 * MIB
    assert fill(third / "file", 30 * MIB) == 30 * MIB


async def test_a_removal_gives_the_project_back(storage: StorageRig, limited: Path) -> None:
    rootfs, root = await limited_root(storage, CONTAINER, 5 * MIB)
    fill(root / "file", 30 * MIB)
    home = os.path.dirname(rootfs.upper)
    project = quota.project_of(home)
    assert quota.limit_of(str(limited), project)[0] == 5 * MIB
    await storage.rootfs.remove(CONTAINER)
    assert not os.path.exists(home)
    # Linux: xfs takes files that are gone off the books in the background.
    await until(lambda: quota.limit_of(str(limited), project) == (0, 0))


def test_a_second_attempt_goes_on_with_the_number_of_the_first(limited: Path) -> None:
    """So none is left with a limit when the engine dies between the two."""
    sizes, home = SizeLimits(str(limited)), limited / "home"
    home.mkdir()
    quota.set_project(str(home), sizes.unused())
    project = quota.project_of(str(home))
    sizes.set(str(home), 5 * MIB)
    assert quota.project_of(str(home)) == project
    assert quota.limit_of(str(limited), project)[0] == 5 * MIB


async def test_directories_that_a_power_cut_took_are_limited_again(storage: StorageRig) -> None:
    rootfs, _ = await limited_root(storage, CONTAINER, 5 * MIB)
    await storage.rootfs.unmount(CONTAINER, rootfs)
    shutil.rmtree(os.path.dirname(rootfs.upper))
    root = Path(await storage.rootfs.mount(CONTAINER, rootfs))
    assert fill(root / "file", 30 * MIB) <= 5 * MIB


async def test_below_somebody_elses_project_containers_come_and_go(storage: StorageRig, limited: Path) -> None:
    for folder in (limited / "overlay2/containers", limited / "overlay2/trash"):
        quota.set_project(str(folder), 7)
    rootfs, root = await limited_root(storage, CONTAINER, 5 * MIB)
    assert fill(root / "file", 30 * MIB) <= 5 * MIB
    await storage.rootfs.remove(CONTAINER)
    assert not os.path.exists(os.path.dirname(rootfs.upper))


def test_a_file_system_without_them_says_so(tmp_path: Path) -> None:
    """tmpfs counts no projects of this kind."""
    assert not quota.is_enforced("/dev/shm")
    assert quota.project_of(str(tmp_path)) == 0
