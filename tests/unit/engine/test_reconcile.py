"""What an engine makes of the machine that another one left behind."""

import pytest

from tests.unit.engine.mortality import check
from tests.unit.engine.rig import BASE, Machine, Rig
from wharfd.engine.reconcile import GONE_ERROR
from wharfd.model.config import RestartPolicy
from wharfd.model.container import ContainerRecord, MountPoint, State, Step
from wharfd.model.errors import Internal
from wharfd.model.ids import ContainerId
from wharfd.testing.builders import a_container, a_host_config, a_volume, an_id


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


def with_policy(name: str) -> object:
    return a_host_config(restart_policy=RestartPolicy(name=name))


async def reborn_and_restarted(rig: Rig) -> Rig:
    rig = await rig.reborn()
    rig.timers.fire()
    await rig.settle()
    return rig


async def test_what_runs_is_taken_up_again(rig: Rig) -> None:
    running = await rig.running()
    rig = await rig.reborn()
    assert rig.now(running) == running
    check(rig)
    rig.world.runtime.exit(running.id, 3)
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 3)
    check(rig)


async def test_its_address_is_not_given_to_another(rig: Rig) -> None:
    first = await rig.running()
    rig = await rig.reborn()
    second = await rig.running()
    assert first.networks["bridge"].ip_address != second.networks["bridge"].ip_address


async def test_an_exit_that_nobody_saw_is_recorded_with_its_code_and_time(rig: Rig) -> None:
    running = await rig.running()
    await rig.die()
    rig.world.runtime.exit(running.id, 3, oom_killed=True)
    at_ns = rig.clock.wall_ns
    rig.clock.advance(3600)
    rig = await Rig.up(rig.world)
    exited = rig.now(running)
    assert (exited.state, exited.exit_code, exited.finished_ns, exited.error) == (State.EXITED, 3, at_ns, "")
    assert exited.oom_killed
    assert rig.told(running) == ["oom", "network disconnect", "die"]
    check(rig)


async def test_an_exit_that_nobody_saw_removes_or_restarts(rig: Rig) -> None:
    one = await rig.running(host_config=a_host_config(auto_remove=True))
    other = await rig.running(host_config=with_policy("on-failure"))
    await rig.die()
    rig.world.runtime.exit(one.id, 1)
    rig.world.runtime.exit(other.id, 1)
    rig = await Rig.up(rig.world)
    assert rig.state(one) is None
    assert (rig.now(other).state, rig.now(other).restart_count) == (State.RESTARTING, 1)
    rig.timers.fire()
    await rig.settle()
    assert rig.state(other) is State.RUNNING
    check(rig)


async def test_after_a_reboot_the_code_is_not_known(rig: Rig) -> None:
    running = await rig.running()
    rig.world.reboot()
    rig = await Rig.up(rig.world)
    gone = rig.now(running)
    assert (gone.state, gone.exit_code, gone.error) == (State.EXITED, 255, GONE_ERROR)
    assert gone.finished_ns > running.started_ns
    assert rig.told(running) == ["network disconnect", "die"]
    check(rig)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        ("no", State.EXITED),
        ("on-failure", State.RUNNING),
        ("unless-stopped", State.RUNNING),
        ("always", State.RUNNING),
    ],
)
async def test_after_a_reboot_the_policy_decides(rig: Rig, policy: str, state: State) -> None:
    running = await rig.running(host_config=with_policy(policy))
    rig.world.reboot()
    rig = await Rig.up(rig.world)
    rig.timers.fire()
    await rig.settle()
    assert rig.state(running) is state
    check(rig)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        ("no", State.EXITED),
        ("on-failure", State.EXITED),
        ("unless-stopped", State.EXITED),
        ("always", State.RUNNING),
    ],
)
async def test_what_was_stopped_by_hand(rig: Rig, policy: str, state: State) -> None:
    running = await rig.running(host_config=with_policy(policy))
    await rig.stop(running.id)
    await rig.settle()
    rig = await reborn_and_restarted(rig)
    assert rig.state(running) is state
    check(rig)


async def test_what_has_never_run_is_not_started(rig: Rig) -> None:
    record = await rig.created(host_config=with_policy("always"))
    rig = await reborn_and_restarted(rig)
    assert rig.state(record) is State.CREATED


async def test_a_created_container_that_will_remove_itself_stays(rig: Rig) -> None:
    record = await rig.created(host_config=a_host_config(auto_remove=True))
    rig = await rig.reborn()
    assert rig.state(record) is State.CREATED


