"""Rotates a container's log while it runs.

The monitor does not count what it writes, so the file is looked at: at once when it is written after a silence, then as often as its
growth asks for.  So a file may become a little longer than it is to be, by what is written between two looks.

The order of a rotation: make room for a new generation and rename the file (`generations`), have the monitor begin a new one, tell the
followers, delete what is too much, compress.  Whatever point an engine dies at, the next one goes on from what it finds.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable

from wharfd.drivers.logs.compression import compress
from wharfd.drivers.logs.continuation import note_continuation
from wharfd.drivers.logs.generations import (
    COMPRESSED,
    FRESH,
    UNFINISHED,
    Generation,
    remove,
    rotated,
    shift,
    tidy,
    trim,
)
from wharfd.drivers.logs.options import Limits
from wharfd.drivers.logs.stirring import Stirring
from wharfd.model.errors import EngineError
from wharfd.ports.logs import ContainerEnd, ReopenLog
from wharfd.sys.blocking import Pool

log = logging.getLogger(__name__)

SHORTEST_S, LONGEST_S = 0.05, 2.0  # between two looks at a file that is being written
RETRY_S = 5.0  # after something that went wrong


class Rotator:
    """Of one log.  `on_new_file` is called when the monitor writes a new file."""

    def __init__(
        self,
        path: str,
        limits: Limits,
        *,
        reopen: ReopenLog,
        on_new_file: Callable[[str], None],
        stirring: Stirring,
        pool: Pool,
    ) -> None:
        self.path = path
        self.limits = limits
        self.reopen = reopen
        self.on_new_file = on_new_file
        self.stirring = stirring
        self.pool = pool
        self.is_told: bool | None = None  # of the last renaming
        self.is_settled = False  # rotated files are as they are to be
        self.looked_s = 0.0
        self.size = 0
        self.woken = asyncio.Event()

    async def run(self, end: ContainerEnd) -> None:
        """Until the container has ended."""
        if not self.limits.max_size_bytes:
            return
        end.on_over(self.woken.set)
        self.stirring.open()
        try:
            tidy(self.path)
            while not end.is_over():
                try:
                    delay_s = await self.look()
                except (OSError, EngineError) as error:
                    log.warning("log=%s is not rotated: error=%s", self.path, error)
                    delay_s = RETRY_S
                await self.rest(delay_s, end)
            await self.finish()
        except OSError as error:
            log.warning("log=%s: its files are left as they are: error=%s", self.path, error)
        finally:
            self.stirring.disarm(self.woken)
            self.stirring.close()

    async def look(self) -> float | None:
        """Rotate if it is time.  Seconds until the next look; None: when the file is written again."""
        size = size_of(self.path)
        if size is None:
            await self.begin_new_file()
            await self.settle()
            return SHORTEST_S
        if size >= self.limits.max_size_bytes:
            await self.rotate()
            return SHORTEST_S
        await self.settle()
        now_s = asyncio.get_running_loop().time()
        grown, passed_s = size - self.size, now_s - self.looked_s
        self.size, self.looked_s = size, now_s
        if grown <= 0:
            return None
        due_s = (self.limits.max_size_bytes - size) * passed_s / grown
        return min(max(due_s / 2, SHORTEST_S), LONGEST_S)

    async def rotate(self) -> None:
        self.prepare()
        shift(self.path)
        self.is_told = False
        await self.begin_new_file()
        await self.settle()

    async def finish(self) -> None:
        """What a rotation has begun that the container's end came upon: the monitor makes no new file any more."""
        if size_of(self.path) is None and rotated(self.path):
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640))
            self.is_settled = False
            remove(self.path + FRESH)
            self.on_new_file(self.path)
        await self.settle()

    def prepare(self) -> None:
        """The monitor ends, and its container with it, if it cannot make its file: so it is made here.  Raises OSError."""
        os.close(os.open(self.path + FRESH, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640))

    async def begin_new_file(self) -> None:
        self.prepare()
        is_told, self.is_told = self.is_told, None
        is_there = await self.reopen(self.path, f"{self.path}.1", is_told=is_told)
        self.is_told, self.is_settled = True, False
        if is_there:
            self.size = 0
            self.on_new_file(self.path)

    async def settle(self) -> None:
        """Delete and compress rotated files, once the monitor has let go of the newest."""
        if self.is_settled or size_of(self.path) is None:
            return
        self.is_settled = True
        note_continuation(self.path, f"{self.path}.1")
        trim(self.path, self.limits.max_files - 1)
        if self.limits.compress:
            for each in rotated(self.path):
                if not each.is_compressed:
                    await self.compress(each)

    async def compress(self, generation: Generation) -> None:
        unfinished = generation.path + UNFINISHED
        try:
            await self.pool.run(compress, generation.path, unfinished)
            os.rename(unfinished, generation.path + COMPRESSED)
            remove(generation.path)
        except BaseException:
            remove(unfinished)
            raise

    async def rest(self, delay_s: float | None, end: ContainerEnd) -> None:
        """Returns early at the container's end."""
        if delay_s is None:
            delay_s = LONGEST_S
            if self.stirring.arm(self.path, self.woken):
                delay_s = SHORTEST_S  # let what has begun go on a little before it is measured
                if size_of(self.path) == self.size and not end.is_over():
                    await self.woken.wait()
            self.woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if end.is_over() else delay_s):
                await self.woken.wait()
        self.woken.clear()


def size_of(path: str) -> int | None:
    """None: it is not there."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None
