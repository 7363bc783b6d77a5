"""A process that writes is killed at a moment of chance: every commit that it was told of is there, and the store opens."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from wharfd.drivers.records.sqlite import SqliteRecords

# Writes volumes named by a counter, with one event each; after each commit it tells the counter on its stdout.
WRITER = """
import asyncio, os, sys
from wharfd.drivers.records.sqlite import SqliteRecords, store
from wharfd.testing.builders import a_volume, an_event
store.CHECKPOINT_BYTES = 300_000
async def main():
    records = SqliteRecords(sys.argv[1], keep_events_ns=2**62)
    number = (await records.open()).last_event_seq
    rounds = 0
    while True:
        number += 1
        rounds += 1
        if rounds % 50 == 0:
            records.slow_until = 0.0 if records.slow_until else float("inf")  # change between the two ways of writing
        await records.commit(
            [a_volume(name=f"v{number % 100}", labels={"number": str(number), "fill": "x" * 2000})],
            [an_event(seq=number)], durable=number % 7 == 0)
        os.write(1, b"%d\\n" % number)
asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(6))
async def test_every_acknowledged_commit_survives_sigkill(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = str(tmp_path / "records.db")
    for _ in range(3):
        told = run_and_kill(path, chance.uniform(0.0, 0.25))
        records = SqliteRecords(path, keep_events_ns=2**62)
        snapshot = await records.open()
        assert told <= snapshot.last_event_seq <= told + 1
        numbers = {int((volume.labels or {})["number"]) for volume in snapshot.volumes}
        last = snapshot.last_event_seq
        assert numbers == set(range(max(1, last - 99), last + 1))
        assert [event.seq for event in await records.events(0, 0)] == list(range(1, last + 1))
        await records.close()


def run_and_kill(path: str, after_s: float) -> int:
    """The last counter that the writer told before it was killed, `after_s` after its first."""
    read_end, write_end = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", WRITER, path],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_CLOSE, read_end)],
    )
    os.close(write_end)
    told = os.read(read_end, 65536)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    while more := os.read(read_end, 65536):
        told += more
    os.close(read_end)
    os.waitpid(pid, 0)
    return int(told.split(b"\n")[-2])
