"""Stop, kill, pause, restart, wait: dockerd's answers, and the races between them."""

import asyncio

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.engine.containers import signals
from wharfd.engine.containers.inspect import InspectContainer
from wharfd.engine.containers.stop import grace_s
from wharfd.engine.lifecycle import RestartDue, StartAsked
from wharfd.model.config import RestartPolicy
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, ContainerNotFound, Internal, InvalidParameter, NotModified, StartFailed
from wharfd.testing.builders import a_config, a_container, a_host_config
from wharfd.testing.runtime import Phase


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


async def in_vain(*_: object) -> None:
    """A signal to a process that hangs in the kernel."""


ALWAYS = a_host_config(restart_policy=RestartPolicy(name="always"))


async def test_stop_sends_the_stop_signal_and_waits(rig: Rig) -> None:
    running = await rig.running(config=a_config(stop_signal="SIGQUIT"))
    rig.told(running)
    await rig.stop(running.id)
    assert rig.world.runtime.signals == [(running.id, 3)]
    assert rig.now(running).exit_code == 131
    await rig.settle()
    assert rig.told(running) == ["kill", "network disconnect", "die", "stop"]


async def test_stop_with_a_signal_of_its_own(rig: Rig) -> None:
    running = await rig.running()
    await rig.stop(running.id, signal="INT")
    assert rig.world.runtime.signals == [(running.id, 2)]
    with pytest.raises(InvalidParameter):
        await rig.stop(running.id, signal="SIGNOSUCH")


async def test_a_container_that_does_not_obey_is_killed(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    rig.world.runtime.obeys[running.id] = {9}
    await rig.stop(running.id, timeout_s=0)
    await rig.settle()
    assert [number for _, number in rig.world.runtime.signals] == [15, 9]
    assert rig.now(running).exit_code == 137
    assert rig.told(running) == ["kill", "kill", "network disconnect", "die", "stop"]


async def test_a_container_that_survives_everything(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wharfd.engine.containers.stop.PATIENCE_S", 0)
    monkeypatch.setattr(rig.world.runtime, "signal", in_vain)
    running = await rig.running()
    with pytest.raises(Internal) as error:
        await rig.stop(running.name, timeout_s=0)
    assert str(error.value) == f"cannot stop container: {running.name}: {signals.NO_EXIT}"
    assert rig.now(running).state is State.RUNNING
    assert not rig.waiters.by_container


@pytest.mark.parametrize(
    ("asked", "own", "answer"),
    [(None, None, 10), (None, 3, 3), (7, 3, 7), (0, 3, 0), (-1, 3, None), (None, -1, None)],
)
def test_how_long_a_stop_waits(asked: int | None, own: int | None, answer: int | None) -> None:
    assert grace_s(a_container(config=a_config(stop_timeout=own)), asked) == answer


async def test_stop_of_a_paused_container_thaws_it(rig: Rig) -> None:
    running = await rig.running()
    await rig.pause(running.id)
    rig.told(running)
    await rig.stop(running.id)
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 143)
    assert rig.told(running) == ["kill", "unpause", "network disconnect", "die", "stop"]


async def test_stop_of_what_does_not_run_is_not_modified(rig: Rig) -> None:
    with pytest.raises(ContainerNotFound):
        await rig.stop("nobody")
    record = await rig.created()
    with pytest.raises(NotModified):
        await rig.stop(record.id)
    await rig.start(record.id)
    await rig.stop(record.id)
    with pytest.raises(NotModified):
        await rig.stop(record.id)


async def test_stop_while_the_last_run_is_taken_down(rig: Rig) -> None:
    running = await rig.running()
    rig.world.runtime.exit(running.id, 3)
    waiting = rig.wait.register(running.id, "next-exit")
    await waiting.result()
    with pytest.raises(NotModified):
        await rig.stop(running.id)


async def test_stop_of_a_process_that_has_just_ended(rig: Rig) -> None:
    running = await rig.running(host_config=ALWAYS)
    stop = rig.tasks.spawn(rig.stop(running.id), "stop")
    rig.world.runtime.exit(running.id, 3)
    await stop
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 3)
    assert rig.now(running).manually_stopped


