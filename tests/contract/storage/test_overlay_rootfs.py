"""What an overlay mount shows, and what is read without one."""

import os
import shutil
import stat
import struct
from pathlib import Path

import pytest

from tests.contract.storage.rig import CONTAINER, StorageRig
from tests.tars import directory, entry, hard_link, symlink
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.model.errors import Internal, Unavailable
from wharfd.sys import mount

BASE = [directory("etc"), entry("etc/passwd", b"root:x:0:0::/:/bin/sh\n")]

pytestmark = pytest.mark.root


@pytest.mark.parametrize("is_root", [True, False])
async def test_only_a_root_has_what_the_runtime_mounts_over(overlay: StorageRig, is_root: bool) -> None:
    chain = await overlay.stack([entry("one")], [entry("two")])
    rootfs = await overlay.rootfs.prepare(CONTAINER, chain, is_root=is_root)
    shown = set(os.listdir(await overlay.rootfs.mount(CONTAINER, rootfs)))
    assert shown == {"one", "two"} | ({".dockerenv", "dev", "etc", "proc", "sys"} if is_root else set())


@pytest.mark.parametrize("mounted", [True, False])
async def test_reading_follows_links_inside_the_root_and_sees_deletions(overlay: StorageRig, mounted: bool) -> None:
    chain = await overlay.stack(
        [
            directory("usr"),
            directory("usr/lib"),
            entry("usr/lib/passwd", b"deep"),
            directory("gone"),
            entry("gone/f", b"old"),
            directory("hidden"),
            entry("hidden/f", b"old"),
            entry("deleted", b"old"),
            entry("plain", b"old"),
            directory("becomes-file"),
            entry("becomes-file/f", b"old"),
        ],
        [
            symlink("etc", "/usr/lib"),
            symlink("up", "../../../../usr/lib/passwd"),
            symlink("loop", "loop2"),
            symlink("loop2", "loop"),
            entry(".wh.gone"),
            directory("hidden"),
            entry("hidden/.wh..wh..opq"),
            entry("hidden/g", b"new"),
            entry(".wh.deleted"),
            entry("plain", b"new"),
            entry("becomes-file", b"file"),
            entry("pipe", type=b"6"),
            entry("null", type=b"3", devmajor=1, devminor=3),
            symlink("dangling", "nowhere"),
        ],
    )
    rootfs = await overlay.rootfs.prepare(CONTAINER, chain)
    if mounted:
        await overlay.rootfs.mount(CONTAINER, rootfs)
    cases = {
        "/etc/passwd": b"deep",
        "etc/../passwd": None,
        "etc/../lib/passwd": b"deep",
        "/up": b"deep",
        "/../../plain": b"new",
        "/gone/f": None,
        "/hidden/f": None,
        "/hidden/g": b"new",
        "/deleted": None,
        "/becomes-file": b"file",
        "/becomes-file/f": None,
        "/pipe": None,
        "/null": None,
        "/usr": None,
        "/": None,
        "/plain/x": None,
        "/dangling": None,
    }
    found = {path: await overlay.rootfs.read_file(rootfs, path, 100) for path in cases}
    assert found == cases
    with pytest.raises(Internal):
        await overlay.rootfs.read_file(rootfs, "/loop", 100)


async def test_a_containers_own_changes_are_read_when_it_is_not_mounted(overlay: StorageRig) -> None:
    rootfs, merged = await overlay.mounted(BASE)
    (merged / "etc/passwd").write_bytes(b"changed")
    (merged / "etc/group").write_bytes(b"new")
    await overlay.rootfs.unmount(CONTAINER, rootfs)
    assert await overlay.rootfs.read_file(rootfs, "/etc/passwd", 100) == b"changed"
    assert await overlay.rootfs.read_file(rootfs, "/etc/group", 100) == b"new"
    await overlay.rootfs.mount(CONTAINER, rootfs)
    (merged / "etc/passwd").unlink()
    await overlay.rootfs.unmount(CONTAINER, rootfs)
    assert await overlay.rootfs.read_file(rootfs, "/etc/passwd", 100) is None


