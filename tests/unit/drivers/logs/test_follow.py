"""Following through rotation, emptying and removal; many followers of many files."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.waiting import until
from wharfd.drivers.logs.growth import Growth
from wharfd.drivers.logs.reader import LogReader
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_log_query
from wharfd.testing.clock import START_NS, FakeClock
from wharfd.testing.logs import FakeEnd
from wharfd.wire.crilog import Record, format_record, record_time


class Stage:
    def __init__(self, folder: Path, pool: Pool) -> None:
        self.path = str(folder / "log")
        self.growth = Growth()
        self.clock = FakeClock()
        self.reader = LogReader(pool, self.growth, self.clock.now_ns)
        self.end = FakeEnd()
        self.tasks: list[asyncio.Task[None]] = []

    def write(self, *texts: str, path: str = "") -> None:
        with open(path or self.path, "ab") as file:
            file.write(
                b"".join(format_record(Record(1, record_time(START_NS), False, text.encode())) for text in texts)
            )

    def follow(self, path: str = "", **query: object) -> list[str]:
        seen: list[str] = []

        async def work() -> None:
            query_now = a_log_query(follow=True, **query)
            async for block in self.reader.read(path or self.path, query_now, self.end):
                seen.extend(block.decode().split())

        self.tasks.append(asyncio.ensure_future(work()))
        return seen


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    pool = Pool("logs", 1)
    stage = Stage(tmp_path, pool)
    yield stage
    for task in stage.tasks:
        task.cancel()
    await asyncio.gather(*stage.tasks, return_exceptions=True)
    pool.close()


async def test_rotation_neither_loses_nor_repeats_a_line(stage: Stage) -> None:
    stage.write("0")
    seen = stage.follow()
    number = 0
    for turn in range(5):
        for _ in range(200):
            number += 1
            stage.write(str(number))
            if number % 40 == 0:
                await asyncio.sleep(0)
        for old in range(turn, 0, -1):
            os.rename(f"{stage.path}.{old}", f"{stage.path}.{old + 1}")
        os.rename(stage.path, f"{stage.path}.1")
        number += 1
        stage.write(str(number), path=f"{stage.path}.1")  # the monitor has not been told yet
        if turn % 2:
            await asyncio.sleep(0.01)
    stage.write("last")
    await until(lambda: seen[-1:] == ["last"])
    assert seen == [*map(str, range(number + 1)), "last"]
    again = stage.follow(tail=500)
    await until(lambda: again[-1:] == ["last"])
    assert again == seen[-500:]


async def test_a_file_put_in_the_place_of_the_old_one(stage: Stage) -> None:
    """As conmon does it by itself: a new file, renamed onto the old name."""
    stage.write("one")
    seen = stage.follow()
    await until(lambda: seen == ["one"])
    stage.write("two", path=f"{stage.path}.tmp")
    os.rename(f"{stage.path}.tmp", stage.path)
    await until(lambda: seen == ["one", "two"])


async def test_an_emptied_file_goes_on(stage: Stage) -> None:
    stage.write("one", "two")
    seen = stage.follow()
    await until(lambda: len(seen) == 2)
    os.truncate(stage.path, 0)
    await asyncio.sleep(0.01)
    stage.write("three")
    await until(lambda: seen == ["one", "two", "three"])


async def test_a_log_that_comes_later(stage: Stage) -> None:
    seen = stage.follow()
    await asyncio.sleep(0.01)
    stage.write("one")
    await until(lambda: seen == ["one"])


async def test_the_end_after_a_removal(stage: Stage) -> None:
    stage.write("one")
    seen = stage.follow()
    await until(lambda: seen == ["one"])
    os.unlink(stage.path)
    stage.end.end()
    await asyncio.wait_for(stage.tasks[0], 20)


async def test_until_ends_it_though_nothing_comes(stage: Stage) -> None:
    stage.write("one")
    stage.clock.tick_ns = 30_000_000
    seen = stage.follow(until_ns=START_NS + 50_000_000)
    await asyncio.wait_for(stage.tasks[0], 20)
    assert seen == ["one"]


async def test_more_followers_than_the_kernel_has_instances(stage: Stage, tmp_path: Path) -> None:
    followers = []
    for number in range(300):
        path = str(tmp_path / f"log{number % 150}")
        if number < 150:
            stage.write("begin", path=path)
        followers.append((path, stage.follow(path)))
    await until(lambda: all(seen == ["begin"] for _, seen in followers))
    for path, _ in followers[:150]:
        stage.write("end", path=path)
    await until(lambda: all(seen == ["begin", "end"] for _, seen in followers))
    stage.tasks[0].cancel()
    await asyncio.gather(stage.tasks[0], return_exceptions=True)
    stage.write("more", path=followers[0][0])
    await until(lambda: followers[150][1] == ["begin", "end", "more"])
    assert followers[0][1] == ["begin", "end"]


async def test_nothing_is_watched_when_nobody_follows(stage: Stage) -> None:
    stage.write("one")
    seen = stage.follow()
    await until(lambda: seen == ["one"])
    assert len(stage.growth.followers) == 2  # of the file and of its folder
    stage.end.end()
    await asyncio.gather(*stage.tasks)
    assert not stage.growth.followers
    assert stage.growth.inotify is None


async def test_other_work_goes_on_while_a_long_log_is_read(stage: Stage) -> None:
    """Between two blocks everybody else has a turn."""
    stage.write(*["x" * 100] * 20_000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.ensure_future(other())
    blocks = [block async for block in stage.reader.read(stage.path, a_log_query(), stage.end)]
    busy.cancel()
    assert len(blocks) > 10
    assert turns >= len(blocks)