async def test_two_stops_at_once(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    await asyncio.gather(rig.stop(running.id), rig.stop(running.id))
    await rig.settle()
    assert rig.now(running).state is State.EXITED
    assert rig.told(running).count("die") == 1


async def test_a_stop_outweighs_the_restart_policy(rig: Rig) -> None:
    running = await rig.running(host_config=ALWAYS)
    await rig.stop(running.id)
    await rig.settle()
    assert (rig.now(running).state, rig.timers.fire()) == (State.EXITED, [])


async def test_kill(rig: Rig) -> None:
    running = await rig.running(host_config=ALWAYS)
    rig.told(running)
    await rig.kill(running.id)
    assert rig.now(running).exit_code == 137
    await rig.settle()
    assert (rig.now(running).state, rig.timers.fire()) == (State.EXITED, [])
    events = [event for event in rig.events(running.id) if event.action == "kill"]
    assert [event.attributes["signal"] for event in events] == ["9"]


async def test_kill_twice(rig: Rig) -> None:
    running = await rig.running()
    outcomes = await asyncio.gather(rig.kill(running.id), rig.kill(running.id), return_exceptions=True)
    assert outcomes[0] is None
    assert outcomes[1] is None or isinstance(outcomes[1], Conflict)
    await rig.settle()
    with pytest.raises(Conflict) as conflict:
        await rig.kill(running.name)
    assert str(conflict.value) == f"cannot kill container: {running.name}: container {running.id} is not running"


async def test_every_refusal_of_a_kill_says_so(rig: Rig) -> None:
    running = await rig.running()
    with pytest.raises(ContainerNotFound) as unknown:
        await rig.kill("nope")
    assert str(unknown.value) == "cannot kill container: nope: No such container: nope"
    with pytest.raises(InvalidParameter) as invalid:
        await rig.kill(running.name, "NOPE")
    assert str(invalid.value) == f"cannot kill container: {running.name}: invalid signal: NOPE"


async def test_a_signal_that_does_not_end_it(rig: Rig) -> None:
    running = await rig.running(host_config=ALWAYS, config=a_config(stop_signal="SIGTERM"))
    rig.told(running)
    rig.world.runtime.obeys[running.id] = {9}
    await rig.kill(running.id, "HUP")
    assert (rig.now(running).state, rig.now(running).manually_stopped) == (State.RUNNING, False)
    assert rig.told(running) == ["kill"]


async def test_a_signal_is_final_without_a_stop_signal_of_its_own(rig: Rig) -> None:
    running = await rig.running(host_config=ALWAYS)
    rig.world.runtime.obeys[running.id] = {9}
    await rig.kill(running.id, "HUP")
    assert rig.now(running).manually_stopped


async def test_kill_thaws_a_paused_container(rig: Rig) -> None:
    running = await rig.running()
    await rig.pause(running.id)
    await rig.kill(running.id)
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 137)


async def test_kill_in_the_delay_of_a_restart(rig: Rig) -> None:
    running = await rig.running(host_config=ALWAYS)
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    await rig.kill(running.id)
    rig.timers.fire()
    await rig.settle()
    assert rig.now(running).state is State.EXITED


