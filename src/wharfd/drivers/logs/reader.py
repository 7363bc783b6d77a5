"""Reads a monitor's log file, from where the query begins to where it ends, and follows it while its container runs.

Formatting happens on the loop, in blocks that take a fraction of a millisecond, with a turn for everybody else after each: under the
interpreter's lock a thread would not be faster, and its result would have to be handed over.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing

from wharfd.drivers.logs.compression import expand
from wharfd.drivers.logs.continuation import ENDING
from wharfd.drivers.logs.files import BLOCK, LogFiles, open_file
from wharfd.drivers.logs.generations import all_files
from wharfd.drivers.logs.growth import Follower, Growth
from wharfd.drivers.logs.search import find_tail, find_time
from wharfd.model.errors import Internal
from wharfd.ports.logs import ContainerEnd, LogQuery
from wharfd.sys.blocking import Pool
from wharfd.wire.crilog import LogEncoder, Record, format_record, scan


class LogReader:
    """`now_ns` is the wall clock."""

    def __init__(self, pool: Pool, growth: Growth, now_ns: Callable[[], int]) -> None:
        self.pool = pool
        self.growth = growth
        self.now_ns = now_ns
        self.followed: dict[str, list[LogFiles]] = {}  # by path

    def rotated(self, path: str) -> None:
        """The monitor writes a new file.  Whoever follows gets hold of it now: before it is looked at, it may be rotated, too."""
        for files in self.followed.get(path, ()):
            files.add_newest()

    async def read(self, path: str, query: LogQuery, end: ContainerEnd) -> AsyncIterator[bytes]:
        """As the port says."""
        files = LogFiles(path, self.pool)
        follower = self.growth.follow(path) if query.follow else None
        if follower is not None:
            self.followed.setdefault(path, []).append(files)
        try:
            is_over = end.is_over()  # before looking how long the log is: nothing comes behind that then
            files.open()
            stop = files.end()
            at, skip = await self.begin(files, stop, query)
            encoder = encoder_for(query, skip, files.continued if at == 0 else ())
            if follower is not None:
                timer = self.wake_at(follower, query.until_ns)
                end.on_over(follower.wake)
                try:
                    async with aclosing(self.follow(files, at, encoder, follower, query, end)) as blocks:
                        async for block in blocks:
                            yield block
                finally:
                    if timer is not None:
                        timer.cancel()
                return
            while at < stop and not encoder.finished:
                data = await files.read(at, stop - at)
                if not data:
                    break  # emptied meanwhile
                at += len(data)
                if block := encoder.feed(data):
                    yield block
                await asyncio.sleep(0)
            if is_over and not encoder.finished and (block := encoder.finish()):
                yield block
        finally:
            files.close()
            if follower is not None:
                follower.close()
                self.followed[path].remove(files)
                if not self.followed[path]:
                    del self.followed[path]

    async def begin(self, files: LogFiles, end: int, query: LogQuery) -> tuple[int, int]:
        """Position, and how many whole lines to leave out from there."""
        if query.tail is not None:
            start = await find_tail(files, end, query.tail)
            return start.offset, start.skip
        if query.since_ns:
            return await find_time(files, end, query.since_ns, files.older_than(query.since_ns)), 0
        return 0, 0

    async def follow(
        self,
        files: LogFiles,
        at: int,
        encoder: LogEncoder,
        follower: Follower,
        query: LogQuery,
        end: ContainerEnd,
    ) -> AsyncGenerator[bytes, None]:
        while True:
            is_over = end.is_over()  # before the last look: what comes behind that is not this run's
            while data := await files.read(at, BLOCK):
                at += len(data)
                if block := encoder.feed(data):
                    yield block
                if encoder.finished:
                    return
                await asyncio.sleep(0)
            files.let_go(at)
            if files.is_too_slow:
                raise Internal("the reader is too slow: what it has not read yet was rotated away")
            if files.renew(at):
                follower.look()
            elif is_over:
                if block := encoder.finish():
                    yield block
                return
            elif query.until_ns and self.now_ns() > query.until_ns:
                return
            else:
                await follower.wait()

    def wake_at(self, follower: Follower, until_ns: int) -> asyncio.TimerHandle | None:
        if not until_ns:
            return None
        return asyncio.get_running_loop().call_later(max(0.0, (until_ns - self.now_ns()) / 1e9) + 0.001, follower.wake)


def encoder_for(query: LogQuery, skip: int, continued: Iterable[int]) -> LogEncoder:
    return LogEncoder(
        stdout=query.stdout,
        stderr=query.stderr,
        framed=query.framed,
        timestamps=query.timestamps,
        prefix=query.prefix,
        since_ns=query.since_ns,
        until_ns=query.until_ns,
        skip_lines=skip,
        continued=continued,
    )


def end_open_lines(path: str) -> None:
    """Mark lines at the end of a log that are over and have no newline.

    conmon leaves such a line open, and the output of the next run would continue it.  It may be the last of a file that was rotated since.
    """
    window = ending_of(path)
    last: dict[int, Record] = {record.stream: record for record in scan(window)}
    ends = [
        format_record(record._replace(partial=False, text=b"", cut=True)) for record in last.values() if record.partial
    ]
    if window and not window.endswith(b"\n"):
        ends.insert(0, b"\n")  # cut by a power failure
    if not ends:
        return
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.write(fd, b"".join(ends))
    finally:
        os.close(fd)


def ending_of(path: str) -> bytes:
    """The last bytes of a log, of as many files as it takes."""
    pieces: list[bytes] = []
    missing = ENDING
    for each in all_files(path):
        opened = open_file(each.path)
        if opened is None:
            continue
        fds = [opened[0]]
        try:
            if each.is_compressed:
                fds.append(expand(fds[0], os.path.dirname(path)))
            size = os.fstat(fds[-1]).st_size
            pieces.insert(0, os.pread(fds[-1], missing, max(0, size - missing)))
        finally:
            for fd in fds:
                os.close(fd)
        missing -= len(pieces[0])
        # Whole records of both streams are mostly in the newest file already.
        if missing <= 0 or is_settled(b"".join(pieces)):
            break
    return b"".join(pieces)


def is_settled(window: bytes) -> bool:
    """It has a record of each stream."""
    return len({record.stream for record in scan(window)}) == 2
