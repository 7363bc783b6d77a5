"""Lines on their way: in order, each at least once, whatever dies; nothing is held while nobody takes them."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.unit.drivers.logs.monitor import Monitor
from tests.waiting import until
from wharfd.drivers.logs.generations import shift, trim
from wharfd.drivers.logs.options import Limits
from wharfd.drivers.logs.remote import shipper as shippers
from wharfd.drivers.logs.remote.bookmark import load
from wharfd.drivers.logs.remote.shipper import Patience, Shipper
from wharfd.drivers.logs.rotation import Rotator
from wharfd.drivers.logs.stirring import Stirring
from wharfd.sys.blocking import Pool
from wharfd.testing.clock import START_NS
from wharfd.testing.logs import FakeEnd
from wharfd.wire.crilog import Record, format_record, record_time
from wharfd.wire.loglines import Message


class Receiver:
    """A `Sender`, and what it has got.  `is_down`: nothing is taken."""

    def __init__(self, tries: int | None = None) -> None:
        self.patience = Patience(first_s=0.001, longest_s=0.002, tries=tries)
        self.got: list[Message] = []
        self.is_down = False
        self.attempts = 0
        self.is_closed = False

    async def send(self, messages: Sequence[Message]) -> None:
        self.attempts += 1
        if self.is_down:
            raise ConnectionRefusedError("nobody is there")
        await asyncio.sleep(0)
        self.got += messages

    async def close(self) -> None:
        self.is_closed = True

    def numbers(self) -> list[int]:
        return [int(message.text) for message in self.got]


class Stage:
    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "log")
        self.folder = folder
        self.pool = Pool("logs", 1)
        self.stirring = Stirring()
        self.monitor = Monitor(self.path)
        self.receiver = Receiver()
        self.end = FakeEnd()
        self.tasks: list[asyncio.Task[None]] = []

    def ship(self, most_behind: int | None = None) -> "asyncio.Task[None]":
        made = Shipper(self.path, self.receiver, pool=self.pool, stirring=self.stirring, most_behind=most_behind)
        task = asyncio.ensure_future(made.run(self.end))
        self.tasks.append(task)
        return task

    async def die(self) -> None:
        """The engine is killed: what its task would do at its end is not done."""
        before = self.bookmark_file()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        if before is not None:
            (self.folder / "log.sent").write_bytes(before)
        else:
            (self.folder / "log.sent").unlink(missing_ok=True)

    def bookmark_file(self) -> bytes | None:
        file = self.folder / "log.sent"
        return file.read_bytes() if file.exists() else None

    def rotator(self, size: int, files: int, *, compress: bool) -> Rotator:
        return Rotator(
            self.path,
            Limits(max_size_bytes=size, max_files=files, compress=compress),
            reopen=self.monitor.reopen,
            on_new_file=lambda _: None,
            stirring=self.stirring,
            pool=self.pool,
        )

    def write_raw(self, text: bytes, *, partial: bool = False, cut: bool = False) -> None:
        os.write(self.monitor.fd, format_record(Record(1, record_time(START_NS), partial, text, cut)))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.die()
    stage.monitor.close()
    stage.pool.close()


async def test_from_the_first_line_to_the_last(stage: Stage) -> None:
    stage.monitor.write(3)
    task = stage.ship()
    await until(lambda: stage.receiver.numbers() == [0, 1, 2])
    stage.monitor.write(2)
    await until(lambda: stage.receiver.numbers() == [0, 1, 2, 3, 4])
    stage.monitor.write(1)
    stage.end.end()
    await asyncio.wait_for(task, 20)
    assert stage.receiver.numbers() == [0, 1, 2, 3, 4, 5]
    assert stage.receiver.is_closed
    assert stage.stirring.inotify is None


async def test_a_receiver_that_is_away(stage: Stage) -> None:
    stage.receiver.is_down = True
    stage.monitor.write(3)
    task = stage.ship()
    await until(lambda: stage.receiver.attempts > 3)
    stage.monitor.write(3)
    stage.end.end()
    await until(lambda: stage.receiver.attempts > 6)
    assert not task.done()
    assert not [
        name
        for name in os.listdir("/proc/self/fd")
        if opened(name).startswith(stage.path) and int(name) != stage.monitor.fd
    ]
    stage.receiver.is_down = False
    await asyncio.wait_for(task, 20)
    assert stage.receiver.numbers() == [0, 1, 2, 3, 4, 5]


def opened(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


async def test_tries_that_come_to_an_end(stage: Stage) -> None:
    stage.receiver = Receiver(tries=2)
    stage.receiver.is_down = True
    stage.monitor.write(3)
    stage.ship()
    await until(lambda: load(stage.path).offset > 0)
    assert stage.receiver.attempts == 3
    stage.receiver.is_down = False
    stage.monitor.write(2)
    await until(lambda: stage.receiver.numbers() == [3, 4])


@pytest.mark.parametrize("compress", [False, True])
async def test_through_rotations(stage: Stage, compress: bool) -> None:
    rotator = stage.rotator(2000, 3, compress=compress)
    task = stage.ship()
    for turn in range(20):
        stage.monitor.write(20, size=50)
        await rotator.look()
        if turn % 2:
            await until(lambda: len(stage.receiver.got) == stage.monitor.number)
    stage.end.end()
    await asyncio.wait_for(task, 20)
    assert stage.receiver.numbers() == list(range(stage.monitor.number))


async def test_what_was_rotated_away_meanwhile_is_lost_and_nothing_else(stage: Stage) -> None:
    stage.monitor.write(5)
    stage.ship()
    await until(lambda: len(stage.receiver.got) == 5)
    await stage.die()
    for _ in range(3):
        shift(stage.path)
        stage.monitor.told = 1
        stage.monitor.obey()
        trim(stage.path, 1)
        stage.monitor.write(5)
    stage.ship()
    await until(lambda: stage.receiver.numbers()[-1:] == [19])
    assert stage.receiver.numbers() == [0, 1, 2, 3, 4, *range(10, 20)]


@pytest.mark.parametrize("compress", [False, True])
async def test_the_next_engine_goes_on(stage: Stage, compress: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent since it was last put down is sent again, and nothing else."""
    monkeypatch.setattr(shippers, "BLOCK", 1000)
    rotator = stage.rotator(3000, 50, compress=compress)
    for turn in range(10):
        stage.ship()
        stage.monitor.write(30, size=50)
        await rotator.look()
        if turn % 3 == 0:
            await until(
                lambda: (
                    stage.receiver.got != []
                    and stage.receiver.got[-1].text.strip() == b"%d" % (stage.monitor.number - 1)
                )
            )
        else:
            await asyncio.sleep(0.001)
        await stage.die()
    stage.end.end()
    await asyncio.wait_for(stage.ship(), 20)
    numbers = stage.receiver.numbers()
    assert list(dict.fromkeys(numbers)) == list(range(stage.monitor.number))
    # Each engine begins again at a place that it or one before it has passed.
    assert all(after <= before + 1 for before, after in itertools.pairwise(numbers))