async def test_kill_of_what_survives(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wharfd.engine.containers.kill.PATIENCE_S", 0)
    monkeypatch.setattr(rig.world.runtime, "signal", in_vain)
    running = await rig.running()
    with pytest.raises(Internal, match=f"cannot kill container: {running.id}: {signals.NO_EXIT}"):
        await rig.kill(running.id)


async def test_pause_and_unpause(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    await rig.pause(running.id)
    assert rig.now(running).state is State.PAUSED
    assert rig.world.runtime.phase(running.id) is Phase.PAUSED
    with pytest.raises(Conflict, match=f"Container {running.id} is already paused"):
        await rig.pause(running.id)
    await rig.unpause(running.id)
    assert rig.world.runtime.phase(running.id) is Phase.RUNNING
    with pytest.raises(Conflict, match=f"Container {running.id} is not paused"):
        await rig.unpause(running.id)
    assert rig.told(running) == ["pause", "unpause"]


async def test_pause_that_fails_changes_nothing(rig: Rig) -> None:
    running = await rig.running()
    rig.world.runtime.fail_next("pause", Internal("frozen solid"))
    with pytest.raises(Internal, match=f"cannot pause container {running.id}: frozen solid"):
        await rig.pause(running.id)
    assert rig.now(running).state is State.RUNNING


async def test_restart(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    waiting = rig.wait.register(running.id, "")
    await rig.restart(running.id, timeout_s=1)
    again = rig.now(running)
    assert again.state is State.RUNNING
    assert (again.pid != running.pid, again.restart_count) == (True, 0)
    assert (await waiting.result()).exit_code == 143
    told = rig.told(running)
    assert told == ["kill", "network disconnect", "die", "stop", "network connect", "start", "restart"]


async def test_between_the_runs_of_a_restart_it_is_told_as_restarting(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await rig.running(host_config=a_host_config(init=True))
    world, begin = rig.world, rig.start.begin
    inspect = InspectContainer(
        ledger=rig.ledger, files=world.files, rootfs=world.rootfs, layers=world.layers, by_hand=rig.removal.kept
    )
    seen = []

    async def look(record: ContainerRecord, event: StartAsked | RestartDue) -> ContainerRecord:
        view = await inspect(record.id)
        seen.append((record.state, view.status, view.is_restarting))
        return await begin(record, event)

    monkeypatch.setattr(rig.start, "begin", look)
    await rig.restart(running.id, timeout_s=1)
    assert seen == [(State.EXITED, "restarting", True)]
    view = await inspect(running.id)
    assert (view.status, view.is_restarting) == ("running", False)


async def test_restart_of_what_does_not_run_starts_it(rig: Rig) -> None:
    record = await rig.created()
    rig.told(record)
    await rig.restart(record.id)
    assert rig.told(record) == ["network connect", "start", "restart"]


async def test_restart_keeps_a_container_that_removes_itself(rig: Rig) -> None:
    running = await rig.running(host_config=a_host_config(auto_remove=True))
    await rig.restart(running.id)
    await rig.settle()
    assert rig.now(running).state is State.RUNNING
    rig.world.runtime.exit(running.id)
    await rig.settle()
    assert rig.state(running) is None


async def test_restart_that_fails_says_of_what(rig: Rig) -> None:
    running = await rig.running(cmd=["fickle"])
    rig.world.runtime.missing_programs["fickle"] = StartFailed("no such file", 127)
    with pytest.raises(StartFailed) as failed:
        await rig.restart(running.name)
    assert (str(failed.value), failed.value.exit_code) == (
        f"Cannot restart container {running.name}: no such file",
        127,
    )


async def test_wait_not_running_is_over_at_once_when_it_does_not_run(rig: Rig) -> None:
    record = await rig.created()
    assert (await rig.wait.register(record.id).result()).exit_code == 0
    await rig.start(record.id)
    rig.world.runtime.exit(record.id, 4)
    await rig.settle()
    assert (await rig.wait.register(record.id, "not-running").result()).exit_code == 4
    assert not rig.waiters.by_container


async def test_wait_registered_before_the_start(rig: Rig) -> None:
    record = await rig.created()
    waiting = rig.wait.register(record.id, "next-exit")
    await rig.start(record.id)
    rig.world.runtime.exit(record.id, 4)
    assert (await waiting.result()).exit_code == 4


async def test_wait_is_released_by_the_removal(rig: Rig) -> None:
    record = await rig.created()
    waits = [rig.wait.register(record.id, condition) for condition in ("next-exit", "removed")]
    await rig.remove(record.id)
    assert [(await waiting.result()).exit_code for waiting in waits] == [0, 0]


async def test_wait_for_a_removal_is_not_released_by_an_exit(rig: Rig) -> None:
    running = await rig.running()
    waiting = rig.wait.register(running.id, "removed")
    rig.world.runtime.exit(running.id, 4)
    await rig.settle()
    assert not waiting.outcome.done()
    await rig.remove(running.id)
    assert (await waiting.result()).exit_code == 4


async def test_wait_that_is_closed_is_forgotten(rig: Rig) -> None:
    running = await rig.running()
    waiting = rig.wait.register(running.id, "")
    waiting.close()
    assert not rig.waiters.by_container
    waiting.close()


async def test_wait_that_is_cancelled_disturbs_nobody(rig: Rig) -> None:
    running = await rig.running()
    waiting = rig.wait.register(running.id, "")
    first = rig.tasks.spawn(waiting.result(), "first")
    await asyncio.sleep(0)
    first.cancel()
    rig.world.runtime.exit(running.id, 4)
    assert (await waiting.result()).exit_code == 4


async def test_wait_refusals(rig: Rig) -> None:
    record = await rig.created()
    with pytest.raises(InvalidParameter, match='invalid condition: "soon"'):
        rig.wait.register(record.id, "soon")
    with pytest.raises(ContainerNotFound):
        rig.wait.register("nobody")
