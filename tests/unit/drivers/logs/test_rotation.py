"""Rotation of a log that is being written: sizes, numbers, followers, and an engine that dies in the middle."""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drivers.logs.monitor import Monitor
from wharfd.drivers.logs import rotation
from wharfd.drivers.logs.compression import compress
from wharfd.drivers.logs.generations import rotated, tidy
from wharfd.drivers.logs.growth import Growth
from wharfd.drivers.logs.options import Limits
from wharfd.drivers.logs.reader import LogReader
from wharfd.drivers.logs.rotation import Rotator
from wharfd.drivers.logs.stirring import Stirring
from wharfd.model.errors import Conflict
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_log_query
from wharfd.testing.clock import START_NS
from wharfd.testing.logs import FakeEnd


class Died(BaseException):
    """The engine is gone."""


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "log")
        self.pool = Pool("logs", 1)
        self.reader = LogReader(self.pool, Growth(), lambda: START_NS)
        self.stirring = Stirring()
        self.monitor = Monitor(self.path)
        self.end = FakeEnd()
        self.tasks: list[asyncio.Task[None]] = []

    def rotator(self, *, size: int = 10_000, files: int = 3, compress: bool = False) -> Rotator:
        return Rotator(
            self.path,
            Limits(max_size_bytes=size, max_files=files, compress=compress),
            reopen=self.monitor.reopen,
            on_new_file=self.reader.rotated,
            stirring=self.stirring,
            pool=self.pool,
        )

    def run(self, rotator: Rotator) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(rotator.run(self.end))
        self.tasks.append(task)
        return task

    async def lines(self, **query: Any) -> list[int]:
        blocks = self.reader.read(self.path, a_log_query(**query), FakeEnd(over=True))
        return [int(line) for line in b"".join([block async for block in blocks]).split()]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for task in stage.tasks:
        task.cancel()
    await asyncio.gather(*stage.tasks, return_exceptions=True)
    stage.monitor.close()
    stage.pool.close()


async def test_a_small_file_is_left_alone(stage: Stage) -> None:
    stage.monitor.write(10)
    rotator = stage.rotator()
    assert await rotator.look() is not None  # it has grown
    assert await rotator.look() is None
    assert stage.names() == ["log"]


async def test_generations(stage: Stage) -> None:
    rotator = stage.rotator(size=1000, files=3)
    for _ in range(5):
        stage.monitor.write(10, size=100)
        await rotator.look()
    assert stage.names() == ["log", "log.1", "log.2"]
    assert await stage.lines() == list(range(30, 50))
    stage.monitor.write(1)
    assert await stage.lines(tail=3) == [48, 49, 50]


async def test_one_file_only(stage: Stage) -> None:
    rotator = stage.rotator(size=1000, files=1)
    stage.monitor.write(10, size=100)
    await rotator.look()
    stage.monitor.write(1)
    assert stage.names() == ["log"]
    assert await stage.lines() == [10]


async def test_compressed_generations(stage: Stage) -> None:
    rotator = stage.rotator(size=1000, files=4, compress=True)
    for _ in range(6):
        stage.monitor.write(10, size=100)
        await rotator.look()
    stage.monitor.write(1)
    assert stage.names() == ["log", "log.1.gz", "log.2.gz", "log.3.gz"]
    assert await stage.lines() == list(range(30, 61))
    assert await stage.lines(tail=25) == list(range(36, 61))
    assert await stage.lines(since_ns=START_NS + 45) == list(range(45, 61))
    assert await stage.lines(until_ns=START_NS + 41) == list(range(30, 42))
    assert b" 40 " in gzip.decompress((stage.folder / "log.2.gz").read_bytes()).replace(b"F ", b" ")


async def test_what_is_older_is_not_unpacked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    rotator = stage.rotator(size=1000, files=4, compress=True)
    for _ in range(4):
        stage.monitor.write(10, size=100)
        await rotator.look()
    stage.monitor.write(2)

    def expand(*_: object) -> int:
        raise AssertionError("unpacked")

    monkeypatch.setattr("wharfd.drivers.logs.files.expand", expand)
    assert await stage.lines(since_ns=START_NS + 40) == [40, 41]


