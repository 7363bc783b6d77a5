"""How long a commit takes: written on the loop, through the writer thread, and synced; on an idle loop and on one that never sleeps.

    .venv/bin/python bench/records_micro.py [folder]

The folder should lie on the disk that the engine would use.
"""

import asyncio
import sys
import tempfile
import time

import uvloop

from wharfd.drivers.records.sqlite import SqliteRecords
from wharfd.testing.builders import a_container, an_event

COMMITS = 1000
BUSY_S = 0.0002


async def keep_busy(stop: asyncio.Event) -> None:
    """A loop under full load: there is always a callback ready, each of 200 µs."""
    while not stop.is_set():
        until = time.perf_counter() + BUSY_S
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def measure(folder: str, *, through_thread: bool, durable: bool, busy: bool) -> list[float]:
    records = SqliteRecords(f"{folder}/records.db")
    await records.open()
    stop = asyncio.Event()
    containers = [a_container() for _ in range(100)]
    took: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        if busy:
            tasks.create_task(keep_busy(stop))
        for number in range(COMMITS):
            if through_thread:
                records.slow_until = float("inf")
            event = an_event(at_ns=time.time_ns())
            begun = time.perf_counter()
            await records.commit([containers[number % 100]], [event], durable=durable)
            took.append(time.perf_counter() - begun)
            await asyncio.sleep(0)
        stop.set()
    records.slow_until = 0.0
    await records.close()
    return sorted(took)


async def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    print(f"{'':44}{'median µs':>12}{'p99 µs':>12}{'max µs':>12}")
    for busy in (False, True):
        for name, through_thread, durable in (
            ("on the loop", False, False),
            ("writer thread", True, False),
            ("on the loop, synced", False, True),
        ):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                took = await measure(place, through_thread=through_thread, durable=durable, busy=busy)
            row = [took[len(took) // 2], took[len(took) * 99 // 100], took[-1]]
            label = f"{name}, {'saturated' if busy else 'idle'} loop"
            print(f"{label:44}" + "".join(f"{value * 1e6:12.0f}" for value in row))


if __name__ == "__main__":
    uvloop.run(main())
