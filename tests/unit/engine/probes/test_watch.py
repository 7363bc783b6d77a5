"""Probes of containers on the fake machine: when they run, what is told and kept, and what ends them."""

import asyncio
from typing import Any

import pytest

from tests.unit.engine.rig import Machine, fresh_id
from tests.unit.engine.streams.stage import Stage, turns
from wharfd.engine.probes.probe import Probe
from wharfd.engine.probes.watch import HealthWatch
from wharfd.model.config import HealthConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import StartFailed
from wharfd.testing.builders import a_config
from wharfd.testing.streams import FakeExec

S = 10**9


class Ward(Stage):
    """A stage with somebody who watches health; time passes only by `pass_time`."""

    def __init__(self, world: Machine, *args: Any, **kwargs: Any) -> None:
        super().__init__(world, *args, **kwargs)
        self.sleeps: list[tuple[float, asyncio.Future[None]]] = []
        self.health = HealthWatch(
            ledger=self.ledger,
            locks=self.locks,
            clock=self.clock,
            tasks=self.tasks,
            probe=Probe(ledger=self.ledger, clock=self.clock, execs=self.execs, start=self.start_exec, new_id=fresh_id),
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self.sleeps.append((seconds, waiting))
        await waiting

    async def open(self) -> None:
        await super().open()
        self.health.open()
        await turns()

    @classmethod
    async def made(cls) -> "Ward":
        ward = cls(Machine())
        await ward.open()
        return ward

    async def patient(self, **check: Any) -> ContainerRecord:
        config = HealthConfig(**{"test": ["CMD", "check"], "interval": 2 * S, "retries": 2, **check})
        record = await self.running(config=a_config(healthcheck=config))
        await turns()
        self.events()
        return record

    async def pass_time(self) -> list[float]:
        """Whoever sleeps wakes up; how long each wanted to sleep."""
        sleeps, self.sleeps = [each for each in self.sleeps if not each[1].done()], []
        for _, waiting in sleeps:
            waiting.set_result(None)
        await turns()
        return [seconds for seconds, _ in sleeps]

    async def probe(self, code: int, output: bytes = b"") -> FakeExec:
        """The next one runs to its end."""
        count = len(self.streams.execs)
        await self.pass_time()
        assert len(self.streams.execs) == count + 1, "no probe, or more than one"
        process = self.streams.execs[-1]
        if output:
            process.say(output)
        process.exit(code)
        await turns()
        return process

    def status(self, record: ContainerRecord) -> tuple[str, int]:
        health = self.now(record).health
        assert health is not None
        return health.status, health.failing_streak


async def test_from_starting_to_healthy_and_back() -> None:
    ward = await Ward.made()
    record = await ward.patient()
    assert ward.status(record) == ("starting", 0)
    await ward.probe(0, b"fine\n")
    assert ward.status(record) == ("healthy", 0)
    health = ward.now(record).health
    assert health is not None
    assert [(each.exit_code, each.output) for each in health.log] == [(0, "fine\n")]
    exec_events = ["exec_create: check ", "exec_start: check ", "exec_die"]
    assert ward.told(record) == [*exec_events, "health_status: healthy"]
    await ward.probe(1)
    assert ward.told(record) == exec_events
    await ward.probe(1)
    assert ward.told(record) == [*exec_events, "health_status: unhealthy"]
    assert ward.status(record) == ("unhealthy", 2)
    await ward.probe(0)
    assert ward.told(record)[-1] == "health_status: healthy"


async def test_what_a_probe_is_run_as() -> None:
    ward = await Ward.made()
    await ward.running(config=a_config(healthcheck=HealthConfig(test=["CMD-SHELL", "a | b"]), env=["A=1"], user="7"))
    await turns()
    process = await ward.probe(0)
    request = process.request
    assert request.args == ["/bin/sh", "-c", "a | b"]
    assert "A=1" in request.env
    assert (request.user, request.cwd) == (None, "")  # the container's own
    assert (request.stdin, request.stdout, request.stderr, request.terminal) == (False, True, True, False)


async def test_who_has_no_check_is_left_alone() -> None:
    ward = await Ward.made()
    for test in ([], ["NONE"], ["WHAT", "x"]):
        record = await ward.patient(test=test)
        assert ward.now(record).health is None
    assert await ward.pass_time() == []


async def test_delays() -> None:
    ward = await Ward.made()
    await ward.patient(start_period=10 * S, start_interval=3 * S)
    assert await ward.pass_time() == [3]
    ward.streams.execs[-1].exit(1)
    await turns()
    ward.clock.advance(11 * S)
    assert await ward.pass_time() == [3]
    ward.streams.execs[-1].exit(1)
    await turns()
    assert await ward.pass_time() == [2]


async def test_one_probe_at_a_time() -> None:
    ward = await Ward.made()
    record = await ward.patient()
    await ward.pass_time()
    assert ward.execs.of(ward.now(record)) != []
    assert await ward.pass_time() == []
    assert len(ward.streams.execs) == 1
    ward.streams.execs[0].exit(0)
    await turns()
    assert ward.execs.by_id == {}  # probes are not kept


async def test_a_probe_that_takes_too_long() -> None:
    ward = await Ward.made()
    record = await ward.patient(timeout=10**6, retries=1)
    await ward.pass_time()
    process = ward.streams.execs[-1]
    process.say(b"so far")
    async with asyncio.timeout(10):
        await process.wait()
    await turns()
    assert process.code == 137
    health = ward.now(record).health
    assert health is not None
    assert [(each.exit_code, each.output) for each in health.log] == [
        (-1, "Health check exceeded timeout (1ms): so far")
    ]


async def test_a_probe_that_cannot_be_run() -> None:
    ward = await Ward.made()
    record = await ward.patient(retries=1)
    ward.world.runtime.missing_programs["check"] = StartFailed("no such thing", 127)
    await ward.pass_time()
    assert ward.status(record) == ("unhealthy", 1)
    health = ward.now(record).health
    assert health is not None
    assert [(each.exit_code, each.output) for each in health.log] == [(-1, "no such thing")]
    assert ward.execs.by_id == {}


async def test_a_pause_breaks_the_probe_off() -> None:
    ward = await Ward.made()
    record = await ward.patient()
    await ward.probe(0)
    await ward.pass_time()
    process = ward.streams.execs[-1]
    ward.events()
    await ward.pause(record.id)
    await turns()
    assert process.code == 137
    assert ward.status(record) == ("unhealthy", 0)
    assert await ward.pass_time() == []
    assert "health_status: unhealthy" not in ward.told(record)
    await ward.unpause(record.id)
    await turns()
    assert ward.status(record) == ("unhealthy", 0)
    await ward.probe(0)
    assert ward.status(record) == ("healthy", 0)


async def test_an_end_and_a_new_start() -> None:
    ward = await Ward.made()
    record = await ward.patient()
    await ward.probe(1)
    ward.world.runtime.exit(record.id, 0)
    await turns(60)
    assert ward.state(record) is State.EXITED
    assert ward.status(record)[0] == "unhealthy"
    assert await ward.pass_time() == []
    await ward.start(record.id)
    await turns()
    assert ward.status(record) == ("starting", 0)
    await ward.probe(0)
    assert ward.status(record) == ("healthy", 0)
    health = ward.now(record).health
    assert health is not None
    assert [each.exit_code for each in health.log] == [1, 0]
    await ward.remove(record.id, force=True)
    await turns(60)
    assert await ward.pass_time() == []
    assert ward.health.watched == {}


async def test_a_result_that_comes_after_the_end_is_nobody_s() -> None:
    ward = await Ward.made()
    record = await ward.patient()
    await ward.pass_time()
    async with ward.locks.hold("container", record.id):
        ward.world.runtime.exit(record.id, 0)  # and its execs with it
        await turns()
        assert ward.streams.execs[-1].code == 137
    await turns(60)
    health = ward.now(record).health
    assert health is not None
    assert (health.status, health.failing_streak, health.log) == ("unhealthy", 0, [])


async def test_a_probe_that_somebody_kills_has_failed() -> None:
    ward = await Ward.made()
    record = await ward.patient(retries=1)
    await ward.probe(137)
    assert ward.status(record) == ("starting", 0)
    await ward.pass_time()
    assert ward.status(record) == ("unhealthy", 1)


async def test_another_engine_goes_on_watching() -> None:
    ward = await Ward.made()
    record = await ward.patient()
    await ward.probe(0)
    await ward.die()
    next_ward = Ward(ward.world)
    await next_ward.open()
    assert next_ward.status(record) == ("healthy", 0)
    await next_ward.probe(1)
    await next_ward.probe(1)
    assert next_ward.status(record) == ("unhealthy", 2)


@pytest.mark.parametrize("code", [0, 1])
async def test_results_that_change_nothing_are_not_written(code: int) -> None:
    ward = await Ward.made()
    record = await ward.patient(retries=1)
    await ward.probe(code)
    rows = ward.world.records.rows
    before = rows["container", record.id]
    await ward.probe(code)
    assert ward.now(record) != before
    assert rows["container", record.id] == before
