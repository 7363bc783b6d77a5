"""After an exit: what is recorded and told at once, what is taken down, what the policies do."""

import asyncio

import pytest

from tests.unit.engine.rig import Machine, Rig
from wharfd.model.config import RestartPolicy
from wharfd.model.container import MountPoint, State, Step
from wharfd.model.errors import Internal, StartFailed
from wharfd.ports.runtime import Exit
from wharfd.testing.builders import a_host_config, a_volume


@pytest.fixture
async def rig() -> Rig:
    return await Rig.up(Machine())


def with_policy(name: str, maximum: int = 0) -> object:
    return a_host_config(restart_policy=RestartPolicy(name=name, maximum_retry_count=maximum))


async def test_an_exit_is_recorded_with_code_and_time(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    rig.clock.advance(3.5)
    rig.world.runtime.exit(running.id, 3)
    at_ns = rig.clock.wall_ns
    await rig.settle()
    exited = rig.now(running)
    assert (exited.state, exited.exit_code, exited.finished_ns, exited.pid) == (State.EXITED, 3, at_ns, 0)
    events = rig.events(running.id)
    assert [(event.type, event.action) for event in events] == [("network", "disconnect"), ("container", "die")]
    assert events[1].attributes["exitCode"] == "3"
    assert events[1].attributes["execDuration"] == "3"


async def test_everything_is_taken_down_and_the_record_says_so(rig: Rig) -> None:
    running = await rig.running()
    rig.world.runtime.exit(running.id)
    await rig.settle()
    left = rig.world.leftovers()
    assert not any(left[kind] for kind in ("runtime", "mounts", "sandboxes", "endpoints"))
    assert (rig.now(running).owed, rig.now(running).endpoints) == ([], {})
    assert rig.now(running).networks["bridge"].ip_address == ""
    assert left["rootfs"] == [running.id]


async def test_a_kill_for_lack_of_memory_is_told(rig: Rig) -> None:
    running = await rig.running()
    rig.told(running)
    rig.world.runtime.exit(running.id, 137, oom_killed=True)
    await rig.settle()
    assert rig.now(running).oom_killed
    assert rig.told(running) == ["oom", "network disconnect", "die"]


async def test_an_exit_that_came_early_is_not_taken_for_the_next_runs(rig: Rig) -> None:
    """The driver tells of it while the engine comes up, and reconcile, which has seen it too, starts the container again."""
    running = await rig.running(host_config=with_policy("always"))
    exit_seen = Exit(container_id=running.id, code=9, at_ns=rig.clock.now_ns())
    rig.exits.close()
    rig.exits.on_exit(exit_seen)
    await rig.exits.settle(await rig.exits.record(running, exit_seen))
    rig.timers.fire()
    await rig.settle()
    again = rig.now(running)
    assert (again.state, again.restart_count) == (State.RUNNING, 1)
    rig.exits.open()
    await rig.settle()
    assert rig.now(running) == again


async def test_who_waits_learns_of_it_before_it_is_taken_down(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await rig.running()
    may_delete = asyncio.Event()

    async def slow(_: str) -> None:
        await may_delete.wait()

    monkeypatch.setattr(rig.world.runtime, "delete", slow)
    waiting = rig.wait.register(running.id, "next-exit")
    rig.world.runtime.exit(running.id, 3)
    assert (await waiting.result()).exit_code == 3
    assert rig.now(running).owed
    may_delete.set()
    await rig.settle()
    assert not rig.now(running).owed


async def test_the_exit_is_written_before_the_runtime_forgets_it(rig: Rig) -> None:
    running = await rig.running()
    rig.plan.forget_calls()
    rig.world.runtime.exit(running.id, 3)
    await rig.settle()
    assert rig.plan.calls.index("records.commit") < rig.plan.calls.index("runtime.delete")


async def test_an_exit_that_cannot_be_written_is_recorded_later(rig: Rig) -> None:
    running = await rig.running()
    rig.world.records.fail_next("commit", Internal("disk is full"))
    rig.world.runtime.exit(running.id, 3)
    at_ns = rig.clock.wall_ns
    await rig.settle()
    assert rig.now(running).is_running
    rig.clock.advance(60)
    rig.timers.fire()
    await rig.settle()
    exited = rig.now(running)
    assert (exited.state, exited.exit_code, exited.finished_ns, exited.owed) == (State.EXITED, 3, at_ns, [])


async def test_what_cannot_be_taken_down_stays_owed(rig: Rig) -> None:
    running = await rig.running()
    rig.world.runtime.fail_next("delete", Internal("busy"))
    rig.world.runtime.exit(running.id)
    await rig.settle()
    assert rig.now(running).owed == [Step.RUNTIME]
    assert rig.world.leftovers()["sandboxes"] == []


async def test_a_start_that_comes_while_it_is_taken_down_waits(rig: Rig) -> None:
    running = await rig.running()
    rig.world.runtime.exit(running.id, 3)
    waiting = rig.wait.register(running.id, "next-exit")
    await waiting.result()
    assert rig.now(running).state is State.EXITED
    await rig.start(running.id)
    await rig.settle()
    again = rig.now(running)
    assert (again.state, again.exit_code) == (State.RUNNING, 0)
    assert again.sandbox_id != running.sandbox_id
    assert list(rig.world.sandboxes.keys) == [again.sandbox_id]


async def test_an_exit_of_a_container_that_is_not_known_is_passed_over(rig: Rig) -> None:
    rig.exits.on_exit(Exit(container_id=(await rig.created()).id, code=0, at_ns=1))
    await rig.settle()
    assert not rig.tasks.running


async def test_auto_remove(rig: Rig) -> None:
    volume, named = a_volume(anonymous=True), a_volume(name="kept")
    mounts = [
        MountPoint(type="volume", name=each.name, destination=f"/{each.name}", driver="local")
        for each in (volume, named)
    ]
    running = await rig.running(host_config=a_host_config(auto_remove=True), volumes=[volume, named], mounts=mounts)
    removed = rig.wait.register(running.id, "removed")
    rig.told(running)
    rig.world.runtime.exit(running.id, 5)
    assert (await removed.result()).exit_code == 5
    await rig.settle()
    assert rig.state(running) is None
    left = {kind: items for kind, items in rig.world.leftovers().items() if items}
    assert left == {"volumes": ["kept"]}
    assert list(rig.ledger.volumes) == ["kept"]
    told = rig.told(running)
    assert told[0] == "network disconnect"
    assert told[-1] == "destroy"


async def test_auto_remove_that_fails_leaves_a_dead_container(rig: Rig) -> None:
    running = await rig.running(host_config=a_host_config(auto_remove=True))
    rig.world.rootfs.fail_next("remove", Internal("busy"))
    rig.world.runtime.exit(running.id)
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).error) == (State.DEAD, "busy")
    await rig.remove(running.id)
    assert not any(rig.world.leftovers().values())


