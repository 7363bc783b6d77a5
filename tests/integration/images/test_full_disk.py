"""A disk that becomes full while an image comes: nothing of it stays, and the same pull works once there is room."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.images import layer
from tests.integration.images.rig import ApiRig
from tests.tars import entry
from tests.unit.engine.images.publisher import BASE, Published
from wharfd.testing.records import FakeRecords

pytestmark = pytest.mark.root

DISK = 96 << 20  # of which the engine leaves 64 MiB free, whatever comes


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk))
    try:
        rig = await ApiRig(disk, FakeRecords()).open()
        yield rig
        await rig.close()
    finally:
        run("umount", str(disk))


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def left(rig: ApiRig) -> list[str]:
    return rig.stored() + os.listdir(rig.content.partials.directory)


@pytest.mark.parametrize(
    ("what", "large"),
    [
        ("a blob that has no room", os.urandom(40 << 20)),
        ("a layer that has none once it is unpacked", bytes(40 << 20)),
    ],
    ids=["blob", "layer"],
)
async def test_nothing_stays_of_what_has_no_room(rig: ApiRig, what: str, large: bytes) -> None:
    published = Published(rig.registry, "large:1", BASE, layer(entry("large", large)))
    answer = await rig.ask("POST", "/images/create", fromImage="large", tag="1")
    assert "no space left on device" in answer.lines[-1]["error"], what
    assert left(rig) == []
    run("mount", "-o", f"remount,size={3 * DISK}", str(rig.folder))
    answer = await rig.ask("POST", "/images/create", fromImage="large", tag="1")
    assert answer.lines[-1]["status"] == "Status: Downloaded newer image for large:1"
    assert published.target.digest == (await rig.ask("GET", "/images/large:1/json")).json["Id"]


async def test_what_is_here_stays_when_another_has_no_room(rig: ApiRig) -> None:
    Published(rig.registry, "small:1", BASE)
    await rig.ask("POST", "/images/create", fromImage="small", tag="1")
    before = left(rig)
    Published(rig.registry, "large:1", BASE, layer(entry("large", bytes(40 << 20))))
    answer = await rig.ask("POST", "/images/create", fromImage="large", tag="1")
    assert "error" in answer.lines[-1]
    assert left(rig) == before
    assert (await rig.cases.images.get("small:1")).platform.available
