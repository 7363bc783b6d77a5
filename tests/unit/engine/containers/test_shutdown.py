"""The machine goes down: how containers end, and what the next engine makes of them."""

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.model.config import RestartPolicy
from wharfd.model.container import State
from wharfd.testing.builders import a_config, a_host_config


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


def policy(name: str) -> dict[str, object]:
    return {"host_config": a_host_config(restart_policy=RestartPolicy(name=name))}


async def reboot(rig: Rig) -> Rig:
    await rig.shutdown()
    await rig.die()
    rig.world.runtime.reboot()
    after = await Rig.up(rig.world)
    after.timers.fire()
    await after.settle()
    return after


async def test_containers_end_by_their_own_signal_and_leave_nothing_set_up(rig: Rig) -> None:
    running = await rig.running(config=a_config(stop_signal="SIGQUIT"))
    idle = await rig.created()
    await rig.shutdown()
    assert rig.world.runtime.signals == [(running.id, 3)]
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 131)
    assert rig.now(running).owed == []
    assert rig.state(idle) is State.CREATED


async def test_one_that_does_not_obey_is_killed(rig: Rig) -> None:
    running = await rig.running(config=a_config(stop_timeout=0))
    rig.world.runtime.obeys[running.id] = {9}
    await rig.shutdown()
    assert [number for _, number in rig.world.runtime.signals] == [15, 9]
    assert rig.now(running).exit_code == 137


async def test_a_paused_one_is_thawed_to_end(rig: Rig) -> None:
    running = await rig.running()
    await rig.pause(running.id)
    await rig.shutdown()
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 143)


@pytest.mark.parametrize("name", ["always", "unless-stopped"])
async def test_policies_start_them_after_the_reboot_and_not_before(rig: Rig, name: str) -> None:
    running = await rig.running(**policy(name))
    await rig.shutdown()
    rig.timers.fire()
    await rig.settle()
    assert rig.state(running) is State.RESTARTING
    after = await reboot(rig)
    assert after.state(running) is State.RUNNING


async def test_those_that_nobody_wants_back_stay_away(rig: Rig) -> None:
    once = await rig.running()
    stopped = await rig.running(**policy("unless-stopped"))
    await rig.stop(stopped.id)
    await rig.settle()
    after = await reboot(rig)
    assert (after.state(once), after.state(stopped)) == (State.EXITED, State.EXITED)


async def test_a_container_that_waits_for_its_restart_does_not_get_it_now(rig: Rig) -> None:
    running = await rig.running(**policy("always"))
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    await rig.shutdown()
    assert rig.timers.fire() == []
    assert rig.state(running) is State.RESTARTING


async def test_one_that_cannot_be_ended_does_not_keep_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, other = await rig.running(), await rig.running()
    signal = rig.world.runtime.signal

    async def fails(container_id: str, pid: int, number: int) -> None:
        if container_id == stuck.id:
            raise OSError("no")
        await signal(container_id, pid, number)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.world.runtime, "signal", fails)
    await rig.shutdown()
    assert rig.state(other) is State.EXITED
    assert rig.state(stuck) is State.RUNNING
