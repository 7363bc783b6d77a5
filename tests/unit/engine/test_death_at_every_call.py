"""The engine dies before and after every port call of every operation; the next one finds everything in order.

For each operation a first run notes the calls that it makes; then the machine is set up anew for every one of them, the engine dies
there, another one comes up, and `mortality.check` looks at what is left.  Posted changes are written at once in one half of the runs
and lost in the other.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.unit.engine.mortality import LateRecords, Mortal, check, told_of_each_run, until_death
from tests.unit.engine.rig import Machine, Rig
from wharfd.model.config import RestartPolicy
from wharfd.model.container import ContainerRecord, MountPoint, State
from wharfd.model.errors import Internal, StartFailed
from wharfd.testing.builders import a_host_config, a_volume
from wharfd.testing.faults import Fault

Prepare = Callable[[Rig], Awaitable[ContainerRecord]]
Operate = Callable[[Rig, ContainerRecord], Awaitable[None]]
Verify = Callable[[Rig, ContainerRecord, bool], None]

AUTO_REMOVE = a_host_config(auto_remove=True)
ON_FAILURE = a_host_config(restart_policy=RestartPolicy(name="on-failure"))
ALWAYS = a_host_config(restart_policy=RestartPolicy(name="always"))


def volume_mount(name: str) -> MountPoint:
    return MountPoint(type="volume", name=name, destination=f"/{name}", driver="local")


async def created(rig: Rig) -> ContainerRecord:
    return await rig.created()


async def created_with_volumes(rig: Rig) -> ContainerRecord:
    mine, named = a_volume(anonymous=True), a_volume()
    return await rig.created(volumes=[mine, named], mounts=[volume_mount(mine.name), volume_mount(named.name)])


async def exited(rig: Rig) -> ContainerRecord:
    record = await rig.running()
    rig.world.runtime.exit(record.id, 9)
    await rig.settle()
    return rig.now(record)


async def running(rig: Rig) -> ContainerRecord:
    return await rig.running()


async def running_to_be_removed(rig: Rig) -> ContainerRecord:
    mine = a_volume(anonymous=True)
    return await rig.running(volumes=[mine], mounts=[volume_mount(mine.name)], host_config=AUTO_REMOVE)


async def running_for_ever(rig: Rig) -> ContainerRecord:
    return await rig.running(host_config=ALWAYS)


async def running_until_success(rig: Rig) -> ContainerRecord:
    return await rig.running(host_config=ON_FAILURE)


async def paused(rig: Rig) -> ContainerRecord:
    record = await rig.running()
    await rig.pause(record.id)
    return rig.now(record)


async def without_its_program(rig: Rig) -> ContainerRecord:
    rig.world.runtime.missing_programs["nosuch"] = StartFailed("no such file or directory", 127)
    return await rig.created(cmd=["nosuch"])


async def start(rig: Rig, record: ContainerRecord) -> None:
    await rig.start(record.id)


async def start_in_vain(rig: Rig, record: ContainerRecord) -> None:
    with pytest.raises(StartFailed):
        await rig.start(record.id)


async def start_that_breaks(rig: Rig, record: ContainerRecord) -> None:
    rig.world.runtime.fail_next("start", Internal("broken"))
    with pytest.raises(Internal):
        await rig.start(record.id)


async def short_run(rig: Rig, record: ContainerRecord) -> None:
    rig.world.runtime.exits_after_start(record.id, 7)
    await rig.start(record.id)
    rig.world.runtime.exits_at_once.clear()


async def end(rig: Rig, record: ContainerRecord) -> None:
    rig.world.runtime.exit(record.id, 7)


async def stop(rig: Rig, record: ContainerRecord) -> None:
    await rig.stop(record.id)


async def kill(rig: Rig, record: ContainerRecord) -> None:
    await rig.kill(record.id)


async def pause(rig: Rig, record: ContainerRecord) -> None:
    await rig.pause(record.id)


async def unpause(rig: Rig, record: ContainerRecord) -> None:
    await rig.unpause(record.id)


async def restart(rig: Rig, record: ContainerRecord) -> None:
    await rig.restart(record.id)


async def remove(rig: Rig, record: ContainerRecord) -> None:
    await rig.remove(record.id, volumes=True, force=True)


async def end_and_restart(rig: Rig, record: ContainerRecord) -> None:
    rig.world.runtime.exit(record.id, 7)
    await rig.settle()
    rig.timers.fire()


def is_now(*states: State | None) -> Verify:
    """An answer was given: it is in the last of these states.  None was: in any."""

    def verify(rig: Rig, record: ContainerRecord, answered: bool) -> None:
        assert rig.state(record) in (states[-1:] if answered else states)

    return verify


def was_stopped(rig: Rig, record: ContainerRecord, answered: bool) -> None:
    is_now(State.RUNNING, State.EXITED)(rig, record, answered)
    if answered:
        assert rig.now(record).manually_stopped
        assert "stop" in [event.action for event in rig.world.records.history if event.actor_id == record.id]


def has_ended_with(code: int) -> Verify:
    def verify(rig: Rig, record: ContainerRecord, answered: bool) -> None:
        assert (rig.now(record).state, rig.now(record).exit_code) == (State.EXITED, code)
        starts, ends = told_of_each_run(rig.world, record.id)
        assert starts == ends

    return verify


def ran_or_was_undone(rig: Rig, record: ContainerRecord, answered: bool) -> None:
    now = rig.now(record)
    if now.started_ns:
        assert (now.state, now.exit_code) == (State.EXITED, 7)
        assert told_of_each_run(rig.world, record.id) == (1, 1)
    else:
        assert not answered
        assert (now.state in {State.CREATED, State.EXITED}, now.exit_code, now.error) == (True, 0, "")


def runs_again(rig: Rig, record: ContainerRecord, answered: bool) -> None:
    assert rig.state(record) is State.RUNNING
    starts, ends = told_of_each_run(rig.world, record.id)
    assert starts == ends + 1


OPERATIONS: dict[str, tuple[Prepare, Operate, Verify]] = {
    "start": (created, start, is_now(State.EXITED, State.CREATED, State.RUNNING)),
    "start with volumes": (created_with_volumes, start, is_now(State.EXITED, State.CREATED, State.RUNNING)),
    "start again": (exited, start, is_now(State.EXITED, State.RUNNING)),
    "start that fails": (without_its_program, start_in_vain, is_now(State.CREATED, State.EXITED)),
    "start that breaks": (created, start_that_breaks, is_now(State.CREATED, State.EXITED)),
    "short run": (created, short_run, ran_or_was_undone),
    "exit": (running, end, has_ended_with(7)),
    "exit and removal": (running_to_be_removed, end, is_now(None)),
    "exit and restart": (running_for_ever, end_and_restart, runs_again),
    "exit and restart on failure": (running_until_success, end_and_restart, runs_again),
    "stop": (running, stop, was_stopped),
    "stop of a paused one": (paused, stop, is_now(State.PAUSED, State.RUNNING, State.EXITED)),
    "kill": (running, kill, is_now(State.RUNNING, State.EXITED)),
    "pause": (running, pause, is_now(State.RUNNING, State.PAUSED)),
    "unpause": (paused, unpause, is_now(State.PAUSED, State.RUNNING)),
    "restart": (running, restart, is_now(State.EXITED, State.RUNNING)),
    "remove": (exited, remove, is_now(State.EXITED, None)),
    "remove with volumes": (created_with_volumes, remove, is_now(State.CREATED, None)),
    "remove a running one": (running, remove, is_now(State.RUNNING, State.EXITED, None)),
}


async def live(name: str, fault: Fault | None, late: bool) -> list[Fault]:
    """Set up, operate, die at `fault`, come up again, look.  Returns where the engine could have died."""
    prepare, operate, verify = OPERATIONS[name]
    world = Machine()
    plan = Mortal()
    rig = await Rig.up(world, plan, LateRecords(world.records) if late else None)
    bystander = await rig.running()
    record = await prepare(rig)
    await rig.ledger.commit()
    plan.arm(fault)
    answered = await until_death(rig, plan, lambda: operate(rig, record))
    places = list(plan.places)
    assert plan.is_dead is (fault is not None)
    world.runtime.exits_at_once.clear()
    if fault is None:
        rig.timers.fire()
        await rig.settle()
        await rig.ledger.commit()
        check(rig)
        verify(rig, record, answered)
    rig = await rig.reborn()
    rig.timers.fire()
    await rig.settle()
    check(rig)
    verify(rig, record, answered)
    assert rig.now(bystander) == bystander
    return places


async def lose_power(name: str, fault: Fault | None) -> list[Fault]:
    """The machine loses power at `fault`: files are where they were, records are those of the last durable commit."""
    prepare, operate, _ = OPERATIONS[name]
    world = Machine()
    plan = Mortal()
    rig = await Rig.up(world, plan)
    record = await prepare(rig)
    plan.arm(fault)
    answered = await until_death(rig, plan, lambda: operate(rig, record))
    places = list(plan.places)
    world.runtime.exits_at_once.clear()
    await rig.die()
    world.reboot()
    world.records.lose_power()
    rig = await Rig.up(world)
    rig.timers.fire()
    await rig.settle()
    check(rig)
    if answered and operate is remove:
        assert rig.state(record) is None
    if operate not in {remove, end, end_and_restart}:
        assert rig.state(record) is not None
    return places


@pytest.mark.parametrize("name", OPERATIONS)
async def test_power_cut_at_every_call(name: str) -> None:
    for place in await lose_power(name, None):
        try:
            await lose_power(name, place)
        except AssertionError as error:
            raise AssertionError(f"cut {place.phase} call {place.nth} of {place.point}: {error}") from error


@pytest.mark.parametrize("late", [False, True], ids=["written", "lost"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_death_at_every_call(name: str, late: bool) -> None:
    places = await live(name, None, late)
    assert places
    for place in places:
        try:
            await live(name, place, late)
        except AssertionError as error:
            raise AssertionError(f"died {place.phase} call {place.nth} of {place.point}: {error}") from error
