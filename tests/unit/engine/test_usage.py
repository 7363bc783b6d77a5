"""What `docker system df` counts."""

import asyncio
from dataclasses import dataclass

from tests.images import layer
from tests.tars import entry
from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.build.usage import CacheItem
from wharfd.engine.containers.list import ListContainers
from wharfd.engine.tasks import Tasks
from wharfd.engine.usage import DiskUsage, Kind, Totals
from wharfd.model.build import CacheRecord
from wharfd.model.container import ContainerRecord, MountPoint, State
from wharfd.model.ids import ContainerId
from wharfd.model.image import ImageRecord
from wharfd.testing.builders import a_container, a_rootfs, a_volume

ALL = list(Kind)


@dataclass
class Rig:
    images: ImageRig
    usage: DiskUsage

    @classmethod
    async def up(cls) -> "Rig":
        images = await ImageRig().up()
        world, ledger = images.world, images.ledger
        listing = ListContainers(ledger=ledger, clock=world.clock, rootfs=world.rootfs, layers=world.layers)
        usage = DiskUsage(
            ledger=ledger,
            tasks=Tasks(),
            list_containers=listing,
            images=images.views,
            volumes={"local": world.volumes},
            build_cache=lambda: [
                CacheItem(CacheRecord(id="a", key="a", created_ns=1, size_bytes=5), False, False),
                CacheItem(CacheRecord(id="b", key="b", created_ns=2, size_bytes=7), True, False),
                CacheItem(CacheRecord(id="c", key="c", created_ns=3, size_bytes=9), False, True),
            ],
        )
        return cls(images, usage)

    async def container(
        self, state: State, files: dict[str, bytes], image: ImageRecord | None = None, volumes: tuple[str, ...] = ()
    ) -> ContainerRecord:
        layers = list(image.platforms[0].chain_ids) if image else []
        record = a_container(state=state, mounts=[mount(name) for name in volumes])
        if image is not None:
            record = a_container(
                state=state,
                image_id=image.id,
                mounts=[mount(name) for name in volumes],
                rootfs=a_rootfs("c" * 64, layers),
            )
        world = self.images.world
        await world.rootfs.prepare(ContainerId(record.id), [])
        world.rootfs.files[record.id] = files
        await self.images.ledger.commit(record)
        return record

    async def volume(self, name: str, files: dict[str, bytes], options: dict[str, str] | None = None) -> None:
        volume = await self.images.world.volumes.create(a_volume(name=name, options=options))
        self.images.world.volumes.content[name] = files
        await self.images.ledger.commit(volume)


def mount(name: str) -> MountPoint:
    return MountPoint(type="volume", name=name, destination=f"/{name}")


async def test_an_empty_engine_uses_nothing() -> None:
    usage = await (await Rig.up()).usage(ALL)
    assert usage.containers is not None
    assert usage.containers.totals == Totals()
    assert usage.images is not None
    assert usage.images.totals == Totals()
    assert usage.volumes is not None
    assert usage.volumes.totals == Totals()
    assert usage.build_cache is not None
    # Docker: what images have, too, counts with them.
    assert usage.build_cache.totals == Totals(count=3, active=1, total_bytes=12, reclaimable_bytes=5)


async def test_only_what_is_asked_for_is_looked_at() -> None:
    rig = await Rig.up()
    await rig.container(State.EXITED, {"/a": b"12345"})
    await rig.volume("data", {"f": b"123"})
    usage = await rig.usage([Kind.VOLUME])
    assert (usage.containers, usage.images, usage.build_cache) == (None, None, None)
    assert usage.volumes is not None
    assert usage.volumes.totals.total_bytes == 3
    assert "size_rw" not in rig.images.world.rootfs.calls


async def test_what_stopped_containers_wrote_can_be_reclaimed() -> None:
    rig = await Rig.up()
    await rig.container(State.EXITED, {"/a": b"12345"})
    await rig.container(State.CREATED, {"/a": b"1"})
    for state in (State.RUNNING, State.PAUSED, State.RESTARTING):
        await rig.container(state, {"/a": b"123"})
    usage = await rig.usage([Kind.CONTAINER])
    assert usage.containers is not None
    assert usage.containers.totals == Totals(count=5, active=3, total_bytes=15, reclaimable_bytes=6)
    assert len(usage.containers.listed.entries) == 5


async def test_layers_that_images_share_are_counted_once() -> None:
    rig = await Rig.up()
    base = layer()
    first = await rig.images.loaded("one:1", layers=[base])
    await rig.images.loaded("two:1", layers=[base, layer(entry("x", b"x" * 1000))])
    await rig.container(State.EXITED, {}, image=first)
    usage = await rig.usage([Kind.IMAGE])
    assert usage.images is not None
    totals, items = usage.images.totals, usage.images.items
    assert (totals.count, totals.active) == (2, 1)
    shared = items[0].shared_bytes
    assert shared > 0
    assert [each.shared_bytes for each in items] == [shared, shared]
    assert totals.total_bytes == sum(each.size_bytes for each in items) - shared
    assert sorted(each.containers for each in items) == [0, 1]
    unused = next(each for each in items if each.containers == 0)
    assert totals.reclaimable_bytes == unused.size_bytes - shared


async def test_volumes_that_a_container_mounts_are_in_use_even_if_it_does_not_run() -> None:
    rig = await Rig.up()
    await rig.volume("used", {"f": b"1234"})
    await rig.volume("free", {"f": b"12"})
    await rig.container(State.EXITED, {}, volumes=("used",))
    usage = await rig.usage([Kind.VOLUME])
    assert usage.volumes is not None
    assert usage.volumes.totals == Totals(count=2, active=1, total_bytes=6, reclaimable_bytes=2)
    assert {(each.record.name, each.size_bytes, each.users) for each in usage.volumes.items} == {
        ("used", 4, 1),
        ("free", 2, 0),
    }


async def test_what_lies_behind_mount_options_is_not_measured() -> None:
    rig = await Rig.up()
    await rig.volume("far", {"f": b"1234"}, {"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"})
    usage = await rig.usage([Kind.VOLUME])
    assert usage.volumes is not None
    assert [each.size_bytes for each in usage.volumes.items] == [-1]
    assert usage.volumes.totals.total_bytes == 0


async def test_calls_at_the_same_time_measure_once() -> None:
    rig = await Rig.up()
    await rig.container(State.EXITED, {"/a": b"12345"})
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(rig.usage([Kind.CONTAINER]))
    assert rig.images.world.rootfs.calls.count("size_rw") == 1


async def test_a_volume_that_goes_away_meanwhile_counts_nothing() -> None:
    rig = await Rig.up()
    await rig.volume("gone", {"f": b"12"})
    rig.images.world.volumes.content.clear()
    usage = await rig.usage([Kind.VOLUME])
    assert usage.volumes is not None
    assert usage.volumes.totals.total_bytes == 0
