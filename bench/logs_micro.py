"""How fast a container's log is read: payload (lines as the container wrote them) in MB/s, and what else the loop can do meanwhile.

    .venv/bin/python bench/logs_micro.py [folder] [megabytes]

formatting   blocks in memory through the encoder
reading      from the file, as an async iterator
socket       through the API's handler and server, to a client in another process that throws it away
stall        the longest time between two turns of another task while the log is read, in CPU time of this thread
"""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from wharfd.api.errors import error_response
from wharfd.api.handlers.logs import LogHandlers
from wharfd.api.router import Router, RouteTable
from wharfd.api.transport import Server
from wharfd.drivers.logs.files import BLOCK
from wharfd.drivers.logs.kinds import log_drivers
from wharfd.engine.containers.logs import Logs
from wharfd.engine.containers.waiters import Waiters
from wharfd.engine.events import EventBus
from wharfd.engine.ledger import Ledger
from wharfd.sys.blocking import Pool
from wharfd.testing.builders import a_container, a_log_query
from wharfd.testing.clock import START_NS, FakeClock
from wharfd.testing.logs import FakeEnd
from wharfd.testing.records import FakeRecords
from wharfd.wire.crilog import LogEncoder, Record, format_record, record_time

REQUEST = b"GET /containers/web/logs?stdout=1&stderr=1%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass
class Log:
    name: str
    path: str
    payload: int
    lines: int


def write_log(folder: str, name: str, line: int, megabytes: int, stderr_every: int = 0) -> Log:
    """`line` bytes a line, its newline included; a microsecond between lines."""
    path = f"{folder}/{name.replace(' ', '-')}"
    count = megabytes * 10**6 // line
    text = (b"the quick brown fox jumps over the lazy dog " * 30)[: line - 1]
    with open(path, "wb") as file:
        for first in range(0, count, 1000):
            records = (
                Record(
                    2 if stderr_every and n % stderr_every == 0 else 1, record_time(START_NS + n * 1000), False, text
                )
                for n in range(first, min(first + 1000, count))
            )
            file.write(b"".join(map(format_record, records)))
    return Log(name, path, count * line, count)


def format_all(log: Log, **options: bool) -> float:
    with open(log.path, "rb") as file:
        data = file.read()
    encoder = LogEncoder(**options)  # type: ignore[arg-type]
    begun = time.perf_counter()
    for at in range(0, len(data), BLOCK):
        encoder.feed(data[at : at + BLOCK])
    return time.perf_counter() - begun


async def read_all(log: Log, pool: Pool, **query: object) -> tuple[float, float]:
    """Seconds, and the longest stall of another task."""
    driver = log_drivers(pool)["json-file"]
    longest, over = 0.0, False

    async def watch() -> None:
        nonlocal longest
        last = time.thread_time()
        while not over:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest = max(longest, now - last)
            last = now

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        begun = time.perf_counter()
        async for _ in driver.read(log.path, {}, a_log_query(**query), FakeEnd(over=True)):
            pass
        took = time.perf_counter() - begun
        over = True
    return took, longest


async def serve_all(log: Log, pool: Pool, query: bytes = b"") -> float:
    ledger = Ledger(FakeRecords(), EventBus())
    await ledger.open()
    ledger.post(a_container(name="web", log_path=log.path))
    logs = Logs(ledger=ledger, waiters=Waiters(), drivers=log_drivers(pool))
    router = Router(RouteTable(LogHandlers(logs, FakeClock().now_ns).routes()))
    server = Server(router, error_response=error_response)
    path = f"{log.path}.sock"
    await server.serve_unix(path)
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        take_all(path, REQUEST % query)
    await asyncio.to_thread(os.waitpid, child, 0)
    took = time.perf_counter() - begun
    await server.shutdown(1)
    return took


def take_all(path: str, request: bytes) -> None:
    """The client: never returns."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.sendall(request)
    buffer = bytearray(1 << 20)
    while client.recv_into(buffer):
        pass
    os._exit(0)


def best(run: Callable[[], float], times: int = 3) -> float:
    return min(run() for _ in range(times))


async def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    pool = Pool("logs", 1)
    print(f"{'':34}{'formatting':>12}{'reading':>12}{'socket':>12}{'stall ms':>12}")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        logs = [
            write_log(place, "1 KiB lines", 1024, megabytes),
            write_log(place, "100-byte lines", 100, megabytes),
            write_log(place, "100-byte lines, every 7th stderr", 100, megabytes, 7),
        ]
        for log in logs:
            for label, timestamps in (("", False), (", timestamps", True)):
                formatting = best(lambda log=log, t=timestamps: format_all(log, timestamps=t))  # type: ignore[misc]
                reads = [await read_all(log, pool, framed=True, timestamps=timestamps) for _ in range(3)]
                served = [await serve_all(log, pool, b"&timestamps=1" if timestamps else b"") for _ in range(3)]
                took = [formatting, min(took for took, _ in reads), min(served)]
                rates = "".join(f"{log.payload / seconds / 1e6:12.0f}" for seconds in took)
                print(f"{log.name + label:34}{rates}{min(stall for _, stall in reads) * 1e3:12.2f}")
        log = logs[1]
        since = START_NS + (log.lines - 100) * 1000
        for label, query in (("tail=100", {"tail": 100}), ("last 100 by since", {"since_ns": since})):
            took = [(await read_all(log, pool, **query))[0] for _ in range(5)]
            print(f"{label} of {log.lines} lines: {min(took) * 1e3:.2f} ms")
    pool.close()


if __name__ == "__main__":
    uvloop.run(main())
