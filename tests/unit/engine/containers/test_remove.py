"""Remove: what is deleted, what is refused, what happens at the same time."""

import asyncio

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.engine.containers import signals
from wharfd.model.container import MountPoint, State, Step
from wharfd.model.errors import Conflict, ContainerNotFound, Internal
from wharfd.testing.builders import a_host_config, a_volume


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


async def in_vain(*_: object) -> None:
    """A signal to a process that hangs in the kernel."""


def volume_mount(name: str) -> MountPoint:
    return MountPoint(type="volume", name=name, destination=f"/{name}", driver="local")


async def test_nothing_is_left(rig: Rig) -> None:
    running = await rig.running()
    await rig.stop(running.id)
    await rig.settle()
    rig.told(running)
    await rig.remove(running.name)
    assert rig.state(running) is None
    assert not any(rig.world.leftovers().values())
    assert rig.told(running) == ["destroy"]
    with pytest.raises(ContainerNotFound):
        await rig.remove(running.name)
    assert rig.ledger.containers.reserve(running.name, "another") is None


async def test_it_is_marked_durably_before_anything_is_deleted(rig: Rig) -> None:
    record = await rig.created()
    await rig.start(record.id)
    await rig.stop(record.id)
    await rig.settle()
    rig.world.rootfs.fail_next("remove", Internal("busy"))
    with pytest.raises(Internal):
        await rig.remove(record.id)
    rig.world.records.lose_power()
    marked = rig.world.records.rows["container", record.id]
    assert marked.state is State.REMOVING  # type: ignore[union-attr]


async def test_one_that_runs_is_refused(rig: Rig) -> None:
    running = await rig.running()
    with pytest.raises(Conflict) as conflict:
        await rig.remove(running.name)
    assert str(conflict.value) == (
        f'cannot remove container "{running.name}": container is running: '
        "stop the container before removing or force remove"
    )
    await rig.pause(running.id)
    with pytest.raises(Conflict, match="container is paused and must be unpaused first"):
        await rig.remove(running.id)
    assert rig.now(running).state is State.PAUSED
    assert not rig.removal.claimed


async def test_force_kills(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    await rig.remove(running.id, force=True)
    await rig.settle()
    assert not any(rig.world.leftovers().values())
    assert rig.told(running) == ["kill", "network disconnect", "die", "destroy"]


async def test_force_on_a_paused_one(rig: Rig) -> None:
    running = await rig.running()
    await rig.pause(running.id)
    await rig.remove(running.id, force=True)
    assert not any(rig.world.leftovers().values())


async def test_force_on_what_survives(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wharfd.engine.containers.remove.PATIENCE_S", 0)
    monkeypatch.setattr(rig.world.runtime, "signal", in_vain)
    running = await rig.running()
    with pytest.raises(Internal, match=f"could not kill container: {signals.NO_EXIT}"):
        await rig.remove(running.id, force=True)
    assert rig.now(running).state is State.RUNNING


async def test_force_on_one_that_removes_itself(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    running = await rig.running(host_config=a_host_config(auto_remove=True))
    await rig.remove(running.id, force=True)
    await rig.settle()
    assert not any(rig.world.leftovers().values())
    assert rig.told(running).count("destroy") == 1
    assert caplog.messages == []


async def test_a_second_removal_is_told_of_the_first(rig: Rig) -> None:
    record = await rig.created()
    outcomes = await asyncio.gather(rig.remove(record.id), rig.remove(record.name), return_exceptions=True)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], Conflict)
    assert str(outcomes[1]) == f"removal of container {record.name} is already in progress"


async def test_links_do_not_exist(rig: Rig) -> None:
    record = await rig.created()
    with pytest.raises(Conflict, match="Conflict, cannot remove the default link name of the container"):
        await rig.remove(record.id, link=True)


async def test_volumes_go_with_it_only_if_asked_and_if_they_are_its_own(rig: Rig) -> None:
    mine, shared, named = a_volume(anonymous=True), a_volume(anonymous=True), a_volume(name="named")
    names = [mine.name, shared.name, named.name]
    record = await rig.created(volumes=[mine, shared, named], mounts=[volume_mount(name) for name in names])
    other = await rig.created(mounts=[volume_mount(shared.name)])
    await rig.remove(record.id, volumes=True)
    assert sorted(rig.ledger.volumes) == sorted([shared.name, "named"])
    assert sorted(rig.world.volumes.content) == sorted([shared.name, "named"])
    assert ("volume destroy", mine.name) in [(f"{e.type} {e.action}", e.actor_id) for e in rig.events()]
    await rig.remove(other.id)
    assert shared.name in rig.ledger.volumes


@pytest.mark.parametrize(("port", "method"), [("rootfs", "remove"), ("files", "remove"), ("volumes", "remove")])
async def test_what_cannot_be_deleted_leaves_a_dead_container(rig: Rig, port: str, method: str) -> None:
    volume = a_volume(anonymous=True)
    record = await rig.created(volumes=[volume], mounts=[volume_mount(volume.name)])
    waiting = rig.wait.register(record.id, "removed")
    getattr(rig.world, port).fail_next(method, Internal("busy"))
    with pytest.raises(Internal, match=f'cannot remove container "{record.name}": busy'):
        await rig.remove(record.name, volumes=True)
    assert (rig.now(record).state, rig.now(record).error) == (State.DEAD, "busy")
    assert (await waiting.result()).error == "busy"
    with pytest.raises(Conflict, match="container is marked for removal and cannot be started"):
        await rig.start(record.id)
    await rig.remove(record.id, volumes=True)
    assert not any(rig.world.leftovers().values())


async def test_debts_that_cannot_be_paid_keep_it(rig: Rig) -> None:
    running = await rig.running()
    rig.world.rootfs.fail_next("unmount", Internal("busy"))
    rig.world.runtime.exit(running.id)
    await rig.settle()
    rig.world.rootfs.fail_next("unmount", Internal("busy"))
    with pytest.raises(Internal, match="its last run could not be taken down"):
        await rig.remove(running.id)
    assert (rig.now(running).state, rig.now(running).owed) == (State.DEAD, [Step.ROOTFS])
    await rig.remove(running.id)
    assert not any(rig.world.leftovers().values())


async def test_a_removal_while_it_starts_waits_and_is_refused(rig: Rig) -> None:
    record = await rig.created()
    start = rig.tasks.spawn(rig.start(record.id), "start")
    await asyncio.sleep(0)
    assert rig.now(record).state is State.STARTING
    with pytest.raises(Conflict, match="container is running"):
        await rig.remove(record.id)
    await start


async def test_a_forced_removal_while_it_starts_waits_and_kills(rig: Rig) -> None:
    record = await rig.created()
    start = rig.tasks.spawn(rig.start(record.id), "start")
    await asyncio.sleep(0)
    await rig.remove(record.id, force=True)
    await start
    await rig.settle()
    assert not any(rig.world.leftovers().values())


async def test_a_removal_while_the_last_run_is_taken_down(rig: Rig) -> None:
    running = await rig.running()
    waiting = rig.wait.register(running.id, "next-exit")
    rig.world.runtime.exit(running.id)
    await waiting.result()
    await rig.remove(running.id)
    await rig.settle()
    assert not any(rig.world.leftovers().values())


async def test_a_start_that_waited_for_the_removal_finds_nothing(rig: Rig) -> None:
    record = await rig.created()
    remove = rig.tasks.spawn(rig.remove(record.id), "remove")
    start = rig.tasks.spawn(rig.start(record.id), "start")
    outcomes = await asyncio.gather(remove, start, return_exceptions=True)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ContainerNotFound)
