import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.storage.rig import StorageRig
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.sys import mount, mountinfo
from wharfd.sys.blocking import Pool
from wharfd.testing.storage import FakeLayers, FakeRootfs


@pytest.fixture
async def overlay(tmp_path: Path) -> AsyncIterator[StorageRig]:
    """The real driver on a real directory.  No mount may remain."""
    pool, workers = Pool("storage", 4), WorkerPool()
    layout = Layout(str(tmp_path / "overlay2"))
    layers = OverlayLayers(layout, pool, workers)
    rootfs = OverlayRootfs(layout, layers, pool)
    await rootfs.open()
    yield StorageRig(layers, rootfs, tmp_path)
    for name in os.listdir(layout.containers):
        mount.detach(f"{layout.containers}/{name}/merged")
    await workers.close()
    pool.close()
    assert mountinfo.mounts_below(str(tmp_path)) == []


@pytest.fixture(params=[pytest.param("overlay", marks=pytest.mark.root), "fake"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> StorageRig:
    """Every implementation."""
    if request.param == "overlay":
        rig: StorageRig = request.getfixturevalue("overlay")
        return rig
    layers = FakeLayers()
    return StorageRig(layers, FakeRootfs(layers), tmp_path)
