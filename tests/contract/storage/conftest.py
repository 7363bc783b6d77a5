from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.storage.rig import StorageRig, on_disk
from wharfd.sys import mountinfo
from wharfd.testing.storage import FakeLayers, FakeRootfs


@pytest.fixture
async def overlay(tmp_path: Path) -> AsyncIterator[StorageRig]:
    """The real driver on a real directory.  No mount may remain."""
    async with on_disk(tmp_path / "overlay2", tmp_path) as rig:
        yield rig
    assert mountinfo.mounts_below(str(tmp_path)) == []


@pytest.fixture(params=[pytest.param("overlay", marks=pytest.mark.root), "fake"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> StorageRig:
    """Every implementation."""
    if request.param == "overlay":
        rig: StorageRig = request.getfixturevalue("overlay")
        return rig
    layers = FakeLayers()
    return StorageRig(layers, FakeRootfs(layers), tmp_path)
