"""Measurements that serve for a while."""

import pytest

from wharfd.engine.volumes.sizes import VolumeSizes
from wharfd.model.errors import NotFound


class Disk:
    """Each measurement takes `takes_s` and finds one byte more."""

    def __init__(self, takes_s: float) -> None:
        self.now_s = 100.0
        self.takes_s = takes_s
        self.size = 0

    async def measure(self) -> int:
        self.now_s += self.takes_s
        self.size += 1
        return self.size


async def test_a_long_measurement_serves_longer() -> None:
    disk = Disk(2.0)
    sizes = VolumeSizes(lambda: disk.now_s)
    assert await sizes.of("data", 1, disk.measure) == 1
    disk.now_s += 39.0
    assert await sizes.of("data", 1, disk.measure) == 1
    disk.now_s += 1.5
    assert await sizes.of("data", 1, disk.measure) == 2


async def test_what_takes_no_time_is_always_measured() -> None:
    disk = Disk(0.0)
    sizes = VolumeSizes(lambda: disk.now_s)
    assert [await sizes.of("data", 1, disk.measure) for _ in range(3)] == [1, 2, 3]


async def test_another_volume_of_the_same_name() -> None:
    disk = Disk(2.0)
    sizes = VolumeSizes(lambda: disk.now_s)
    assert await sizes.of("data", 1, disk.measure) == 1
    assert await sizes.of("data", 2, disk.measure) == 2


async def test_failures_are_not_kept_and_old_ones_are_forgotten() -> None:
    disk = Disk(2.0)
    sizes = VolumeSizes(lambda: disk.now_s)

    async def gone() -> int:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        await sizes.of("data", 1, gone)
    assert await sizes.of("data", 1, disk.measure) == 1
    disk.now_s += 1000.0
    sizes.forget()
    assert sizes.known == {}