async def test_restart_always(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    waiting = rig.wait.register(running.id, "not-running")
    for count in (1, 2, 3):
        rig.told(running)
        rig.world.runtime.exit(running.id, 1)
        await rig.settle()
        between = rig.now(running)
        assert (between.state, between.restart_count, between.exit_code) == (State.RESTARTING, count, 1)
        assert rig.world.leftovers()["mounts"] == []
        assert rig.timers.fire() == [0.1 * 2 ** (count - 1)]
        await rig.settle()
        assert rig.now(running).state is State.RUNNING
        assert rig.told(running) == ["network disconnect", "die", "network connect", "start"]
    assert (await waiting.result()).exit_code == 1


async def test_on_failure_gives_up_after_its_tries(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("on-failure", 2))
    for _ in range(2):
        rig.world.runtime.exit(running.id, 1)
        await rig.settle()
        rig.timers.fire()
        await rig.settle()
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).restart_count) == (State.EXITED, 2)
    assert rig.timers.fire() == []


async def test_the_delay_begins_anew_after_a_long_run_and_after_a_start_by_hand(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    for seconds, delay_s in ((1, 0.1), (1, 0.2), (10, 0.1), (1, 0.2)):
        rig.clock.advance(seconds)
        rig.world.runtime.exit(running.id, 1)
        await rig.settle()
        assert rig.timers.fire() == [delay_s]
        await rig.settle()
    await rig.stop(running.id)
    await rig.settle()
    await rig.start(running.id)
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    assert rig.timers.fire() == [0.1]


async def test_a_restart_that_fails_is_not_tried_again(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"), cmd=["fickle"])
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    rig.world.runtime.missing_programs["fickle"] = StartFailed("no such file", 127)
    rig.timers.fire()
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).exit_code) == (State.EXITED, 127)
    assert rig.timers.fire() == []


async def test_a_stop_in_the_delay_ends_the_restarting(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    rig.told(running)
    waiting = rig.wait.register(running.id, "")
    await rig.stop(running.id)
    assert (await waiting.result()).exit_code == 1
    assert rig.told(running) == ["stop"]
    rig.timers.fire()
    await rig.settle()
    assert (rig.now(running).state, rig.now(running).manually_stopped) == (State.EXITED, True)


async def test_the_timer_of_an_earlier_exit_starts_nothing(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    stale = rig.timers.waiting[0]
    await rig.stop(running.id)
    await rig.start(running.id)
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    stale.action()
    await rig.settle()
    assert rig.now(running).state is State.RESTARTING


async def test_a_removal_in_the_delay(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    await rig.remove(running.id, force=True)
    rig.timers.fire()
    await rig.settle()
    assert not any(rig.world.leftovers().values())


async def test_a_closed_engine_restarts_nothing(rig: Rig) -> None:
    running = await rig.running(host_config=with_policy("always"))
    rig.world.runtime.exit(running.id, 1)
    await rig.settle()
    rig.exits.close()
    assert rig.timers.fire() == []
    assert rig.exits.timers == {}


async def test_many_exits_at_once(rig: Rig) -> None:
    records = await asyncio.gather(*(rig.running() for _ in range(20)))
    for code, record in enumerate(records):
        rig.world.runtime.exit(record.id, code)
    await rig.settle()
    assert [rig.now(record).exit_code for record in records] == list(range(20))
    assert not any(rig.world.leftovers()[kind] for kind in ("runtime", "mounts", "sandboxes", "endpoints"))
