"""The `HeldRootfs` contract: mounted as long as somebody needs it, by whomever."""

from typing import cast

import pytest

from tests.contract.storage.rig import CONTAINER, StorageRig
from tests.tars import directory, entry
from wharfd.model.container import Rootfs
from wharfd.ports.storage import HeldRootfs

BASE = [directory("etc"), entry("etc/passwd", b"root")]


async def prepared(storage: StorageRig) -> tuple[HeldRootfs, Rootfs]:
    rootfs = await storage.rootfs.prepare(CONTAINER, await storage.stack(BASE))
    return cast("HeldRootfs", storage.rootfs), rootfs


async def test_mounted_while_it_is_held(storage: StorageRig) -> None:
    held, rootfs = await prepared(storage)
    async with held.hold(CONTAINER, rootfs) as root, held.hold(CONTAINER, rootfs):
        assert root == rootfs.merged
        assert await storage.rootfs.is_mounted(CONTAINER)
    assert not await storage.rootfs.is_mounted(CONTAINER)


async def test_the_container_may_start_meanwhile(storage: StorageRig) -> None:
    held, rootfs = await prepared(storage)
    async with held.hold(CONTAINER, rootfs):
        await storage.rootfs.mount(CONTAINER, rootfs)
    assert await storage.rootfs.is_mounted(CONTAINER)
    await storage.rootfs.unmount(CONTAINER, rootfs)
    assert not await storage.rootfs.is_mounted(CONTAINER)


async def test_the_container_may_end_meanwhile(storage: StorageRig) -> None:
    held, rootfs = await prepared(storage)
    await storage.rootfs.mount(CONTAINER, rootfs)
    async with held.hold(CONTAINER, rootfs):
        await storage.rootfs.unmount(CONTAINER, rootfs)
        assert await storage.rootfs.is_mounted(CONTAINER)
    assert not await storage.rootfs.is_mounted(CONTAINER)


async def test_what_ran_before_stays_mounted(storage: StorageRig) -> None:
    held, rootfs = await prepared(storage)
    await storage.rootfs.mount(CONTAINER, rootfs)
    async with held.hold(CONTAINER, rootfs):
        pass
    assert await storage.rootfs.is_mounted(CONTAINER)
    await storage.rootfs.unmount(CONTAINER, rootfs)


async def test_a_removal_does_not_wait(storage: StorageRig) -> None:
    held, rootfs = await prepared(storage)
    async with held.hold(CONTAINER, rootfs):
        await storage.rootfs.remove(CONTAINER)
        assert not await storage.rootfs.is_mounted(CONTAINER)
    assert list(await storage.rootfs.leftovers()) == []


async def test_a_failure_inside_lets_go(storage: StorageRig) -> None:
    held, rootfs = await prepared(storage)
    with pytest.raises(RuntimeError):
        async with held.hold(CONTAINER, rootfs):
            raise RuntimeError
    assert not await storage.rootfs.is_mounted(CONTAINER)
