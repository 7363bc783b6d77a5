"""A limit to the room of images: who goes, who stays, and what is told of it."""

import asyncio

import pytest

from tests.images import layer
from tests.tars import entry
from tests.unit.engine.images.rig import ImageRig
from wharfd.engine.happenings import container_event
from wharfd.engine.images.budget import GRACE_NS, REASON, ImageBudget
from wharfd.engine.images.sizes import images_usage, total_size
from wharfd.model.image import ImageRecord
from wharfd.ports.records import Deletion

GRACE_S = GRACE_NS / 1e9
NAMES = ("one:1", "two:1", "three:1")


async def three(rig: ImageRig) -> list[ImageRecord]:
    """Of the same size, the first the oldest, all long ago."""
    found = []
    for name in NAMES:
        found.append(await rig.loaded(name, layers=[layer(entry(name[:3], b"x" * 10_000))]))
        rig.world.clock.advance(GRACE_S)
    rig.events()
    return found


def budget(rig: ImageRig, limit: int) -> ImageBudget:
    return ImageBudget(
        ledger=rig.ledger,
        locks=rig.locks,
        clock=rig.world.clock,
        garbage=rig.garbage,
        leases=rig.leases,
        delete=rig.delete,
        limit_bytes=limit,
    )


def left(rig: ImageRig) -> set[str]:
    return {name.rpartition("/")[2] for record in rig.ledger.images.values() for name in record.tags}


async def test_what_was_used_longest_ago_goes_until_the_rest_fits(caplog: pytest.LogCaptureFixture) -> None:
    rig = await ImageRig().up()
    first, *_ = await three(rig)
    with caplog.at_level("INFO"):
        assert await budget(rig, total_size(first) * 2).enforce()
    assert left(rig) == {"two:1", "three:1"}
    reasons = [(event.action, event.attributes["reason"]) for event in rig.heard.queue]
    assert reasons == [("untag", REASON), ("delete", REASON)]
    assert f"image={first.id} names=one:1 removed reason=image-budget" in caplog.text
    assert not any(blob in rig.world.content.blobs for blob in (first.id, first.platforms[0].config_digest))


async def test_within_the_limit_nothing_goes() -> None:
    rig = await ImageRig().up()
    await three(rig)
    assert await budget(rig, images_usage(rig.ledger).total_bytes).enforce()
    assert left(rig) == set(NAMES)
    assert rig.events() == []


async def test_what_is_used_stays() -> None:
    """By a container, by somebody who works with it, by the builder, and what was used a moment ago."""
    rig = await ImageRig().up()
    first, second, third = await three(rig)
    await rig.container(first)
    lease = rig.leases.open()
    await lease.hold(second.id)
    kept = set(third.platforms[0].chain_ids)
    rig.garbage.keepers.append(lambda key: key in kept)
    await rig.loaded("new:1", layers=[layer(entry("new"))])
    assert not await budget(rig, 1).enforce()
    assert left(rig) == {*NAMES, "new:1"}
    kept.clear()
    lease.release()
    rig.world.clock.advance(GRACE_S)
    assert not await budget(rig, 1).enforce()
    assert left(rig) == {"one:1"}


async def test_a_container_made_of_an_image_is_a_use_of_it() -> None:
    rig = await ImageRig().up()
    first, _, third = await three(rig)
    work = budget(rig, total_size(first) * 2)
    container = await rig.container(first)
    await work.note_use(container.id)
    assert (await rig.reborn()).ledger.images[first.id].used_ns > third.used_ns


async def test_a_use_outlives_the_container() -> None:
    rig = await ImageRig().up()
    first, *_ = await three(rig)
    work = budget(rig, total_size(first) * 2)
    container = await rig.container(first)
    await work.note_use(container.id)
    rig.world.clock.advance(GRACE_S)
    await rig.ledger.commit(Deletion(kind="container", id=container.id))
    assert await work.enforce()
    assert left(rig) == {"one:1", "three:1"}


async def test_it_follows_what_happens() -> None:
    rig = await ImageRig().up()
    first, _, third = await three(rig)
    task = asyncio.get_running_loop().create_task(budget(rig, total_size(first) * 3).follow())
    try:
        await settled()
        assert left(rig) == set(NAMES)
        container = await rig.container(first)
        await rig.ledger.commit(events=[container_event(container, "start", rig.world.clock.now_ns())])
        await settled()
        assert rig.ledger.images[first.id].used_ns > third.used_ns
        await rig.loaded("four:1", layers=[layer(entry("fou", b"x" * 10_000))])
        await settled()
        assert left(rig) == {"one:1", "three:1", "four:1"}
    finally:
        task.cancel()


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)
