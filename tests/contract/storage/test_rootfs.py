"""The `RootfsStore` contract."""

import pytest

from tests.contract.storage.rig import CONTAINER, StorageRig
from tests.tars import directory, entry
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import ChainId

BASE = [directory("etc"), entry("etc/passwd", b"root:x:0:0::/:/bin/sh\n")]


async def test_a_root_file_system_from_beginning_to_end(storage: StorageRig) -> None:
    rootfs = await storage.rootfs.prepare(CONTAINER, await storage.stack(BASE))
    assert not await storage.rootfs.is_mounted(CONTAINER)
    merged = await storage.rootfs.mount(CONTAINER, rootfs)
    assert merged == rootfs.merged
    assert await storage.rootfs.mount(CONTAINER, rootfs) == merged
    assert await storage.rootfs.is_mounted(CONTAINER)
    assert list(await storage.rootfs.leftovers()) == [CONTAINER]
    assert await storage.rootfs.size_rw(CONTAINER) == 0
    for _ in range(2):
        await storage.rootfs.unmount(CONTAINER, rootfs)
        assert not await storage.rootfs.is_mounted(CONTAINER)
    for _ in range(2):
        await storage.rootfs.remove(CONTAINER)
        assert list(await storage.rootfs.leftovers()) == []


async def test_removing_a_mounted_one_unmounts_it(storage: StorageRig) -> None:
    rootfs = await storage.rootfs.prepare(CONTAINER, await storage.stack(BASE))
    await storage.rootfs.mount(CONTAINER, rootfs)
    await storage.rootfs.remove(CONTAINER)
    assert not await storage.rootfs.is_mounted(CONTAINER)
    assert list(await storage.rootfs.leftovers()) == []


async def test_what_is_gone_has_no_size(storage: StorageRig) -> None:
    with pytest.raises(NotFound):
        await storage.rootfs.size_rw(CONTAINER)
    await storage.rootfs.prepare(CONTAINER, await storage.stack(BASE))
    await storage.rootfs.remove(CONTAINER)
    with pytest.raises(NotFound):
        await storage.rootfs.size_rw(CONTAINER)


async def test_a_missing_layer_is_named(storage: StorageRig) -> None:
    with pytest.raises(NotFound):
        await storage.rootfs.prepare(CONTAINER, [ChainId("sha256:" + "0" * 64)])


@pytest.mark.parametrize("mounted", [True, False])
async def test_a_file_is_read_mounted_or_not(storage: StorageRig, mounted: bool) -> None:
    rootfs = await storage.rootfs.prepare(CONTAINER, await storage.stack(BASE))
    if mounted:
        await storage.rootfs.mount(CONTAINER, rootfs)
    assert await storage.rootfs.read_file(rootfs, "/etc/passwd", 1000) == b"root:x:0:0::/:/bin/sh\n"
    assert await storage.rootfs.read_file(rootfs, "/etc/group", 1000) is None
    with pytest.raises(InvalidParameter):
        await storage.rootfs.read_file(rootfs, "/etc/passwd", 5)