async def test_followers_miss_nothing_and_get_nothing_twice(stage: Stage) -> None:
    seen: list[int] = []

    async def follow() -> None:
        async for block in stage.reader.read(stage.path, a_log_query(follow=True), stage.end):
            seen.extend(map(int, block.split()))

    async def stall() -> None:
        """Takes one block, and the rest only at the end."""
        blocks = stage.reader.read(stage.path, a_log_query(follow=True), stage.end)
        late.extend(map(int, (await anext(aiter(blocks))).split()))
        await stalled.wait()
        async for block in blocks:
            late.extend(map(int, block.split()))

    late: list[int] = []
    stalled = asyncio.Event()
    stage.monitor.write(1)
    rotator = stage.rotator(size=2000, files=2, compress=True)
    stage.tasks += [asyncio.ensure_future(follow()), asyncio.ensure_future(stall())]
    while not seen or not late:  # noqa: ASYNC110 - what is tested has no hook for it
        await asyncio.sleep(0.001)
    for turn in range(20):
        stage.monitor.write(30, size=100)
        await rotator.look()
        if turn % 3 == 0:
            await asyncio.sleep(0.002)
    stage.monitor.write(1)
    stalled.set()
    stage.end.end()
    await asyncio.wait_for(asyncio.gather(*stage.tasks), 20)
    assert seen == list(range(stage.monitor.number))
    assert late == seen
    assert stage.names() == ["log", "log.1.gz"]
    assert not stage.reader.followed


async def test_it_wakes_when_the_file_is_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "SHORTEST_S", 0.002)
    monkeypatch.setattr(rotation, "LONGEST_S", 0.01)
    task = stage.run(stage.rotator(size=5000))
    async with asyncio.timeout(20):
        for number in range(1, 4):
            await asyncio.sleep(0.03)  # it lies still
            stage.monitor.write(60, size=50)
            while len(rotated(stage.path)) < min(number, 2):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        stage.end.end()
        await task
    assert stage.stirring.inotify is None


async def test_nothing_is_done_without_a_limit(stage: Stage) -> None:
    stage.monitor.write(100, size=1000)
    await asyncio.wait_for(stage.run(stage.rotator(size=0)), 20)
    assert stage.names() == ["log"]


async def test_a_monitor_that_is_busy_is_told_once(stage: Stage) -> None:
    rotator = stage.rotator(size=1000)
    stage.monitor.is_deaf = True
    stage.monitor.write(10, size=100)
    await rotator.look()
    assert stage.monitor.told == 1
    stage.monitor.write(1)
    await rotator.look()
    assert stage.monitor.told == 1
    assert stage.names() == ["log.1", "log.tmp"]
    assert await stage.lines() == list(range(11))
    stage.monitor.is_deaf = False
    stage.monitor.obey()
    stage.monitor.write(1)
    await rotator.look()
    assert stage.names() == ["log", "log.1"]
    assert await stage.lines() == list(range(12))


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("compress", [True, False])
async def test_the_rest_of_a_line_whose_beginning_was_deleted_is_no_line(
    stage: Stage, compress: bool, is_kept: bool
) -> None:
    rotator = stage.rotator(size=1000, files=4 if is_kept else 2, compress=compress)
    stage.monitor.write(10, size=100)
    stage.monitor.write_piece(b"99", partial=True)
    await rotator.look()
    stage.monitor.write_piece(b"5" * 1000, stream=2, partial=True)
    await rotator.look()  # a whole file between the parts of the line
    stage.monitor.write_piece(b"99", partial=False)
    stage.monitor.write(3, size=400)
    await rotator.look()
    if is_kept:
        assert await stage.lines(stderr=False) == [*range(10), 9999, 10, 11, 12]
        assert await stage.lines(stderr=False, tail=5) == [9999, 10, 11, 12]  # the line that is open is the fifth
    else:
        assert await stage.lines() == [10, 11, 12]
        assert await stage.lines(tail=2) == [11, 12]
    stage.monitor.write_piece(b"5", stream=2, partial=False)
    stage.monitor.write(1)
    assert (await stage.lines(stdout=False) == [int("5" * 1001)]) is is_kept
    assert (await stage.lines())[-1] == 13


