"""Who may read which log, and when a follower ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from wharfd.engine.containers.logs import LogRequest, Logs
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.events import EventBus
from wharfd.engine.ledger import Ledger
from wharfd.model.config import LogConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, ContainerNotFound, Internal, InvalidParameter, NotImplementedHere
from wharfd.testing.builders import a_config, a_container, a_host_config
from wharfd.testing.logs import FakeLogs
from wharfd.testing.records import FakeRecords
from wharfd.wire.stdcopy import Decoder


class Stage:
    def __init__(self) -> None:
        self.waiters = Waiters()
        self.records = FakeRecords()
        self.ledger = Ledger(self.records, EventBus())
        self.driver = FakeLogs()
        self.logs = Logs(
            ledger=self.ledger,
            waiters=self.waiters,
            drivers={"json-file": self.driver, "none": FakeLogs("none", ())},
        )

    def have(self, **over: object) -> ContainerRecord:
        record = a_container(**{"name": "web", **over})  # type: ignore[arg-type]
        self.ledger.post(record)
        return record


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.ledger.open()
    return stage


def wanted(**over: object) -> LogRequest:
    return LogRequest(**{"stdout": True, "stderr": True, **over})  # type: ignore[arg-type]


async def text_of(stage: Stage, **over: object) -> bytes:
    found = stage.logs.open("web", wanted(**over))
    return b"".join([block async for block in found.blocks])


async def test_frames_without_a_tty_raw_bytes_with_one(stage: Stage) -> None:
    for tty in (False, True):
        record = stage.have(tty=tty, id="a" * 64)
        stage.driver.write(record.log_path, "stdout", b"x\n")
        found = stage.logs.open("web", wanted(tail=1))
        assert found.has_tty is tty
        assert [block async for block in found.blocks] == [b"x\n" if tty else b"\1\0\0\0\0\0\0\2x\n"]


async def test_details_stand_before_each_line(stage: Stage) -> None:
    host_config = a_host_config(
        log_config=LogConfig(
            type="json-file",
            config={"labels": "tier", "labels-regex": "^org", "env": "MODE", "env-regex": "^A_", "tag": "{{.Name}}"},
        )
    )
    labels = {"tier": "front & back", "org.x": "1", "other": "2"}
    config = a_config(env=["MODE=b=c", "A_1=ü", "PATH=/bin", "EMPTY"])
    record = stage.have(config=config, host_config=host_config, labels=labels, tty=True)
    stage.driver.write(record.log_path, "stdout", b"x\n")
    assert await text_of(stage, details=True) == b"A_1=%C3%BC,MODE=b%3Dc,org.x=1,tag=web,tier=front+%26+back x\n"


async def test_details_of_nothing_are_a_blank(stage: Stage) -> None:
    record = stage.have(tty=True)
    stage.driver.write(record.log_path, "stdout", b"x\n")
    assert await text_of(stage, details=True) == b" x\n"


async def test_no_such_container(stage: Stage) -> None:
    with pytest.raises(ContainerNotFound):
        stage.logs.open("nobody", wanted())


@pytest.mark.parametrize("state", [State.REMOVING, State.DEAD])
async def test_what_is_being_removed_has_no_log_to_read(stage: Stage, state: State) -> None:
    stage.have(state=state)
    with pytest.raises(Conflict, match=r"^can not get logs from container which is dead or marked for removal$"):
        stage.logs.open("web", wanted())


async def test_a_kind_that_cannot_be_read(stage: Stage) -> None:
    stage.have(state=State.RUNNING, host_config=a_host_config(log_config=LogConfig(type="none")))
    with pytest.raises(NotImplementedHere, match=r"^configured logging driver does not support reading$"):
        stage.logs.open("web", wanted())
    assert not stage.waiters.by_container


async def test_neither_stream(stage: Stage) -> None:
    stage.have()
    with pytest.raises(InvalidParameter):
        stage.logs.open("web", wanted(stdout=False, stderr=False))


@pytest.mark.parametrize("state", [State.CREATED, State.EXITED, State.RESTARTING])
async def test_following_what_does_not_run_ends_at_once(stage: Stage, state: State) -> None:
    record = stage.have(state=state, tty=True)
    stage.driver.write(record.log_path, "stdout", b"old\nand no end")
    assert await asyncio.wait_for(text_of(stage, follow=True), 20) == b"old\nand no end"


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.PAUSED])
async def test_a_follower_ends_with_the_run(stage: Stage, state: State) -> None:
    record = stage.have(state=state, tty=True)
    reading = asyncio.ensure_future(text_of(stage, follow=True))
    await asyncio.sleep(0)
    stage.driver.write(record.log_path, "stdout", b"one\n")
    await asyncio.sleep(0)
    assert not reading.done()
    stage.driver.write(record.log_path, "stdout", b"two")
    stage.waiters.exited(record)
    assert await asyncio.wait_for(reading, 20) == b"one\ntwo"
    assert not stage.waiters.by_container


async def test_who_leaves_is_forgotten_read_or_not(stage: Stage) -> None:
    stage.have(state=State.RUNNING)
    for reads in (False, True):
        found = stage.logs.open("web", wanted(follow=True))
        assert stage.waiters.by_container
        if reads:
            waiting = asyncio.ensure_future(anext(found.blocks))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await found.blocks.aclose()  # type: ignore[attr-defined]
        assert not stage.waiters.by_container


@pytest.mark.parametrize("tty", [False, True])
async def test_a_failure_is_the_last_word_of_the_stream(stage: Stage, tty: bool) -> None:
    stage.have(tty=tty)

    class Broken(FakeLogs):
        async def blocks(self, *_: object) -> AsyncIterator[bytes]:
            yield b"\1\0\0\0\0\0\0\2x\n"
            raise Internal("log /x cannot be read: Input/output error")

    stage.logs.drivers = {"json-file": Broken()}
    blocks = [block async for block in stage.logs.open("web", wanted()).blocks]
    text = b"Error grabbing logs: log /x cannot be read: Input/output error\n"
    assert len(blocks) == 2
    assert blocks[1] == text if tty else Decoder().feed(blocks[1]) == [(3, text)]
