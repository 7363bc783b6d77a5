"""Who looks after a container's log, and when."""

import asyncio
from typing import Any

import pytest

from tests.unit.engine.rig import Machine, Rig
from tests.unit.engine.streams.stage import turns
from wharfd.engine.containers import keep_logs
from wharfd.engine.containers.keep_logs import KeepLogs
from wharfd.model.config import LogConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.ports.logs import ContainerEnd, LogSubject, ReopenLog
from wharfd.testing.builders import a_config, a_host_config
from wharfd.testing.logs import FakeLogs


class Desk(Rig):
    def __init__(self, world: Machine, *args: Any, **kwargs: Any) -> None:
        super().__init__(world, *args, **kwargs)
        self.keep = KeepLogs(
            ledger=self.ledger, tasks=self.tasks, host=world.host, runtime=world.runtime, drivers=world.logs
        )

    async def open(self) -> None:
        await super().open()
        self.keep.open()
        await turns()

    @property
    def driver(self) -> FakeLogs:
        driver = self.world.logs["json-file"]
        assert isinstance(driver, FakeLogs)
        return driver

    async def logged(self, **over: Any) -> ContainerRecord:
        record = await self.created(log_path="/logs/box", **over)
        await self.start(record.id)
        await turns()
        return self.now(record)

    async def settled_but(self, name: str) -> None:
        """Nothing is under way but the task of that name."""
        while others := [task for task in self.tasks.running if task.get_name() != name]:
            await asyncio.wait(others, timeout=10)

    def attended(self) -> list[str]:
        return [subject.name for subject in self.driver.attended]


async def made() -> Desk:
    desk = Desk(Machine())
    await desk.open()
    return desk


async def test_from_the_start_to_the_end() -> None:
    desk = await made()
    record = await desk.logged(name="box")
    assert desk.attended() == ["box"]
    await desk.pause(record.id)
    await turns()
    assert desk.attended() == ["box"]
    desk.world.runtime.exit(record.id)
    await turns(60)
    assert desk.attended() == []
    assert desk.keep.attended == {}
    await desk.start(record.id)
    await turns()
    assert desk.attended() == ["box"]
    await desk.remove(record.id, force=True)
    await turns(60)
    assert desk.attended() == []


async def test_a_new_run_takes_over_from_one_that_is_not_done() -> None:
    desk = await made()
    record = await desk.logged()
    first = desk.keep.attended[record.id]
    desk.world.runtime.exit(record.id)
    await turns(3)  # so soon that its end was not heard yet, or not dealt with
    await desk.restart(record.id)
    await turns(60)
    assert len(desk.attended()) == 1
    assert desk.keep.attended[record.id].sandbox_id != first.sandbox_id
    assert not desk.keep.attended[record.id].end.is_over()


async def test_what_the_driver_is_told() -> None:
    desk = await made()
    options = {"tag": "{{.Name}}/{{.ID}}", "labels": "tier", "env": "MODE", "max-size": "1m"}
    record = await desk.logged(
        name="box",
        config=a_config(labels={"tier": "front", "x": "y"}, env=["MODE=fast", "A=b"], cmd=["sleep", "5"]),
        host_config=a_host_config(log_config=LogConfig(type="json-file", config=options)),
    )
    [subject] = desk.driver.attended
    assert subject.container_id == record.id
    assert subject.path == "/logs/box"
    assert subject.options == options
    assert subject.attributes == {"tier": "front", "MODE": "fast"}
    assert subject.tag == f"box/{record.id[:12]}"
    assert subject.command == "sleep 5"
    assert subject.image_name == "busybox"


async def test_the_driver_reaches_the_monitor() -> None:
    desk = await made()
    desk.driver.rotates = True
    await desk.logged()
    assert desk.world.runtime.reopened == [("/logs/box", "/logs/box.1")]


async def test_the_next_engine_goes_on() -> None:
    desk = await made()
    record = await desk.logged(name="runs")
    over = await desk.logged(name="over")
    never = await desk.created(log_path="/logs/never")
    desk.world.runtime.exit(over.id)
    await turns(60)
    await desk.die()
    assert desk.attended() == []
    desk.driver.calls.clear()
    following = Desk(desk.world)
    await following.open()
    assert following.attended() == ["runs"]
    # What has ended is looked after once more; what never ran is not.
    assert following.driver.calls.count("attend") == 2
    assert set(following.keep.attended) == {record.id}
    assert never.id not in following.keep.attended


async def test_a_removal_waits_for_what_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await made()
    desk.removal.logs = desk.keep
    done = asyncio.Event()
    attend = desk.driver.attend

    async def slow(subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        await attend(subject, end, reopen)
        await done.wait()

    monkeypatch.setattr(desk.driver, "attend", slow)
    record = await desk.logged(host_config=a_host_config(auto_remove=True))
    desk.world.runtime.exit(record.id)
    await turns(60)
    assert desk.state(record) is State.REMOVING
    done.set()
    await desk.settled_but("logs")
    assert desk.state(record) is None


async def test_a_removal_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_logs, "PARTING_S", 0.01)
    desk = await made()
    desk.removal.logs = desk.keep

    async def for_ever(subject: LogSubject, end: ContainerEnd, reopen: ReopenLog) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(desk.driver, "attend", for_ever)
    record = await desk.logged()
    await desk.remove(record.id, force=True)
    assert desk.state(record) is None


async def test_containers_without_a_log_are_left_alone() -> None:
    desk = await made()
    await desk.running(log_path="")
    await turns()
    assert desk.keep.attended == {}