async def test_a_rotation_that_the_end_came_upon_is_finished(stage: Stage) -> None:
    before = stage.rotator(size=1000, files=3, compress=True)
    for _ in range(2):
        stage.monitor.write(10, size=100)
        await before.look()
    stage.monitor.write(10, size=100)
    stage.monitor.is_gone = True
    with pytest.raises(Conflict):
        await before.look()
    assert stage.names() == ["log.1", "log.2.gz", "log.3.gz", "log.tmp"]
    stage.end.end()
    await asyncio.wait_for(stage.run(stage.rotator(size=1000, files=3, compress=True)), 20)
    assert stage.names() == ["log", "log.1.gz", "log.2.gz"]
    assert await stage.lines() == list(range(10, 30))


async def test_a_full_disk_leaves_everything_in_its_place(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage.folder / "log.tmp").mkdir()  # cannot be opened for writing
    stage.monitor.write(10, size=100)
    with pytest.raises(OSError, match="directory"):
        await stage.rotator(size=1000).look()
    assert stage.names() == ["log", "log.tmp"]


async def test_a_log_that_somebody_has_deleted_begins_anew(stage: Stage) -> None:
    stage.monitor.write(3)
    rotator = stage.rotator()
    (stage.folder / "log").rename(stage.folder / "gone")
    await rotator.look()
    stage.monitor.write(1)
    assert await stage.lines() == [3]


async def test_without_its_folder_the_monitor_is_not_told(stage: Stage) -> None:
    """It would end, and the container with it."""
    (stage.folder / "log").unlink()
    stage.folder.rmdir()
    with pytest.raises(FileNotFoundError):
        await stage.rotator().look()
    assert stage.monitor.told == 0
    stage.folder.mkdir()


async def test_trouble_does_not_end_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "RETRY_S", 0.01)
    (stage.folder / "log.tmp").mkdir()
    stage.monitor.write(10, size=100)
    task = stage.run(stage.rotator(size=1000))
    await asyncio.sleep(0.05)
    (stage.folder / "log.tmp").rmdir()
    async with asyncio.timeout(20):
        while "log.1" not in stage.names():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    assert not task.done()


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize("count", range(9))
async def test_an_engine_that_dies_at_any_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, count: int, deaf: bool
) -> None:
    """The next engine goes on, and every line that is to be kept is there once."""
    before = stage.rotator(size=1000, files=4, compress=True)
    for _ in range(2):
        stage.monitor.write(10, size=100)
        await before.look()
    stage.monitor.write(10, size=100)
    left = count

    def step() -> None:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1

    rename, unlink, packing, reopen = os.rename, os.unlink, compress, stage.monitor.reopen

    def mortal_rename(source: str, target: str) -> None:
        if not source.endswith("log.tmp"):  # the monitor's own
            step()
        rename(source, target)

    def mortal_unlink(path: str) -> None:
        step()
        unlink(path)

    def mortal_packing(source: str, target: str) -> None:
        step()
        packing(source, target)

    async def mortal_reopen(path: str, renamed_to: str, *, is_told: bool | None) -> bool:
        step()
        is_there = await reopen(path, renamed_to, is_told=is_told)
        step()
        return is_there

    stage.monitor.is_deaf = deaf
    dying = stage.rotator(size=1000, files=4, compress=True)
    dying.reopen = mortal_reopen
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", mortal_rename)
        patch.setattr(os, "unlink", mortal_unlink)
        patch.setattr(rotation, "compress", mortal_packing)
        try:
            await dying.look()
        except Died:
            pass
    stage.monitor.write(3)
    assert await stage.lines() == list(range(33))
    stage.monitor.is_deaf = False
    after = stage.rotator(size=1000, files=4, compress=True)
    tidy(stage.path)
    await after.look()
    stage.monitor.obey()
    stage.monitor.write(3)
    await after.look()
    await after.look()
    stage.monitor.write(1)
    assert await stage.lines() == list(range(stage.monitor.number))
    assert stage.names() in (
        ["log", "log.1.gz", "log.2.gz"],  # it died before the renaming and the file was not long enough any more
        ["log", "log.1.gz", "log.2.gz", "log.3.gz"],
    )
