"""The engine dies, or the machine loses power, at every port call of a create: what was answered is there whole, the rest is gone."""

import pytest

from tests.unit.engine.containers.maker import Maker, asked
from tests.unit.engine.mortality import LateRecords, Mortal, check, until_death
from tests.unit.engine.rig import Machine, Rig
from wharfd.model.container import State
from wharfd.testing.faults import Fault


async def live(fault: Fault | None, *, late: bool, power_cut: bool) -> list[Fault]:
    world = Machine()
    plan = Mortal()
    maker = Maker(world, plan, LateRecords(world.records) if late else None)
    await maker.open()
    await maker.ledger.commit(maker.images.record, durable=True)
    create = maker.create
    create.rootfs = maker.watched("rootfs", world.rootfs)
    create.files = maker.watched("files", world.files)
    maker.volume_maker.drivers = {"local": maker.watched("volumes", world.volumes)}
    bystander = await maker.make(name="bystander")
    plan.arm(fault)
    request = asked(name="web", volumes={"/data": {}, "/more": {}}, binds=["named:/named"])
    answered = await until_death(maker, plan, lambda: create(request))
    places = list(plan.places)
    await maker.die()
    if power_cut:
        world.reboot()
        world.records.lose_power()
    rig = await Rig.up(world)
    check(rig)
    assert rig.now(bystander) == bystander
    web = rig.ledger.containers.find("web")
    if web is None:
        assert not answered
        assert [record.id for record in rig.ledger.containers] == [bystander.id]
        assert not rig.ledger.volumes
    else:
        assert web.state is State.CREATED
        assert {mount.name for mount in web.mounts} == set(rig.ledger.volumes)
        assert len(web.mounts) == 3
        await rig.start("web")
        check(rig)
    return places


@pytest.mark.parametrize("power_cut", [False, True], ids=["killed", "power cut"])
@pytest.mark.parametrize("late", [False, True], ids=["written", "lost"])
async def test_death_at_every_call_of_create(late: bool, power_cut: bool) -> None:
    places = await live(None, late=late, power_cut=power_cut)
    assert {"rootfs.prepare", "volumes.create", "records.commit"} <= {place.point for place in places}
    for place in places:
        try:
            await live(place, late=late, power_cut=power_cut)
        except AssertionError as error:
            raise AssertionError(f"died {place.phase} call {place.nth} of {place.point}: {error}") from error