async def test_what_the_mount_shows(overlay: StorageRig) -> None:
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    rootfs, merged = await overlay.mounted(
        [
            directory("./", 0o751, uid=1, gid=2),
            directory("a"),
            entry("a/kept", b"1"),
            entry("a/gone", b"2"),
            directory("b", 0o1777),
            entry("b/old", b"3"),
            entry("tool", b"elf", mode=0o755, pax={"SCHILY.xattr.user.note": "hi"}),
            hard_link("tool2", "tool"),
        ],
        [entry("a/.wh.gone"), entry("b/.wh..wh..opq"), entry("b/new", b"4")],
    )
    assert sorted(os.listdir(merged / "a")) == ["kept"]
    assert os.listdir(merged / "b") == ["new"]
    assert stat.S_IMODE((merged / "b").stat().st_mode) == 0o1777
    root = merged.stat()
    assert (stat.S_IMODE(root.st_mode), root.st_uid, root.st_gid) == (0o751, 1, 2)
    assert (merged / "tool").stat().st_ino == (merged / "tool2").stat().st_ino
    assert os.getxattr(merged / "tool", "user.note") == b"hi"
    os.setxattr(merged / "tool", "security.capability", capability)
    assert os.getxattr(merged / "tool", "security.capability") == capability
    assert "security.capability" not in os.listxattr(Path(rootfs.lower[1]) / "tool")


async def test_layers_do_not_change_and_the_writable_layer_is_measured(overlay: StorageRig) -> None:
    rootfs, merged = await overlay.mounted(BASE)
    (merged / "etc/passwd").write_bytes(b"x" * 1000)
    (merged / "new").write_bytes(b"y" * 500)
    os.link(merged / "new", merged / "again")
    os.mkfifo(merged / "pipe")
    assert await overlay.rootfs.size_rw(CONTAINER) == 1500
    assert (Path(rootfs.lower[0]) / "etc/passwd").read_bytes() == b"root:x:0:0::/:/bin/sh\n"


async def test_the_runtimes_mount_points_are_below_the_image_and_not_in_the_container(overlay: StorageRig) -> None:
    rootfs, merged = await overlay.mounted([directory("etc", 0o700), symlink("etc/resolv.conf", "../run/resolv.conf")])
    for name in (".dockerenv", "dev/console", "etc/hosts", "etc/hostname"):
        assert (merged / name).is_file()
    for name in ("proc", "sys", "dev/pts", "dev/shm"):
        assert (merged / name).is_dir()
    assert os.readlink(merged / "etc/mtab") == "/proc/mounts"
    assert os.readlink(merged / "etc/resolv.conf") == "../run/resolv.conf"
    assert stat.S_IMODE((merged / "etc").stat().st_mode) == 0o700
    assert os.listdir(rootfs.upper) == []


async def test_an_image_without_layers_can_be_mounted(overlay: StorageRig) -> None:
    _, merged = await overlay.mounted()
    (merged / "f").write_bytes(b"x")


async def test_a_hundred_and_twenty_layers(overlay: StorageRig) -> None:
    _, merged = await overlay.mounted(*([entry(f"f{number}", b"x")] for number in range(120)))
    assert len([name for name in os.listdir(merged) if name.startswith("f")]) == 120


async def test_directories_that_a_power_cut_took_are_made_again(overlay: StorageRig) -> None:
    rootfs = await overlay.rootfs.prepare(CONTAINER, await overlay.stack(BASE))
    shutil.rmtree(os.path.dirname(rootfs.upper))
    merged = await overlay.rootfs.mount(CONTAINER, rootfs)
    assert (Path(merged) / "etc/passwd").exists()


async def test_mounts_inside_go_with_the_mount(overlay: StorageRig) -> None:
    rootfs, merged = await overlay.mounted(BASE)
    mount.bind(str(merged / "etc"), str(merged / "proc"))
    await overlay.rootfs.unmount(CONTAINER, rootfs)
    assert not mount.is_mountpoint(str(merged))


async def test_a_container_without_a_record_is_found(overlay: StorageRig) -> None:
    await overlay.mounted(BASE)
    assert isinstance(overlay.rootfs, OverlayRootfs)
    layout = overlay.rootfs.layout
    os.mkdir(f"{layout.containers}/{'d' * 64}")
    assert list(await overlay.rootfs.leftovers()) == ["c" * 64, "d" * 64]


async def test_clients_are_told_what_kind_of_store_it_is(overlay: StorageRig) -> None:
    facts = overlay.rootfs.facts()
    assert facts.driver == "overlayfs"
    assert ("driver-type", "io.containerd.snapshotter.v1") in facts.status


async def test_an_overlay_below_is_refused_with_words(overlay: StorageRig) -> None:
    _, merged = await overlay.mounted(BASE)
    assert isinstance(overlay.layers, OverlayLayers)
    layout = Layout(str(merged / "data"))
    layers = OverlayLayers(layout, overlay.layers.pool, overlay.layers.workers)
    with pytest.raises(Unavailable, match="choose a --data-root on another one"):
        await OverlayRootfs(layout, layers, overlay.layers.pool).open()
