"""Layers made here and their second names, on the real driver."""

import os
from pathlib import Path

import pytest

from tests.contract.storage.rig import StorageRig
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.storage.overlay.snapshots import OverlaySnapshots
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.errors import NotFound
from wharfd.model.ids import ChainId, ContainerId, Digest
from wharfd.sys.blocking import Pool

pytestmark = pytest.mark.root

CONTAINER = ContainerId("c" * 64)
DIFF = Digest("sha256:" + "d" * 64)
CHAIN, OTHER_CHAIN = (ChainId(f"sha256:{letter * 64}") for letter in "ab")


class Snapshots:
    """A driver, and others over the same directory as after a restart."""

    def __init__(self, rig: StorageRig) -> None:
        assert isinstance(rig.layers, OverlayLayers)
        assert isinstance(rig.rootfs, OverlayRootfs)
        self.layers, self.rootfs = rig.layers, rig.rootfs
        self.store = OverlaySnapshots(self.layers.layout, self.layers, self.rootfs, self.layers.pool)

    async def reopened(self, pool: Pool, workers: WorkerPool) -> OverlayLayers:
        layers = OverlayLayers(Layout(self.layers.layout.root), pool, workers)
        await OverlayRootfs(layers.layout, layers, pool).open()
        return layers

    async def made(self, name: str, parent: ChainId | None = None) -> ChainId:
        staged = await self.store.stage(parent)
        Path(staged.upper, name).write_text(name)
        return (await self.store.keep(staged, parent, len(name))).chain_id


@pytest.fixture
def snapshots(overlay: StorageRig) -> Snapshots:
    return Snapshots(overlay)


async def again(snapshots: Snapshots) -> OverlayLayers:
    return await snapshots.reopened(snapshots.layers.pool, snapshots.layers.workers)  # type: ignore[arg-type]


async def test_a_layer_that_is_kept_carries_a_root(snapshots: Snapshots) -> None:
    lower = await snapshots.made("one")
    upper = await snapshots.made("two", lower)
    info = snapshots.layers.get(upper)
    assert info is not None
    assert (info.parent, info.diff_id, info.size_bytes) == (lower, "", 3)
    rootfs = await snapshots.rootfs.prepare(CONTAINER, [lower, upper])
    merged = await snapshots.rootfs.mount(CONTAINER, rootfs)
    assert {"one", "two"} <= set(os.listdir(merged))
    await snapshots.rootfs.remove(CONTAINER)


async def test_what_is_discarded_or_never_kept_is_gone(snapshots: Snapshots) -> None:
    discarded, forgotten = await snapshots.store.stage(None), await snapshots.store.stage(None)
    await snapshots.store.discard(discarded)
    await snapshots.store.discard(discarded)
    assert not os.path.exists(discarded.directory)
    await again(snapshots)
    assert not os.path.exists(forgotten.directory)


async def test_a_writable_layer_is_frozen_and_its_root_is_gone(snapshots: Snapshots) -> None:
    below = await snapshots.made("one")
    rootfs = await snapshots.rootfs.prepare(CONTAINER, [below])
    merged = await snapshots.rootfs.mount(CONTAINER, rootfs)
    Path(merged, "new").write_text("new")
    await snapshots.rootfs.unmount(CONTAINER, rootfs)
    info = await snapshots.store.freeze(CONTAINER, below, 3)
    assert Path(snapshots.layers.layout.diff(info.chain_id), "new").read_text() == "new"
    assert await snapshots.rootfs.leftovers() == []
    assert list(snapshots.store.ancestry(info.chain_id)) == [below]


async def test_an_alias_shows_the_same_files_after_a_restart_too(snapshots: Snapshots) -> None:
    made = await snapshots.made("one")
    info = await snapshots.store.alias(CHAIN, None, DIFF, made)
    assert info == await snapshots.store.alias(CHAIN, None, DIFF, made)
    fresh = await again(snapshots)
    assert fresh.get(CHAIN) == info
    assert os.listdir(fresh.layout.diff(CHAIN)) == ["one"]
    rootfs = await snapshots.rootfs.prepare(CONTAINER, [CHAIN])
    assert "one" in os.listdir(await snapshots.rootfs.mount(CONTAINER, rootfs))
    await snapshots.rootfs.remove(CONTAINER)


@pytest.mark.parametrize("is_reopened", [False, True])
async def test_the_files_go_with_the_last_of_several_names(snapshots: Snapshots, is_reopened: bool) -> None:
    made = await snapshots.made("one")
    await snapshots.store.alias(CHAIN, None, DIFF, made)
    await snapshots.store.alias(OTHER_CHAIN, CHAIN, DIFF, CHAIN)
    layers = await again(snapshots) if is_reopened else snapshots.layers
    await layers.remove(made)
    assert not os.path.exists(layers.layout.layer(made))
    for alias in (CHAIN, OTHER_CHAIN):
        assert os.listdir(layers.layout.diff(alias)) == ["one"]
    await layers.remove(CHAIN)
    assert os.listdir(layers.layout.diff(OTHER_CHAIN)) == ["one"]
    await layers.remove(OTHER_CHAIN)
    assert os.listdir(layers.layout.layers) == []


async def test_an_alias_of_nothing_is_refused(snapshots: Snapshots) -> None:
    with pytest.raises(NotFound):
        await snapshots.store.alias(CHAIN, None, DIFF, OTHER_CHAIN)
    with pytest.raises(NotFound):
        snapshots.store.view([CHAIN])


async def test_a_layer_that_may_be_cut_is_not_believed_after_another_boot(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = await snapshots.made("settled")
    await snapshots.store.settle()
    fresh = await snapshots.made("fresh")
    after_a_kill = await again(snapshots)
    assert {each.chain_id for each in after_a_kill.list()} == {settled, fresh}
    monkeypatch.setattr("wharfd.drivers.storage.overlay.layers.boot_id", lambda: "another")
    after_a_boot = await again(snapshots)
    assert [each.chain_id for each in after_a_boot.list()] == [settled]