async def test_an_engine_that_ends_in_good_order_repeats_nothing(stage: Stage) -> None:
    for _ in range(5):
        task = stage.ship()
        stage.monitor.write(10)
        await until(lambda: len(stage.receiver.got) == stage.monitor.number)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stage.tasks.clear()
    assert stage.receiver.numbers() == list(range(50))


async def test_open_lines_go_over_to_the_next_engine(stage: Stage) -> None:
    stage.write_raw(b"x" * 20_000, partial=True)
    task = stage.ship()
    await until(lambda: len(stage.receiver.got) == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    stage.tasks.clear()
    stage.write_raw(b"y" * 10)
    stage.end.end()
    await asyncio.wait_for(stage.ship(), 20)
    first, second = stage.receiver.got
    assert first.text + second.text == b"x" * 20_000 + b"y" * 10
    assert first.part is not None
    assert second.part is not None
    assert first.part.line_id == second.part.line_id
    assert (first.part.ordinal, second.part.ordinal, second.part.is_last) == (1, 2, True)


async def test_a_line_that_its_container_has_left_open_is_sent_once(stage: Stage) -> None:
    stage.write_raw(b"prompt> ", partial=True)
    stage.end.end()
    await asyncio.wait_for(stage.ship(), 20)
    stage.write_raw(b"", cut=True)
    stage.write_raw(b"next")
    await asyncio.wait_for(stage.ship(), 20)
    assert [message.text for message in stage.receiver.got] == [b"prompt> ", b"next"]


async def test_nothing_new_asks_nobody(stage: Stage) -> None:
    stage.monitor.write(2)
    stage.end.end()
    await asyncio.wait_for(stage.ship(), 20)
    attempts = stage.receiver.attempts
    await asyncio.wait_for(stage.ship(), 20)
    assert stage.receiver.attempts == attempts


async def test_only_so_much_may_wait(stage: Stage) -> None:
    stage.receiver.is_down = True
    stage.ship(most_behind=2000)
    stage.monitor.write(100, size=55)  # 100 bytes each
    await until(lambda: stage.receiver.attempts > 2)
    stage.receiver.is_down = False
    stage.end.end()
    await asyncio.wait_for(stage.tasks[0], 20)
    numbers = stage.receiver.numbers()
    assert numbers == list(range(numbers[0], 100))
    assert 15 <= len(numbers) <= 20


async def test_a_removed_log_ends_nothing_else(stage: Stage) -> None:
    stage.monitor.write(2)
    task = stage.ship()
    await until(lambda: len(stage.receiver.got) == 2)
    for path in stage.folder.iterdir():
        path.unlink()
    stage.folder.rmdir()
    await asyncio.sleep(0.01)
    stage.end.end()
    await asyncio.wait_for(task, 20)
    stage.folder.mkdir()
