"""The real monitor begins a new file: nothing is lost, also if an engine dies after it has told it."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.integration.runtime.lab import Lab, Result, needs
from wharfd.drivers.runtime.monitor_log import REOPEN
from wharfd.model.errors import Conflict
from wharfd.model.ids import ContainerId
from wharfd.wire.crilog import LogEncoder

pytestmark = needs()

COUNT = 60_000
SCRIPT = "n=0; while [ $n -lt 30 ]; do seq $((n*2000+1)) $((n*2000+2000)); sleep 0.03; n=$((n+1)); done"


def numbers(log: Path) -> list[int]:
    """The lines of all files: the renamed ones, the oldest first (the lowest number), then the last."""
    renamed = sorted(log.parent.glob(f"{log.name}.*"), key=lambda path: int(path.suffix[1:]))
    encoder = LogEncoder(framed=False)
    files = [*renamed, *([log] if log.exists() else [])]
    return [int(line) for path in files for line in encoder.feed(path.read_bytes()).split()]


async def grown(path: Path, running: "asyncio.Future[Result]") -> None:
    while not running.done() and (not path.exists() or path.stat().st_size < 20_000):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("died", ["never", "before it told", "after it told"])
async def test_every_line_is_in_one_of_the_files(tmp_path: Path, died: str) -> None:
    async with Lab.open(tmp_path) as lab:
        running = asyncio.ensure_future(lab.run(SCRIPT))
        turns = 0
        while not (paths := list(tmp_path.glob("*.log"))):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        log = paths[0]
        [container_id] = lab.driver.placements.known
        placement = lab.driver.placements.known[container_id]
        while not running.done() and turns < 40:
            turns += 1
            try:
                await grown(log, running)
                renamed = f"{log}.{turns}"
                os.rename(log, renamed)
                if died == "after it told":
                    fifo = os.open(f"{placement.bundle}/ctl", os.O_WRONLY | os.O_NONBLOCK)
                    os.write(fifo, REOPEN)
                    os.close(fifo)
                is_told = False if died == "never" else None
                assert await lab.driver.reopen_log(placement.container_id, str(log), renamed, is_told=is_told)
                assert log.exists()
            except (Conflict, OSError):
                break  # it has ended
        await running
        assert turns > 3
        assert numbers(log) == list(range(1, COUNT + 1))


async def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    async with Lab.open(tmp_path) as lab:
        running = asyncio.ensure_future(lab.run("echo 1; sleep 0.5; echo 2"))
        while not (paths := [path for path in tmp_path.glob("*.log") if path.stat().st_size]):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        [container_id] = lab.driver.placements.known
        before = paths[0].stat().st_ino
        for is_told in (None, False, True):
            assert await lab.driver.reopen_log(container_id, str(paths[0]), "", is_told=is_told)  # type: ignore[arg-type]
        await running
        assert paths[0].stat().st_ino == before
        assert numbers(paths[0]) == [1, 2]


async def test_a_monitor_that_ends_meanwhile(tmp_path: Path) -> None:
    """It never makes the file that is waited for."""
    async with Lab.open(tmp_path) as lab:
        running = asyncio.ensure_future(lab.run("sleep 0.3"))
        while not (paths := list(tmp_path.glob("*.log"))):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        [container_id] = lab.driver.placements.known
        os.rename(paths[0], f"{paths[0]}.1")
        with pytest.raises(Conflict):
            await lab.driver.reopen_log(ContainerId(container_id), str(paths[0]), f"{paths[0]}.1", is_told=True)
        await running


async def test_one_that_does_not_run(tmp_path: Path) -> None:
    async with Lab.open(tmp_path) as lab:
        with pytest.raises(Conflict):
            await lab.driver.reopen_log("f" * 64, str(tmp_path / "log"), "", is_told=False)  # type: ignore[arg-type]