async def test_one_that_waited_for_its_restart_is_started_at_once(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    rig = await rig.reborn()
    assert rig.state(running) is State.RESTARTING
    assert rig.timers.fire() == [0]
    await rig.settle()
    assert rig.state(running) is State.RUNNING
    check(rig)


@pytest.mark.parametrize("recorded", [State.RUNNING, State.PAUSED])
async def test_frozen_or_not_is_taken_from_what_is_there(rig: Rig, recorded: State) -> None:
    running = await rig.running()
    if recorded is State.PAUSED:
        await rig.pause(running.id)
        await rig.world.runtime.resume(running.id)
    else:
        await rig.world.runtime.pause(running.id)
    rig = await rig.reborn()
    assert rig.state(running) is not recorded
    check(rig)


async def test_debts_are_paid(rig: Rig) -> None:
    running = await rig.running()
    for port, method in (("runtime", "delete"), ("rootfs", "unmount"), ("sandboxes", "destroy")):
        getattr(rig.world, port).fail_next(method, Internal("busy"))
    rig.world.runtime.exit(running.id)
    await rig.settle()
    assert rig.now(running).owed == [Step.RUNTIME, Step.NETWORK, Step.ROOTFS]
    rig = await rig.reborn()
    assert rig.now(running).owed == []
    check(rig)


async def test_what_no_record_explains_is_deleted(rig: Rig) -> None:
    kept = await rig.created()
    volume = a_volume()
    await rig.ledger.commit(await rig.world.volumes.create(volume))
    stranger = ContainerId(an_id())
    await rig.world.rootfs.prepare(stranger, [BASE])
    await rig.world.volumes.create(a_volume(name="stray"))
    await rig.world.sandboxes.create(an_id())
    rig.world.files.write(stranger, {"hosts": b""})
    rig = await rig.reborn()
    left = rig.world.leftovers()
    assert left["rootfs"] == [kept.id]
    assert left["volumes"] == [volume.name]
    assert (left["sandboxes"], left["files"]) == ([], [])
    check(rig)


async def test_a_removal_that_was_begun_is_finished(rig: Rig) -> None:
    volume = a_volume(anonymous=True)
    await rig.ledger.commit(await rig.world.volumes.create(volume))
    removing = await rig.created()
    await rig.ledger.commit(
        a_container(
            id=removing.id,
            name=removing.name,
            state=State.REMOVING,
            removing_volumes=True,
            mounts=[mount_of(volume.name)],
        )
    )
    rig = await rig.reborn()
    assert rig.state(removing) is None
    assert rig.told(removing) == ["destroy"]
    assert not any(rig.world.leftovers().values())


def mount_of(name: str) -> MountPoint:
    return MountPoint(type="volume", name=name, destination="/data", driver="local")


async def test_a_creation_that_was_begun_is_undone_without_a_word(rig: Rig) -> None:
    half = await rig.created()
    await rig.ledger.commit(a_container(id=half.id, name=half.name, state=State.CREATING))
    rig = await rig.reborn()
    assert rig.state(half) is None
    assert rig.told(half) == []
    assert not any(rig.world.leftovers().values())


async def test_an_exit_while_it_is_being_looked_at(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await rig.running(host_config=with_policy("always"))
    await rig.die()
    look = rig.world.runtime.observe

    async def look_and_lose(container_id: ContainerId, pid: int, pid_start: int) -> object:
        seen = await look(container_id, pid, pid_start)
        rig.world.runtime.exit(container_id, 9)
        return seen

    monkeypatch.setattr(rig.world.runtime, "observe", look_and_lose)
    rig = await Rig.up(rig.world)
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.RESTARTING, 9)
    rig.timers.fire()
    await rig.settle()
    check(rig)


async def test_one_that_cannot_be_looked_at_is_left_alone(rig: Rig) -> None:
    bad, good = await rig.running(), await rig.running()
    await rig.die()
    rig.world.runtime.exit(good.id, 3)
    rig.world.runtime.fail_next("observe", Internal("unreadable"))
    rig = await Rig.up(rig.world)
    assert rig.now(bad) == bad
    assert rig.state(good) is State.EXITED
    check(rig)


async def test_one_that_cannot_be_put_in_order_does_not_keep_the_others(rig: Rig) -> None:
    bad, good = await rig.running(), await rig.running()
    await rig.die()
    rig.world.runtime.exit(bad.id, 3)
    rig.world.runtime.exit(good.id, 3)
    rig.world.rootfs.fail_next("unmount", RuntimeError("a fault of the driver"))
    rig = await Rig.up(rig.world)
    owed = sorted(len(rig.now(record).owed) for record in (bad, good))
    assert owed == [0, 1]
    rig = await rig.reborn()
    check(rig)


async def test_many(rig: Rig) -> None:
    records: list[ContainerRecord] = [await rig.running() for _ in range(50)]
    await rig.die()
    for record in records[::2]:
        rig.world.runtime.exit(record.id, 3)
    rig = await Rig.up(rig.world)
    states = [rig.state(record) for record in records]
    assert states[::2] == [State.EXITED] * 25
    assert states[1::2] == [State.RUNNING] * 25
    check(rig)
