"""The engine dies before and after every port call of a pull; the next one has the image whole or not at all, and pulls it."""

import asyncio
import copy

import pytest

from tests.images import layer
from tests.tars import entry
from tests.unit.engine.images.publisher import BASE, Published
from tests.unit.engine.images.rig import ImageRig
from tests.unit.engine.mortality import Mortal
from wharfd.testing.faults import Fault, faulty
from wharfd.testing.world import World
from wharfd.wire.reference import parse_normalised

NAME = "alpine:latest"
SECOND = layer(entry("second", b"2" * 100_000))
PORTS = ("records", "content", "layers", "registry")


async def die(world: World, fault: Fault | None = None) -> list[Fault]:
    """A pull by an engine that dies there.  Returns where else it could have died before."""
    mortal = Mortal()
    dying = copy.copy(world)
    for port in PORTS:
        setattr(dying, port, faulty(port, getattr(world, port), mortal))
    rig = await ImageRig(dying).up()
    mortal.arm(fault)
    work = asyncio.create_task(rig.pull_image(parse_normalised(NAME), lambda _: None))
    death = asyncio.create_task(mortal.death.wait())
    await asyncio.wait([work, death], return_when=asyncio.FIRST_COMPLETED)
    assert mortal.is_dead is (fault is not None)
    mortal.is_dead = True
    for each in (work, death):
        each.cancel()
    await asyncio.gather(work, death, return_exceptions=True)
    return list(mortal.places)


async def places() -> list[Fault]:
    world = World()
    Published(world.registry, NAME, BASE, SECOND)
    return await die(world)


async def test_a_pull_has_many_places_to_die_at() -> None:
    points = {place.point for place in await places()}
    assert {"registry.blob", "content.partial", "partial.commit", "layers.unpack", "records.commit"} <= points


@pytest.mark.parametrize("part", range(8))
async def test_death_at_every_call(part: int) -> None:
    found = await places()
    for fault in found[part::8]:
        world = World()
        published = Published(world.registry, NAME, BASE, SECOND)
        await die(world, fault)
        again = await ImageRig(world).reborn()
        for record in again.ledger.images.values():
            assert (await again.images.get(record.id)).platform.available, fault
        known = [*again.ledger.images]
        assert known in ([], [published.target.digest]), fault
        referenced = set().union(*again.garbage.blobs.values()) if known else set()
        assert set(world.content.blobs) - referenced <= set(world.content.partials), fault
        if not known:
            assert world.layers.layers == {}, fault
        await again.pull_image(parse_normalised(NAME), lambda _: None)
        (platform,) = again.images.find(NAME).platforms
        assert world.layers.files[platform.chain_ids[-1]]["/second"] == b"2" * 100_000, fault
        assert world.content.partials == {}, fault
        await again.delete(NAME)
        assert again.is_empty(), fault
