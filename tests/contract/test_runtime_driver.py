"""The `RuntimeDriver` contract, held against the real driver (root) and the fake.

A `Subject` makes launches of four kinds of process and waits; everything else is the port.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace

from tests.integration.runtime.lab import Lab, needs
from wharfd.model.errors import Conflict, StartFailed
from wharfd.model.ids import ContainerId
from wharfd.ports.runtime import Exit, Launch, RuntimeDriver
from wharfd.testing.builders import a_host_config, a_launch, an_id
from wharfd.testing.runtime import FakeRuntime


class Subject(Protocol):
    exits: list[Exit]

    @property
    def driver(self) -> RuntimeDriver: ...

    def sleeper(self) -> Launch:
        """A process that ends on SIGTERM only, with code 143 or 7."""

    def ends_with(self, code: int) -> Launch:
        """A process that ends at once when it is started."""

    def missing(self) -> Launch:
        """A program that does not exist."""

    async def restart(self) -> None:
        """Another engine takes over."""


async def wait_for(subject: Subject, container_id: str) -> Exit:
    async with asyncio.timeout(20):
        while not (found := [exit_seen for exit_seen in subject.exits if exit_seen.container_id == container_id]):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found[0]


@dataclass
class FakeSubject:
    driver: FakeRuntime = field(default_factory=FakeRuntime)
    exits: list[Exit] = field(default_factory=list)

    def sleeper(self) -> Launch:
        return a_launch()

    def ends_with(self, code: int) -> Launch:
        launch = a_launch()
        self.driver.exits_after_start(launch.container_id, code)
        return launch

    def missing(self) -> Launch:
        launch = a_launch(spec={"root": {"path": "/"}, "process": {"args": ["nope"]}})
        self.driver.missing_programs["nope"] = StartFailed(
            'exec: "nope": executable file not found in $PATH: unknown', 127
        )
        return launch

    async def restart(self) -> None:
        await self.driver.close()
        await self.driver.open(self.exits.append)


@dataclass
class RealSubject:
    lab: Lab
    exits: list[Exit] = field(default_factory=list)

    @property
    def driver(self) -> RuntimeDriver:
        return self.lab.driver

    def sleeper(self) -> Launch:
        return self.lab.launch(self.lab.record("trap 'exit 7' TERM; while :; do sleep 0.02; done"))

    def ends_with(self, code: int) -> Launch:
        return self.lab.launch(self.lab.record(f"exit {code}"))

    def missing(self) -> Launch:
        return self.lab.launch(self.lab.record(["nope"]))

    async def restart(self) -> None:
        await self.lab.driver.close()
        self.lab.driver = Lab.make_driver(self.lab.directory)
        await self.lab.driver.open(self.exits.append)


@pytest.fixture(params=["fake", pytest.param("driver", marks=needs())])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        fake = FakeSubject()
        await fake.driver.open(fake.exits.append)
        yield fake
        await fake.driver.close()
        return
    async with Lab.open(tmp_path) as lab:
        real = RealSubject(lab, lab.seen)
        yield real


async def begin(subject: Subject, launch: Launch) -> tuple[ContainerId, int, int]:
    launched = await subject.driver.create(launch)
    await subject.driver.start(launch.container_id)
    return launch.container_id, launched.pid, launched.pid_start


async def test_a_process_exits_with_its_code_and_is_told_of_once(subject: Subject) -> None:
    container_id, pid, start = await begin(subject, subject.ends_with(3))
    exit_seen = await wait_for(subject, container_id)
    assert (exit_seen.code, exit_seen.oom_killed) == (3, False)
    assert exit_seen.at_ns > 0
    seen = await subject.driver.observe(container_id, pid, start)
    assert (seen.alive, seen.exit, seen.remains) == (False, exit_seen, True)
    await subject.driver.delete(container_id)
    assert subject.exits == [exit_seen]


async def test_creating_again_before_the_start_gives_the_same(subject: Subject) -> None:
    launch = subject.sleeper()
    first = await subject.driver.create(launch)
    assert await subject.driver.create(launch) == first


async def test_starting_again_is_no_error(subject: Subject) -> None:
    container_id, _, _ = await begin(subject, subject.sleeper())
    await subject.driver.start(container_id)
    assert subject.exits == []


async def test_creating_what_runs_already_is_refused(subject: Subject) -> None:
    launch = subject.sleeper()
    await begin(subject, launch)
    with pytest.raises(StartFailed):
        await subject.driver.create(launch)


async def test_what_was_never_created_cannot_be_started(subject: Subject) -> None:
    with pytest.raises(StartFailed):
        await subject.driver.start(ContainerId(an_id()))


async def test_a_failed_create_leaves_nothing(subject: Subject) -> None:
    launch = subject.missing()
    with pytest.raises(StartFailed) as caught:
        await subject.driver.create(launch)
    assert caught.value.exit_code == 127
    assert "executable file not found" in caught.value.message
    assert launch.container_id not in await subject.driver.leftovers()
    seen = await subject.driver.observe(launch.container_id, 0, 0)
    assert (seen.alive, seen.exit, seen.remains) == (False, None, False)


async def test_an_exit_is_observed_by_the_engine_after(subject: Subject) -> None:
    container_id, pid, start = await begin(subject, subject.sleeper())
    await subject.restart()
    seen = await subject.driver.observe(container_id, pid, start)
    assert (seen.alive, seen.pid, seen.pid_start) == (True, pid, start)
    await subject.driver.signal(container_id, pid, signal.SIGKILL)
    assert (await wait_for(subject, container_id)).code == 137


async def test_signals_reach_it_until_it_is_gone(subject: Subject) -> None:
    container_id, pid, _ = await begin(subject, subject.sleeper())
    await asyncio.sleep(0.2)  # the shell sets its trap
    await subject.driver.signal(container_id, pid, signal.SIGTERM)
    assert (await wait_for(subject, container_id)).code in (7, 143)
    with pytest.raises(Conflict):
        await subject.driver.signal(container_id, pid, signal.SIGTERM)


async def test_a_signal_to_another_process_is_refused(subject: Subject) -> None:
    container_id, _, _ = await begin(subject, subject.sleeper())
    with pytest.raises(Conflict):
        await subject.driver.signal(container_id, 2**22 + 1, signal.SIGTERM)


async def test_pause_and_resume(subject: Subject) -> None:
    container_id, pid, start = await begin(subject, subject.sleeper())
    await asyncio.sleep(0.2)
    await subject.driver.pause(container_id)
    await subject.driver.pause(container_id)
    assert (await subject.driver.observe(container_id, pid, start)).paused
    await subject.driver.signal(container_id, pid, signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert subject.exits == []
    await subject.driver.resume(container_id)
    await wait_for(subject, container_id)


async def test_only_what_runs_can_be_paused(subject: Subject) -> None:
    launch = subject.sleeper()
    await subject.driver.create(launch)
    with pytest.raises(Conflict):
        await subject.driver.pause(launch.container_id)
    with pytest.raises(Conflict):
        await subject.driver.pause(ContainerId(an_id()))


async def test_delete_ends_what_runs_and_is_idempotent(subject: Subject) -> None:
    container_id, pid, start = await begin(subject, subject.sleeper())
    assert container_id in await subject.driver.leftovers()
    await subject.driver.delete(container_id)
    await subject.driver.delete(container_id)
    assert (await wait_for(subject, container_id)).code == 137
    assert await subject.driver.leftovers() == []
    seen = await subject.driver.observe(container_id, pid, start)
    assert (seen.alive, seen.exit, seen.remains) == (False, None, False)


async def test_an_id_can_be_used_again_after_delete(subject: Subject) -> None:
    first = subject.ends_with(1)
    container_id, _, _ = await begin(subject, first)
    await wait_for(subject, container_id)
    await subject.driver.delete(container_id)
    await begin(subject, replace(subject.sleeper(), container_id=container_id))
    assert [exit_seen.code for exit_seen in subject.exits] == [1]
    await subject.driver.delete(container_id)


async def test_its_processes_are_listed(subject: Subject) -> None:
    container_id, pid, _ = await begin(subject, subject.sleeper())
    assert pid in await subject.driver.processes(container_id)
    titles, rows = await subject.driver.top([pid], "")
    assert [row[titles.index("PID")] for row in rows] == [str(pid)]
    assert await subject.driver.processes(ContainerId(an_id())) == []


async def test_stats_and_update_need_a_running_container(subject: Subject) -> None:
    container_id, pid, _ = await begin(subject, subject.sleeper())
    await subject.driver.update(container_id, a_host_config(memory=128 << 20))
    assert (await subject.driver.stats(container_id, pid)).memory_usage_bytes > 0
    nobody = ContainerId(an_id())
    with pytest.raises(Conflict):
        await subject.driver.update(nobody, a_host_config(memory=128 << 20))
    with pytest.raises(Conflict):
        await subject.driver.stats(nobody, os.getpid())


async def test_facts_about_itself(subject: Subject) -> None:
    infos = await subject.driver.infos()
    assert "crun" in [info.name for info in infos]
    assert all(info.version for info in infos)
    assert await subject.driver.monitor_version()
    assert isinstance(await subject.driver.init_version(), str)
